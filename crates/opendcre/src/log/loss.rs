//! What one place of the log has not taken: how many lines since the start, and why, as long as it takes none.
//!
//! Knows nothing of lines, or of how they get there.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use opendcre_gateway::Defect;

/// The losses of one place.
pub(super) struct Loss {
    /// What the defect is called, if possible by the key of the configuration.
    name: &'static str,
    /// Where the lines should be.
    place: String,
    lines: AtomicU64,
    /// Why the last lines were lost.
    reason: Mutex<Option<String>>,
}

impl Loss {
    /// Those of `place`, of which nothing is lost yet. The defect is called `name`.
    pub(super) fn new(name: &'static str, place: impl Display) -> Self {
        Self { name, place: place.to_string(), lines: AtomicU64::new(0), reason: Mutex::default() }
    }

    /// Counts `lines` that were lost for `reason`. The first one counts until lines are taken again.
    pub(super) fn add(&self, lines: u64, reason: &dyn Display) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.reason().get_or_insert_with(|| reason.to_string());
    }

    /// Lines are taken again.
    pub(super) fn end(&self) {
        self.reason().take();
    }

    /// The count of lines that were lost since the start.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// What is amiss, as long as lines are lost.
    pub(super) fn defect(&self) -> Option<Defect> {
        let message = self.reason().as_ref().map(|reason| {
            format!("cannot write logs to {}: {reason}; until this is mended, lines are lost", self.place)
        });
        message.map(|message| Defect { name: self.name.to_owned(), code: super::UNAVAILABLE, message })
    }

    /// A panic elsewhere leaves a whole reason.
    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
