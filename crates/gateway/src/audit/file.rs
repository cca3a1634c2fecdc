//! The file as it is read: by auditors through the service, and by the program offline, also while a service writes it.
//! Reading makes nothing beside the file, so that whoever may only read it cannot get in the way of the service.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::AuditError;
use super::chain::AuditHead;
use super::database::{self, failure};
use super::page::{self, AuditPage, AuditQuery};
use super::verify::{self, AuditVerdict};

/// How long a file that another process opens or closes is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a file is read again that a service began to write in the meantime.
const TRIES: usize = 3;

/// An audit log that is read.
#[derive(Debug, Clone)]
pub struct AuditFile {
    path: PathBuf,
}

impl AuditFile {
    /// The log at `path`. Nothing is opened yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A page of its entries. Blocks on the disk.
    ///
    /// # Errors
    /// [`AuditError::Read`], [`AuditError::Damaged`] or [`AuditError::TooNew`] if it cannot be read.
    pub fn page(&self, query: &AuditQuery) -> Result<AuditPage, AuditError> {
        self.read(|connection| {
            database::check_schema(&self.path, connection)?;
            page::read(connection, query).map_err(|error| self.unreadable(&error))
        })
    }

    /// Checks every entry, and that none of `heads`, which were noted before, is missing. Blocks on the disk.
    ///
    /// # Errors
    /// [`AuditError::Read`] or [`AuditError::TooNew`] if it cannot be read. What is wrong with it is no error.
    pub fn verify(&self, heads: &[AuditHead]) -> Result<AuditVerdict, AuditError> {
        let verdict = self.read(|connection| {
            let deviations = database::deviations(&self.path, connection)?;
            verify::verify(connection, deviations, heads).map_err(|error| self.unreadable(&error))
        });
        match verdict {
            Err(AuditError::Damaged { reason, .. }) => Ok(AuditVerdict::damaged(reason)),
            other => other,
        }
    }

    /// What is said when reading it has ended by a defect.
    pub(crate) fn unread(&self, failure: &tokio::task::JoinError) -> AuditError {
        AuditError::cannot_read(&self.path, failure)
    }

    fn read<T>(&self, read: impl Fn(&Connection) -> Result<T, AuditError>) -> Result<T, AuditError> {
        let mut result = Err(AuditError::cannot_read(&self.path, &"it is opened and closed again and again"));
        for _ in 0..TRIES {
            // With a log of writes beside it, somebody writes it or has not finished; without one, it is complete.
            let was_complete = !self.has_log_of_writes();
            result = self.open(was_complete).and_then(|connection| read(&connection));
            if !was_complete || !self.has_log_of_writes() {
                break;
            }
        }
        result
    }

    fn open(&self, is_complete: bool) -> Result<Connection, AuditError> {
        // SQLite says only that it cannot open it.
        std::fs::metadata(&self.path).map_err(|error| AuditError::cannot_read(&self.path, &error))?;
        let access = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let opened = if is_complete {
            let uri = PathBuf::from(uri(&self.path));
            database::connect(&uri, access | OpenFlags::SQLITE_OPEN_URI, PATIENCE)
        } else {
            database::connect(&self.path, access, PATIENCE)
        };
        opened.map_err(|error| self.unreadable(&error))
    }

    fn has_log_of_writes(&self) -> bool {
        let mut log = OsString::from(&self.path);
        log.push("-wal");
        Path::new(&log).exists()
    }

    fn unreadable(&self, error: &rusqlite::Error) -> AuditError {
        failure(&self.path, error, AuditError::cannot_read)
    }
}

/// The path as a URI that says that nobody writes the file (<https://www.sqlite.org/uri.html>).
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            // Writing to a text does not fail.
            _ => _ = write!(uri, "%{byte:02X}"),
        }
    }
    uri + "?immutable=1"
}
