//! The stream of events: what happened, in one order, kept over restarts.
//!
//! Nobody sees an event before it is on the disk, so that nobody who goes on after a restart has seen more than there is.
//! Order and resumption go by the number of an event, never by its time, which a clock that is set wrong may spoil; for
//! the same reason events grow old only while the service runs. Whoever publishes never waits: what does not fit is
//! counted, and told by an event. While the disk cannot be written, events go on in memory.
//!
//! It knows nothing of who listens. What makes events stands in one module for each family.

pub(crate) mod audit;
mod clock;
mod database;
pub(crate) mod health;
pub(crate) mod inventory;
mod keeper;
pub(crate) mod log_entry;
mod memory;
mod number;
mod page;
pub(crate) mod power;
mod record;
pub(crate) mod service;
pub(crate) mod source;
#[cfg(test)]
mod tests;
mod told;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opendcre_model::{DeviceAddress, Health, WallClock};
use thiserror::Error;
use tokio::sync::Semaphore;

use database::Reader;
use keeper::Keeper;
use memory::Memory;
use writer::{Limits, Writer};

pub use page::EventPage;
pub use record::{Event, EventKind, NewEvent, Severity};

use crate::SetAside;

/// How many events are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSettings {
    /// The most events. The oldest go first.
    pub most: u64,
    /// How old an event may become, counted while the service runs.
    pub age: Duration,
    /// The largest size of the file in bytes, at least 1 MiB. When three quarters are in use, the oldest events go.
    pub size: u64,
}

impl Default for EventSettings {
    /// A million events for 90 days, and 512 MiB.
    fn default() -> Self {
        Self { most: 1_000_000, age: Duration::from_secs(90 * 24 * 60 * 60), size: 512 << 20 }
    }
}

/// Why the event log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// The file cannot be opened.
    #[error(
        "cannot open the event log {path}: {reason}; make its directory exist and writable for the service, and let no \
         other process use it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file cannot be written.
    #[error("cannot write to the event log {path}: {reason}; check the space and health of its disk")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file cannot be read.
    #[error(
        "cannot read the event log {path}: {reason}; ask for newer events, and check the health of its disk"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It takes no events any more, because the service ends.
    #[error("the event log is closed; ask again when the service is back")]
    Closed,
}

/// What can be counted about an event log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventStatistics {
    /// The oldest event that can be read.
    pub oldest: Option<u64>,
    /// The newest event that can be read; zero before the first.
    pub latest: u64,
    /// How many events are on the disk, not counting rows that are damaged.
    pub saved: u64,
    /// How many events wait to be shown.
    pub waiting: usize,
    /// How many events are in memory alone.
    pub unsaved: usize,
    /// How many events were lost since the start, because they were too many at once: nobody has seen them.
    pub refused: u64,
    /// How many events were shown since the start and are lost now, because the disk could not be written for too long.
    pub lost: u64,
    /// How often since the start an event on the disk was found damaged, and left out.
    pub damaged: u64,
}

/// An open event log. Clones are the same log; the last one closes it and waits for what was given to it.
#[derive(Clone)]
pub struct EventLog {
    path: PathBuf,
    writer: Arc<Writer>,
    reader: Arc<Reader>,
    /// Who may read from the file.
    turn: Arc<Semaphore>,
}

/// An event, and for how long the service had run when it happened.
#[derive(Debug, Clone)]
struct Kept {
    event: Arc<Event>,
    lived: Duration,
}

impl EventLog {
    /// Opens the log at `path`, and creates it if it does not exist; its directory must exist. One that is damaged or of a
    /// newer release is renamed, never removed, and a fresh one is begun. One that cannot be read and written, or that
    /// another process uses, is tried again and again; until then, events are kept in memory, and [`EventLog::health`]
    /// tells why. Blocks on the disk.
    ///
    /// # Errors
    /// [`EventError::Open`] if the system has no thread for it.
    pub fn open(
        path: impl AsRef<Path>,
        settings: EventSettings,
        clock: Arc<dyn WallClock>,
    ) -> Result<(Self, Option<SetAside>), EventError> {
        Self::open_with(path.as_ref(), settings, clock, Limits::default())
    }

    fn open_with(
        path: &Path,
        settings: EventSettings,
        clock: Arc<dyn WallClock>,
        limits: Limits,
    ) -> Result<(Self, Option<SetAside>), EventError> {
        let mut keeper = Keeper::new(path, settings);
        let opened = keeper.open(limits.room.newest);
        // Those who listened to a log that is not there any more, or not yet, must not take its numbers for ours. It had less
        // than one event in a millisecond.
        let is_without = opened.as_ref().map_or(true, |(_, set_aside)| set_aside.is_some());
        let first = is_without.then(|| u64::try_from(clock.now().as_millisecond()).unwrap_or(1));
        let failure = opened.as_ref().err().cloned();
        let (loaded, set_aside) = opened.unwrap_or_default();
        let lived = loaded.newest.iter().map(|kept| kept.lived).max().unwrap_or_default();
        let memory = Memory::new(limits.room, loaded, first);
        let reader = keeper.reader();
        let failed =
            |error: std::io::Error| EventError::Open { path: path.to_owned(), reason: error.to_string() };
        let writer = Writer::start(keeper, memory, lived, clock, limits).map_err(failed)?;
        let turn = Arc::new(Semaphore::new(1));
        let log = Self { path: path.to_owned(), writer: Arc::new(writer), reader, turn };
        if let Some(failure) = failure {
            log.writer.fail(failure);
        }
        if let Some(set_aside) = set_aside.clone() {
            log.writer.note_set_aside(set_aside);
        }
        Ok((log, set_aside))
    }

    /// The health that was told last of every device that was not well then, over restarts. Blocks on the disk.
    ///
    /// # Errors
    /// [`EventError::Read`].
    pub(crate) fn unwell(&self) -> Result<Vec<(DeviceAddress, Health)>, EventError> {
        let failed = |reason| EventError::Read { path: self.path.clone(), reason };
        self.reader.unwell().map_err(failed)
    }

    /// Takes an event, which can be read a moment later. Never waits: if too many wait for the disk, it is not taken but
    /// counted, and an event of the kind [`EventKind::Loss`] tells how many were.
    pub fn publish(&self, event: NewEvent) {
        self.writer.publish(event);
    }

    /// Returns when every event that was published before is on the disk, whatever happens to the power then.
    ///
    /// # Errors
    /// Why they are not. It is still tried again.
    pub async fn flush(&self) -> Result<(), EventError> {
        self.writer.flush().await
    }

    /// Takes no events any more, and lets nobody wait for them. What was published before is still written.
    pub fn close(&self) {
        self.writer.close();
    }

    /// Returns when there is an event after the one with the number `cursor`, or the log is closed; [`EventPage::next`] is
    /// the number to wait with.
    pub async fn wait(&self, cursor: u64) {
        let mut horizon = self.writer.horizon();
        // An error means that the writer is gone.
        let _ = horizon.wait_for(|horizon| horizon.shown > cursor || horizon.is_closed).await;
    }

    /// The cursor to begin with for the newest `count` events. Does no I/O.
    #[must_use]
    pub fn back(&self, count: u64) -> u64 {
        self.writer.shared.lock().memory.back(count)
    }

    /// How many events there are to read after the one with the number `cursor`. Does no I/O.
    #[must_use]
    pub fn count_after(&self, cursor: u64) -> u64 {
        let memory = &self.writer.shared.lock().memory;
        let before_oldest = memory.oldest().map_or(memory.shown(), |oldest| oldest - 1);
        memory.given_between(memory.begin(cursor).max(before_oldest), memory.shown() + 1)
    }

    /// Whether no events are taken any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.writer.horizon().borrow().is_closed
    }

    /// Whether what is given to it reaches the disk. Does no I/O.
    ///
    /// # Errors
    /// What is wrong, and what to do, in one sentence.
    pub fn health(&self) -> Result<(), String> {
        self.look();
        let failure = self.writer.shared.lock().failure.clone();
        failure.map_or(Ok(()), |failure| {
            Err(format!("{failure}; until then, events are only kept as long as the process lives"))
        })
    }

    /// Looks whether the disk still answers. Otherwise events are shown that are not on it. To be called every second or so;
    /// does no I/O.
    pub(crate) fn look(&self) {
        self.writer.look();
    }

    /// What can be counted. Does no I/O.
    #[must_use]
    pub fn statistics(&self) -> EventStatistics {
        let state = self.writer.shared.lock();
        let memory = &state.memory;
        EventStatistics {
            oldest: memory.oldest(),
            latest: memory.shown(),
            saved: memory.saved_count(),
            waiting: memory.waiting(),
            unsaved: memory.unsaved_count(),
            refused: memory.lost().refused,
            lost: memory.lost().unsaved,
            damaged: state.damaged,
        }
    }

    /// The newest file that was set aside since the start, because it was no use any more. Does no I/O.
    #[must_use]
    pub(crate) fn set_aside(&self) -> Option<SetAside> {
        self.writer.shared.lock().set_aside.clone()
    }

    /// How many events of each kind and severity were taken since the start. Does no I/O.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(EventKind, Severity), u64> {
        self.writer.shared.lock().memory.taken().clone()
    }
}

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLog").field("path", &self.path).finish_non_exhaustive()
    }
}
