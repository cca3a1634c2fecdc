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
    /// Whether nothing of what a file holds has been read since the start.
    is_blank: bool,
    reader: Arc<Reader>,
}

/// A file that was opened.
pub(super) struct Reopened {
    /// What it holds, if that is not known yet.
    pub(super) loaded: Option<Loaded>,
    pub(super) set_aside: Option<SetAside>,
}

/// What came of an attempt to write.
pub(super) struct Written {
    /// The number of the last event that is on the disk now, and that of the oldest, if any was written.
    pub(super) saved: Option<(u64, Option<u64>)>,
    /// Why the rest is not.
    pub(super) failure: Option<EventError>,
}

impl Keeper {
    /// A file that is not open yet.
    pub(super) fn new(path: &Path, settings: EventSettings) -> Self {
        Self { path: path.to_owned(), settings, file: None, is_blank: true, reader: Arc::default() }
    }

    /// Opens the file, of which `newest` events are loaded.
    pub(super) fn open(&mut self, newest: usize) -> Result<(Loaded, Option<SetAside>), EventError> {
        let opened = self.open_file(newest, Check::Schema)?;
        self.is_blank = false;
        Ok(opened)
    }

    pub(super) fn reader(&self) -> Arc<Reader> {
        Arc::clone(&self.reader)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file is open. If not, [`Keeper::open_again`] must be called before anything is written.
    pub(super) const fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Opens the file that could not be opened before, or again after it was found to be damaged, which sets it aside. Of a
    /// file that is not known yet, no events are loaded.
    pub(super) fn open_again(&mut self) -> Result<Reopened, EventError> {
        // The newest event tells where the numbers go on.
        let check = if self.is_blank { Check::Schema } else { Check::Everything };
        let (loaded, set_aside) = self.open_file(1, check)?;
        let is_news = std::mem::replace(&mut self.is_blank, false);
        Ok(Reopened { loaded: is_news.then_some(loaded), set_aside })
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

    /// Leaves a file alone that could not be opened before, and that holds newer events than were given meanwhile.
    pub(super) fn refuse(&mut self) -> EventError {
        self.close();
        self.is_blank = true;
        let reason = "the clock was set back, so that it holds greater numbers than the events of now have; start the \
                      service again";
        EventError::Open { path: self.path.clone(), reason: reason.to_owned() }
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
