//! The file as it is kept: written, and opened again when it turned out to be damaged. It blocks, and knows nothing of
//! who waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::database::{self, Appended, EventFile, Loaded, Reader};
use super::number::Gap;
use super::{EventError, EventSettings, Kept};
use crate::SetAside;
use crate::sqlite::{Check, is_damage};

/// How many events are written with one commit at most.
const MOST_AT_ONCE: usize = 256;

/// A file, whether it can be used or not.
pub(super) struct Keeper {
    path: PathBuf,
    settings: EventSettings,
    file: Option<EventFile>,
    reader: Arc<Reader>,
}

/// What came of an attempt to write.
pub(super) struct Written {
    /// The number of the last event that is on the disk now, and that of the oldest, if any was written.
    pub(super) saved: Option<(u64, Option<u64>)>,
    /// Why the rest is not.
    pub(super) failure: Option<EventError>,
}

impl Keeper {
    /// Opens the file at `path`, of which `newest` events are loaded.
    pub(super) fn open(
        path: &Path,
        settings: EventSettings,
        newest: usize,
    ) -> Result<(Self, Loaded, Option<SetAside>), EventError> {
        let reader = Arc::<Reader>::default();
        let mut keeper = Self { path: path.to_owned(), settings, file: None, reader };
        let (loaded, set_aside) = keeper.open_file(newest, Check::Schema)?;
        Ok((keeper, loaded, set_aside))
    }

    pub(super) fn reader(&self) -> Arc<Reader> {
        Arc::clone(&self.reader)
    }

    /// Whether a file is open. If not, [`Keeper::open_again`] must be called before anything is written.
    pub(super) const fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Opens the file again after it was found to be damaged, which sets it aside.
    pub(super) fn open_again(&mut self) -> Result<Option<SetAside>, EventError> {
        self.open_file(0, Check::Everything).map(|(_, set_aside)| set_aside)
    }

    /// Brings `events` to the disk, when there are `kept` already. `gaps` are new.
    pub(super) fn write(&mut self, events: &[Kept], gaps: &[Gap], mut kept: u64) -> Written {
        let mut written = Written { saved: None, failure: None };
        for events in events.chunks(MOST_AT_ONCE) {
            let Some(file) = &mut self.file else { break };
            match file.append(events, gaps, kept) {
                Ok(Appended { oldest, forgotten }) => {
                    written.saved = events.last().map(|last| (last.event.sequence, oldest));
                    kept = (kept + events.len() as u64).saturating_sub(forgotten);
                }
                Err(error) => {
                    written.failure = Some(self.unwritten(&error.to_string()));
                    if is_damage(&error) {
                        self.close();
                    }
                    break;
                }
            }
        }
        written
    }

    /// Closes the file, after its reader.
    pub(super) fn close(&mut self) {
        self.reader.replace(None);
        self.file = None;
    }

    fn open_file(&mut self, newest: usize, check: Check) -> Result<(Loaded, Option<SetAside>), EventError> {
        let failed = |reason| EventError::Open { path: self.path.clone(), reason };
        let (file, loaded, set_aside) =
            database::open(&self.path, self.settings, newest, check).map_err(failed)?;
        let reader = file.reader().map_err(|error| failed(error.to_string()))?;
        self.reader.replace(Some(reader));
        self.file = Some(file);
        Ok((loaded, set_aside))
    }

    fn unwritten(&self, reason: &str) -> EventError {
        EventError::Write { path: self.path.clone(), reason: reason.to_owned() }
    }
}
