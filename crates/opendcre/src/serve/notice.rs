//! What has gone wrong with the configuration since the start, and stays so until somebody mends it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use opendcre_gateway::{Defect, Part};

/// The newest notice of each name.
#[derive(Debug, Default)]
pub(super) struct Notices {
    defects: Mutex<Vec<Defect>>,
}

impl Notices {
    /// Takes `defect` in the place of any of the same name.
    pub(super) fn put(&self, defect: Defect) {
        let mut defects = self.lock();
        defects.retain(|other| other.name != defect.name);
        defects.push(defect);
    }

    /// What was called `name` is mended.
    pub(super) fn remove(&self, name: &str) {
        self.lock().retain(|defect| defect.name != name);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Defect>> {
        // Every change of the list is complete in itself.
        self.defects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part for Notices {
    fn defects(&self) -> Vec<Defect> {
        self.lock().clone()
    }
}
