//! The beginning of a file: it is made beside its place and put there when it is complete. So a file that is there is
//! never taken for one that is only begun, and an empty one is damage.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{OpenFlags, TransactionBehavior};

use super::super::AuditError;
use super::super::chain::AuditHead;
use super::{Limits, SCHEMA, VERSION, connect, failure, insert, set_up};
use crate::audit::sync_directory;

/// Makes the file with its tables and its first entry, unless there is one. Tells whether it did.
pub(super) fn begin(path: &Path, limits: Limits, first: &str) -> Result<bool, AuditError> {
    let failed = |error: io::Error| AuditError::cannot_open(path, &error);
    if path.try_exists().map_err(failed)? {
        return Ok(false);
    }
    let draft = draft_of(path);
    let put = make(&draft, limits, first).and_then(|()| put_in_place(&draft, path).map_err(failed));
    // One that another process has put there in the meantime is as good.
    let removed = fs::remove_file(&draft).and_then(|()| sync_directory(path)).map_err(failed);
    let is_new = put?;
    removed.map(|()| is_new)
}

/// A name beside `path` that nobody else uses.
fn draft_of(path: &Path) -> PathBuf {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let mut draft = OsString::from(path);
    draft.push(format!(".new-{}-{number}", std::process::id()));
    draft.into()
}

fn make(draft: &Path, limits: Limits, first: &str) -> Result<(), AuditError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(limits.mode).open(draft);
    made.map_err(|error| AuditError::cannot_open(draft, &error))?;
    write(draft, limits, first).map_err(|error| failure(draft, &error, AuditError::cannot_open))
}

fn write(draft: &Path, limits: Limits, first: &str) -> rusqlite::Result<()> {
    let mut connection = connect(draft, OpenFlags::SQLITE_OPEN_READ_WRITE, limits.patience)?;
    set_up(&connection, limits)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    insert(&transaction, AuditHead::NONE, first)?;
    transaction.commit()?;
    // Also brings everything into the file itself.
    connection.close().map_err(|(_, error)| error)
}

/// Gives the draft its name, unless there is a file of this name. Tells whether there was none.
fn put_in_place(draft: &Path, path: &Path) -> io::Result<bool> {
    match fs::hard_link(draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
