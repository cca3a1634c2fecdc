//! The audit log: an append-only file of JSON lines that survives a crash of the process and of the machine.
//!
//! It knows nothing about what a line says. A line counts as written only when the disk has it; a line that was
//! torn – by a crash, by a full disk – stays as it is, and the next one starts on a fresh line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use thiserror::Error;

/// Readable for the group, so that operators can be given access without being the service.
const FILE_MODE: u32 = 0o640;

/// Why the audit log cannot be used.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file cannot be opened.
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

/// An open audit log.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
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
            Ok(file) => Ok(Self { path, file: Arc::new(Mutex::new(file)) }),
            Err(reason) => Err(AuditError::Open { path, reason }),
        }
    }

    /// Adds one line and returns when it is on the disk. The line is written even if the caller stops waiting.
    pub(crate) async fn append(&self, line: &impl Serialize) -> Result<(), AuditError> {
        self.write(line).await.map_err(|reason| AuditError::Write { path: self.path.clone(), reason })
    }

    async fn write(&self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let file = Arc::clone(&self.file);
        let write = move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.append(&text)
        };
        tokio::task::spawn_blocking(write).await?
    }
}

impl LineFile {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path)?;
        let torn = ends_inside_a_line(&mut file)?;
        sync_directory(path)?;
        Ok(Self { file, torn })
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
fn sync_directory(path: &Path) -> io::Result<()> {
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
