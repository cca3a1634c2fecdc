//! The audit log: an append-only file of JSON lines that survives a crash of the process and of the machine.
//!
//! It knows nothing about what a line says. A line counts as written only when the disk has it; a line that was
//! torn – by a crash, by a full disk – stays as it is, and the next one starts on a fresh line.
//!
//! To rotate it, rename the file (logrotate without `copytruncate`, which could lose lines); no signal is needed,
//! because before every line it is made sure that the open file still has the name, and a missing one is created
//! anew. The two lines of one change may end up in two files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use thiserror::Error;

/// Readable for the group, so that operators can be given access without being the service.
const FILE_MODE: u32 = 0o640;

/// Why the audit log cannot be used.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file cannot be opened, or not opened again after it was renamed or removed.
    #[error(
        "cannot open the audit log {path}: {reason}; make its directory exist and writable for the service"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A line cannot be brought to the disk.
    #[error("cannot write to the audit log {path}: {reason}; check the space and health of its disk")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}

/// An open audit log. Clones are the same log.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: Arc<Path>,
    file: Arc<Mutex<LineFile>>,
}

/// A file to which only whole lines are added.
#[derive(Debug)]
struct LineFile {
    file: File,
    /// The last line has no end yet.
    torn: bool,
}

impl AuditLog {
    /// Opens `path`, and creates it if it does not exist; its directory must exist. Blocks on the disk.
    ///
    /// # Errors
    /// [`AuditError::Open`] if the file cannot be opened for reading and appending.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, AuditError> {
        let path = path.into();
        match LineFile::open(&path) {
            Ok(file) => Ok(Self { path: path.into(), file: Arc::new(Mutex::new(file)) }),
            Err(reason) => Err(AuditError::Open { path, reason }),
        }
    }

    /// Adds one line and returns when it is on the disk. The line is written even if the caller stops waiting.
    pub(crate) async fn append(&self, line: &impl Serialize) -> Result<(), AuditError> {
        let mut text = serde_json::to_vec(line).map_err(|error| self.unwritten(error.into()))?;
        text.push(b'\n');
        let log = self.clone();
        let write = tokio::task::spawn_blocking(move || log.append_blocking(&text));
        write.await.unwrap_or_else(|failure| Err(self.unwritten(failure.into())))
    }

    fn append_blocking(&self, line: &[u8]) -> Result<(), AuditError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if !file.is_at(&self.path) {
            *file = LineFile::open(&self.path).map_err(|reason| self.unopened(reason))?;
            tracing::info!(path = %self.path.display(), "the audit log was moved away; it goes on in a new file");
        }
        file.append(line).map_err(|reason| self.unwritten(reason))
    }

    fn unopened(&self, reason: io::Error) -> AuditError {
        AuditError::Open { path: self.path.to_path_buf(), reason }
    }

    fn unwritten(&self, reason: io::Error) -> AuditError {
        AuditError::Write { path: self.path.to_path_buf(), reason }
    }
}

impl LineFile {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path)?;
        let torn = ends_inside_a_line(&mut file)?;
        sync_directory(path)?;
        Ok(Self { file, torn })
    }

    /// Whether `path` still names this file. While the file is open, its number is not given to another one.
    fn is_at(&self, path: &Path) -> bool {
        match (self.file.metadata(), std::fs::metadata(path)) {
            (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
            // Opening it again will tell what is wrong, if anything is.
            _ => false,
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
        }
        // Whatever fails from here on leaves an unknown part of the line behind.
        self.torn = true;
        self.file.write_all(line)?;
        self.torn = false;
        self.file.sync_data()
    }
}

/// Brings the name of a new file to the disk; without it, a power cut could take the file with all its lines.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Looks at the last byte of a regular file. Devices have no length and no last line.
fn ends_inside_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_follow_lines_across_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        AuditLog::open(&path).unwrap().append(&1).await.unwrap();
        let log = AuditLog::open(&path).unwrap();
        log.append(&"two\nlines").await.unwrap();
        log.append(&3).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n\"two\\nlines\"\n3\n");
    }

    #[tokio::test]
    async fn a_torn_line_is_left_alone_and_the_next_starts_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "1\n{\"event\":\"int").unwrap();
        let log = AuditLog::open(&path).unwrap();
        log.append(&2).await.unwrap();
        log.append(&3).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "1\n{\"event\":\"int\n2\n3\n");
    }

    #[tokio::test]
    async fn a_full_disk_is_reported_and_names_the_file() {
        let error = AuditLog::open("/dev/full").unwrap().append(&1).await.unwrap_err();
        assert!(matches!(error, AuditError::Write { .. }));
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }

    #[tokio::test]
    async fn a_removed_file_is_replaced_before_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path).unwrap();
        log.append(&1).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        log.append(&2).await.unwrap();
        log.append(&3).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "2\n3\n");
    }

    #[tokio::test]
    async fn a_renamed_file_keeps_its_lines_and_the_next_go_to_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let rotated = folder.path().join("audit.jsonl.1");
        let log = AuditLog::open(&path).unwrap();
        log.append(&1).await.unwrap();
        std::fs::rename(&path, &rotated).unwrap();
        log.append(&2).await.unwrap();
        // Another file of the same name, which ends inside a line, is continued like one found at the start.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "torn").unwrap();
        log.append(&3).await.unwrap();
        assert_eq!(std::fs::read_to_string(&rotated).unwrap(), "1\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "torn\n3\n");
    }

    #[tokio::test]
    async fn a_removed_directory_is_an_error_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("log");
        let path = directory.join("audit.jsonl");
        std::fs::create_dir(&directory).unwrap();
        let log = AuditLog::open(&path).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let error = log.append(&1).await.unwrap_err();
        assert!(matches!(error, AuditError::Open { .. }), "{error}");
        std::fs::create_dir(&directory).unwrap();
        log.append(&2).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "2\n");
    }

    #[test]
    fn a_device_stays_where_it_is() {
        let path = Path::new("/dev/null");
        assert!(LineFile::open(path).unwrap().is_at(path));
    }

    #[test]
    fn after_a_failed_write_the_next_line_starts_fresh() {
        let mut full = LineFile::open(Path::new("/dev/full")).unwrap();
        assert!(!full.torn);
        full.append(b"1\n").unwrap_err();
        assert!(full.torn);
    }

    #[test]
    fn a_missing_directory_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("audit.jsonl");
        let error = AuditLog::open(&path).unwrap_err();
        assert!(error.to_string().contains("missing/audit.jsonl"), "{error}");
    }
}
