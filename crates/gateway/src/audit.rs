//! The audit log: who did what, kept so that nobody can change it unnoticed.
//!
//! Entries are rows of a SQLite database of their own, chained by hashes, and on the disk when it is said that they are.
//! Nothing is ever changed or removed. A file that is damaged or cannot be written is neither replaced nor repaired:
//! nothing is added to it, and so nothing is done that would have to be, until somebody has looked after it.
//!
//! To put a log away, move the file with its `-wal` and `-shm`, if they are there, to another place. No signal is needed:
//! before every write it is made sure that the open file still has its name, and a missing one is begun anew, with the
//! end of the one before in its first entry.

mod chain;
mod database;
mod entry;
mod file;
mod keeper;
mod page;
mod tally;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::fmt::{self, Display};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use opendcre_model::WallClock;
use thiserror::Error;

pub use chain::{AuditHash, AuditHead, AuditHeadError};
pub use entry::{AuditEntry, AuditKind, AuditTarget, AuditWho};
pub use file::AuditFile;
pub use page::{AuditFilter, AuditOrder, AuditPage, AuditQuery, AuditRecord};
pub use verify::{AuditFinding, AuditVerdict};

use keeper::{Keeper, Limits};
use writer::Writer;

/// Why the audit log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuditError {
    /// The file cannot be opened.
    #[error(
        "cannot open the audit log {path}: {reason}; make it and its directory exist and writable for the service"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// An entry cannot be brought to the disk.
    #[error("cannot write to the audit log {path}: {reason}; check the space and health of its disk")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file cannot be read.
    #[error("cannot read the audit log {path}: {reason}; name a file that exists and may be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is not as it was left.
    #[error(
        "the audit log {path} is not in order: {reason}; nothing is added to it: look into it with `opendcre audit \
         verify`, then move it away together with its -wal and -shm files, so that a new one is begun"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer release made the file.
    #[error(
        "the audit log {path} was made by a newer release, with version {version} of its schema; install that release, \
         or move the file away together with its -wal and -shm files, so that a new one is begun"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        version: i64,
    },
    /// More is to be written than the disk takes.
    #[error(
        "too many entries wait for the disk of the audit log; ask again later, and check the speed of its disk"
    )]
    Overloaded,
    /// It is not written any more, because the service ends.
    #[error("the audit log is closed; ask again when the service is back")]
    Closed,
}

impl AuditError {
    fn cannot_open(path: &Path, reason: &dyn Display) -> Self {
        Self::Open { path: path.to_owned(), reason: reason.to_string() }
    }

    fn cannot_write(path: &Path, reason: &dyn Display) -> Self {
        Self::Write { path: path.to_owned(), reason: reason.to_string() }
    }

    fn cannot_read(path: &Path, reason: &dyn Display) -> Self {
        Self::Read { path: path.to_owned(), reason: reason.to_string() }
    }

    fn damaged(path: &Path, reason: String) -> Self {
        Self::Damaged { path: path.to_owned(), reason }
    }
}

/// An audit log that is written. Clones are the same log; the last one closes it and waits for what was given to it.
#[derive(Clone)]
pub struct AuditLog {
    writer: Arc<Writer>,
}

impl AuditLog {
    /// Opens the log at `path`, and begins it if there is none; its directory must exist. `clock` tells when something
    /// was noticed that nobody reported. Blocks on the disk.
    ///
    /// A log that cannot be written is tried again, now and then and before every entry; see [`AuditLog::health`].
    ///
    /// # Errors
    /// [`AuditError::Open`] if the system has no thread for it.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn WallClock>) -> Result<Self, AuditError> {
        Self::open_with(path.as_ref(), clock, Limits::default())
    }

    /// Opens the log of a user: as [`AuditLog::open`], but one that is begun is for this user alone.
    ///
    /// # Errors
    /// As [`AuditLog::open`].
    pub fn open_private(path: impl AsRef<Path>, clock: Arc<dyn WallClock>) -> Result<Self, AuditError> {
        let limits = Limits { database: database::Limits::private(), ..Limits::default() };
        Self::open_with(path.as_ref(), clock, limits)
    }

    fn open_with(path: &Path, clock: Arc<dyn WallClock>, limits: Limits) -> Result<Self, AuditError> {
        let keeper = Keeper::open(path, Arc::clone(&clock), limits);
        Ok(Self { writer: Arc::new(Writer::start(keeper, clock, limits)?) })
    }

    /// Adds an entry and returns when it is on the disk. It is written even if the caller stops waiting.
    ///
    /// # Errors
    /// Why it is not on the disk. It will not be written later.
    pub async fn append(&self, entry: &AuditEntry) -> Result<(), AuditError> {
        self.writer.append(entry).await
    }

    /// Records that somebody was refused, without letting them wait or fill the disk: what the same person is refused from
    /// the same address, with the same action, target and code, becomes one entry with its number within a minute, which
    /// is written when the minute is over.
    ///
    /// A minute has at most 256 different ones of people who have proved who they are, 64 of them of one person; and 64
    /// of those who have not, 16 of them from one address or IPv6 network of 64 bits. What exceeds that is counted in one
    /// entry for each person or address; of as many persons and addresses at most, and in one for all others.
    pub fn note_refused(&self, entry: AuditEntry) {
        self.writer.note(entry);
    }

    /// Lets `listener` know of refusals, a minute's at a time, when they are written.
    pub(crate) fn tell(&self, listener: impl Fn(&AuditEntry) + Send + Sync + 'static) {
        self.writer.tell(Box::new(listener));
    }

    /// Whether what is given to it reaches the disk. Does no I/O.
    ///
    /// # Errors
    /// What is wrong.
    pub fn health(&self) -> Result<(), AuditError> {
        self.writer.health()
    }

    /// The file, to read it.
    #[must_use]
    pub fn file(&self) -> AuditFile {
        AuditFile::new(self.writer.path())
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("path", &self.writer.path()).finish_non_exhaustive()
    }
}

/// Brings the name of a new file to the disk; without it, a power cut could take the file with all that is in it.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
