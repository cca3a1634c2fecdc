//! The embedded database: what the gateway knows of its boards, what happened to them, and its jobs, over restarts.
//!
//! It is a memory, not the truth: everything is kept in memory, too, and goes on there while the disk is full or cannot
//! be written. What could not be written is written when the disk is better; of a board or a job only the newest record.
//! It knows nothing of what the records mean. One process uses a database at a time.
//!
//! Boards and changes are gathered and written at most once in a second, because memory cards wear out; a power cut
//! costs what came after the last checkpoint, never the rest. Jobs are on the disk when it is said that they are.

mod database;
mod pending;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opendcre_model::BoardId;
use thiserror::Error;

use crate::intake::LogMark;
use crate::job::{JobId, StoredJob};
use crate::sqlite::SetAside;
use crate::{BoardRecord, InventoryChange};
use writer::{Wanted, Writer};

/// Why the database cannot be used.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error(
        "cannot open the database {path}: {reason}; make its directory exist and writable for the service, and let no \
         other process use it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It cannot be written.
    #[error("cannot write to the database {path}: {reason}; check the space and health of its disk")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is not written any more, because the service ends.
    #[error("the database is closed; ask again when the service is back")]
    Closed,
}

/// What the database held when it was opened.
#[derive(Debug, Default)]
pub struct Stored {
    /// The boards, by id.
    pub boards: Vec<BoardRecord>,
    /// The changes that are still kept, oldest first.
    pub changes: Vec<InventoryChange>,
    /// The jobs, oldest first.
    pub jobs: Vec<StoredJob>,
    /// How far the event logs of servers have been read.
    pub(crate) log_marks: Vec<LogMark>,
}

/// The bounds of a database.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The most changes that are kept.
    changes: usize,
    /// The largest size in pages of 4096 bytes.
    pages: u32,
    /// For how long boards and changes are gathered.
    pause: Duration,
    /// How long a database that another process is about to close is waited for.
    patience: Duration,
    /// When a write that failed is tried again, if nothing else is written before.
    retry: Duration,
}

impl Default for Limits {
    /// The pages are 1 GiB: room for 10,000 boards of 100 sensors, several times.
    fn default() -> Self {
        Self {
            changes: 10_000,
            pages: 1 << 18,
            pause: Duration::from_secs(1),
            patience: Duration::from_secs(5),
            retry: Duration::from_secs(10),
        }
    }
}

/// An open database. Clones are the same database; the last one closes it and waits for what was given to it.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Arc<Writer>,
}

impl Store {
    /// Opens the database at `path`, and creates it if it does not exist; its directory must exist. One that is damaged
    /// or of a newer release is renamed, never removed, and a fresh one is begun. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Open`] if it cannot be read and written, or if another process uses it.
    pub fn open(path: impl AsRef<Path>) -> Result<(Self, Stored, Option<SetAside>), StoreError> {
        Self::open_with(path.as_ref(), Limits::default())
    }

    /// Opens a database for which the disk has so many pages.
    #[cfg(test)]
    pub(crate) fn on_a_small_disk(path: &Path, pages: u32) -> Result<Self, StoreError> {
        Self::open_with(path, Limits { pages, ..Limits::default() }).map(|(store, _, _)| store)
    }

    fn open_with(path: &Path, limits: Limits) -> Result<(Self, Stored, Option<SetAside>), StoreError> {
        let (database, stored, set_aside) = database::open(path, limits)?;
        let writer = Arc::new(Writer::start(database, path, limits)?);
        Ok((Self { writer }, stored, set_aside))
    }

    /// Whether what is given to it reaches the disk. Does no I/O.
    ///
    /// # Errors
    /// What is wrong, and what to do, in one sentence.
    pub fn health(&self) -> Result<(), String> {
        self.writer.failure().map_or(Ok(()), |failure| {
            Err(format!(
                "{failure}; until then, what changes is only remembered as long as the process lives"
            ))
        })
    }

    /// Keeps the newest records of `boards`. Never waits.
    pub(crate) fn save_boards(&self, boards: impl IntoIterator<Item = Arc<BoardRecord>>) {
        let records = boards.into_iter().map(|board| (board.id, Some(board)));
        self.writer.add(|pending| pending.boards.extend(records));
    }

    /// Keeps nothing of `boards` any more. Never waits.
    pub(crate) fn remove_boards(&self, boards: impl IntoIterator<Item = BoardId>) {
        let records = boards.into_iter().map(|board| (board, None));
        self.writer.add(|pending| pending.boards.extend(records));
    }

    /// Keeps `changes`, which are newer than those before. Never waits.
    pub(crate) fn append_changes(&self, changes: Vec<InventoryChange>) {
        self.writer.add(|pending| pending.append(changes));
    }

    /// Keeps how far an event log has been read. Never waits.
    pub(crate) fn save_log_mark(&self, mark: LogMark) {
        self.writer.add(|pending| {
            pending.log_marks.insert(mark.board, Some(mark));
        });
    }

    /// Keeps nothing of how far the event logs of `boards` have been read. Never waits.
    pub(crate) fn remove_log_marks(&self, boards: impl IntoIterator<Item = BoardId>) {
        self.writer.add(|pending| pending.log_marks.extend(boards.into_iter().map(|board| (board, None))));
    }

    /// Keeps the newest record of a job. Never waits.
    pub(crate) fn keep_job(&self, job: StoredJob) {
        self.writer.add(|pending| pending.set_job(job));
    }

    /// Keeps the newest record of a job, and returns when it is on the disk, whatever happens to the power then.
    ///
    /// # Errors
    /// Why it is not on the disk. It is still tried again, unless the job is removed.
    pub(crate) async fn save_job(&self, job: StoredJob) -> Result<(), StoreError> {
        self.writer.add_and_wait(|pending| pending.set_job(job), Wanted::Jobs).await
    }

    /// Keeps nothing of `jobs` any more. Never waits.
    pub(crate) fn remove_jobs(&self, jobs: impl IntoIterator<Item = JobId>) {
        let records = jobs.into_iter().map(|job| (job, None));
        self.writer.add(|pending| pending.jobs.extend(records));
    }

    /// Returns when everything that was given before is on the disk, whatever happens to the power then.
    ///
    /// # Errors
    /// Why it is not on the disk. It is still tried again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.writer.add_and_wait(|_| (), Wanted::Everything).await
    }
}
