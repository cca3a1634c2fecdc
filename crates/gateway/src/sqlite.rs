//! A SQLite file of this service: opened for one process, checked, brought to the newest schema, and set aside if it is
//! no use. It knows nothing of what the tables hold, nor of when they are written.
//!
//! A file that is set aside is renamed, together with its log of writes, and never removed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};

use crate::audit::sync_directory;

/// Only for the service: labels and addresses are nobody else's business.
const FILE_MODE: u32 = 0o600;

/// What the log of writes may keep of the disk after a burst, in bytes.
const JOURNAL_SIZE: u32 = 4 << 20;

/// What a connection may keep of its file in memory, in KiB: enough for what is written at once. SQLite takes four times as
/// much unless told otherwise, and there are half a dozen connections.
const CACHE_SIZE: i32 = 512;

/// How often it is tried to get a file that another process uses.
const CLAIM_PAUSE: Duration = Duration::from_millis(50);

/// How many databases may be set aside beside each other.
const MOST_SET_ASIDE: u32 = 1_000;

/// A database that cannot be used and made way for a fresh one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// The stable machine-readable code, which says whose database it is: `store_damaged`, `store_too_new`, …
    pub code: &'static str,
    /// One sentence for people: what is wrong with it, and what to do.
    pub message: String,
}

/// What a database must be like, and how it is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    /// The versions of the schema, and what makes each of the one before; the first one is made of an empty database.
    ///
    /// Columns should have no constraints: a check of the file takes a row that breaks one for damage of the whole file.
    pub(crate) migrations: &'static [(i64, &'static str)],
    /// The code of [`SetAside`] for one that is not in order.
    pub(crate) damaged: &'static str,
    /// The code of [`SetAside`] for one of a newer release.
    pub(crate) too_new: &'static str,
    /// The largest size in pages of 4096 bytes.
    pub(crate) pages: u32,
    /// How long a database that another process is about to close is waited for.
    pub(crate) patience: Duration,
    /// What of it is looked at before it is used.
    pub(crate) check: Check,
    /// Who else may use it.
    pub(crate) sharing: Sharing,
    /// Whether pages that are not used any more can be given back to the disk, by `PRAGMA incremental_vacuum`.
    pub(crate) can_shrink: bool,
}

/// What of a database is looked at before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Every page. The time that it takes grows with the file.
    Everything,
    /// The header and the schema.
    Schema,
}

/// Who may use a database besides the connection that opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Nobody. No shared memory is needed beside the file.
    Nobody,
    /// Connections of this process that only read, see [`Database::reader`].
    Readers,
}

/// Whether what is committed survives a power cut.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Durability {
    /// It does.
    Certain,
    /// It does after the next checkpoint.
    Likely,
}

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    path: PathBuf,
    /// Keeps other processes out while there are readers. Closed last: closing any handle of a file gives up the locks
    /// that SQLite holds on it.
    _claim: Option<File>,
}

/// Why a database cannot be opened.
#[derive(Debug)]
enum OpenFailure {
    /// The file, its disk or another process does not let us; the file may be in order.
    Inaccessible(String),
    /// The file is no use to us.
    Unfit(Unfit),
}

/// Why a file is no use to us.
#[derive(Debug)]
enum Unfit {
    /// It is not in order.
    Damaged(String),
    /// A newer release made it, with this version of the schema.
    TooNew(i64),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) { damaged(error.to_string()) } else { Self::Inaccessible(error.to_string()) }
    }
}

fn damaged(reason: impl Into<String>) -> OpenFailure {
    OpenFailure::Unfit(Unfit::Damaged(reason.into()))
}

/// Whether an error means that the file is not in order.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    // `Unknown` is an error in a statement, none a value of another type; ours are right, so the file is not.
    let code = error.sqlite_error_code();
    matches!(code, None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown))
}

/// Opens the database at `path` and lets `load` read what it holds, or sets it aside and opens a fresh one. Its
/// directory must exist.
///
/// # Errors
/// Why it cannot be read and written, in words; the file may be in order.
pub(crate) fn open<T>(
    path: &Path,
    format: Format,
    load: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<(Database, T, Option<SetAside>), String> {
    let unfit = match Database::open(path, format, &load) {
        Ok((database, loaded)) => return Ok((database, loaded, None)),
        Err(OpenFailure::Inaccessible(reason)) => return Err(reason),
        Err(OpenFailure::Unfit(unfit)) => unfit,
    };
    let set_aside = set_aside(path, format, unfit)?;
    match Database::open(path, format, &load) {
        Ok((database, loaded)) => Ok((database, loaded, Some(set_aside))),
        Err(OpenFailure::Inaccessible(reason)) => Err(reason),
        Err(OpenFailure::Unfit(_)) => Err("another process is making it".to_owned()),
    }
}

impl Database {
    fn open<T>(
        path: &Path,
        format: Format,
        load: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<(Self, T), OpenFailure> {
        let inaccessible = |error: io::Error| OpenFailure::Inaccessible(error.to_string());
        let file = create(path).map_err(inaccessible)?;
        let claim = match format.sharing {
            // Before SQLite locks the file: closing any handle of it would give up those locks.
            Sharing::Nobody => {
                drop(file);
                None
            }
            Sharing::Readers => Some(claim(file, format.patience)?),
        };
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, format.patience)?;
        if format.sharing == Sharing::Nobody {
            // Before the first access: then no second process can use the file, and no shared memory is needed.
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        }
        // One that is set aside stays as it is, together with its log of writes.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mut database = Self { connection, path: path.to_owned(), _claim: claim };
        let version = database.version(format)?;
        database.check(version, format)?;
        database.prepare(version, format)?;
        let loaded = load(&database.connection)?;
        database.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        Ok((database, loaded))
    }

    /// The version of its schema; 0 if it is empty.
    fn version(&self, format: Format) -> Result<i64, OpenFailure> {
        let version = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let newest = format.migrations.last().map_or(0, |(version, _)| *version);
        if (0..=newest).contains(&version) {
            Ok(version)
        } else {
            Err(OpenFailure::Unfit(Unfit::TooNew(version)))
        }
    }

    /// Looks for damage of the file, and of its tables, which are those of `version`.
    fn check(&self, version: i64, format: Format) -> Result<(), OpenFailure> {
        if format.check == Check::Everything {
            let found: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(damaged(found));
            }
        }
        // The file itself may be written, which was tried before.
        if self.connection.is_readonly(MAIN_DB)? {
            return Err(damaged("its header says that it must not be written"));
        }
        let model = Connection::open_in_memory()?;
        for (_, migration) in format.migrations.iter().filter(|(older, _)| *older <= version) {
            model.execute_batch(migration)?;
        }
        if schema(&self.connection)? == schema(&model)? {
            Ok(())
        } else {
            Err(damaged("its tables are not those of this service"))
        }
    }

    /// Brings its schema from `version` to the newest, and sets how it is written.
    fn prepare(&mut self, version: i64, format: Format) -> rusqlite::Result<()> {
        if format.can_shrink {
            // Counts only before the first table is made, and before the log of writes is.
            self.connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE)?;
        self.connection.pragma_update(None, "max_page_count", format.pages)?;
        for (newer, migration) in format.migrations.iter().filter(|(newer, _)| *newer > version) {
            self.commit(Durability::Certain, |transaction| {
                transaction.execute_batch(migration)?;
                transaction.pragma_update(None, "user_version", newer)
            })?;
        }
        Ok(())
    }

    /// For what needs no transaction.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A connection that only reads, beside this one. The database must be opened for [`Sharing::Readers`], and must be
    /// closed after its readers.
    pub(crate) fn reader(&self, patience: Duration) -> rusqlite::Result<Connection> {
        connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY, patience)
    }

    /// Writes all of it or nothing.
    pub(crate) fn commit<T>(
        &mut self,
        durability: Durability,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.pragma_update(None, "synchronous", durability.pragma())?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = write(&transaction)?;
        transaction.commit()?;
        Ok(written)
    }

    /// Sets it aside as it is, together with its log of writes, because it was found damaged while it was used.
    ///
    /// # Errors
    /// Why it is still where it was, in words.
    pub(crate) fn set_aside(self, format: Format, reason: &str) -> Result<SetAside, String> {
        let configured = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        configured.map_err(|error| error.to_string())?;
        let path = self.path.clone();
        drop(self);
        set_aside(&path, format, Unfit::Damaged(reason.to_owned()))
    }

    /// Brings everything that was written to the disk, for certain.
    pub(crate) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Certain => "FULL",
            Self::Likely => "NORMAL",
        }
    }
}

fn connect(path: &Path, access: OpenFlags, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(patience)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Negative: in KiB, not in pages.
    connection.pragma_update(None, "cache_size", -CACHE_SIZE)?;
    Ok(connection)
}

/// The tables of a database, as they were made.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT concat_ws(' ', type, name, sql) FROM sqlite_schema ORDER BY 1")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// What tells a record from a damaged one: a hash of its number and its bytes.
pub(crate) fn checksum(number: i64, bytes: &[u8]) -> i64 {
    fnv1a(number.to_be_bytes().iter().chain(bytes)).cast_signed()
}

/// FNV-1a in 64 bits (draft-eastlake-fnv §2). It notices every change of a single byte.
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Makes sure that the file exists, for the service alone, and opens it.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).mode(FILE_MODE).open(path) {
        Ok(file) => sync_directory(path).map(|()| file),
        // One that cannot be written is no use.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

/// Keeps others that ask like this from using the file as long as the handle lives; whoever uses it now is waited for.
fn claim(file: File, patience: Duration) -> Result<File, OpenFailure> {
    let inaccessible = |reason: String| Err(OpenFailure::Inaccessible(reason));
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return inaccessible(error.to_string()),
            Err(TryLockError::WouldBlock) if waited >= patience => {
                return inaccessible("database is locked by another process".to_owned());
            }
            Err(TryLockError::WouldBlock) => {
                thread::sleep(CLAIM_PAUSE);
                waited += CLAIM_PAUSE;
            }
        }
    }
}

/// Renames a database, together with what belongs to it, to the first name that is free, and says so in the log.
fn set_aside(path: &Path, format: Format, unfit: Unfit) -> Result<SetAside, String> {
    let aside = rename(path).map_err(|error| format!("cannot set it aside: {error}"))?;
    let (code, reason, advice) = match unfit {
        Unfit::Damaged(reason) => (format.damaged, reason, "check the health of the disk"),
        Unfit::TooNew(version) => (
            format.too_new,
            format!("a newer release made it, with version {version} of its schema"),
            "install that release and rename it back to have it again",
        ),
    };
    let message = format!(
        "the database {} cannot be used: {reason}; it is kept as {}, and a fresh one was begun; {advice}",
        path.display(),
        aside.display()
    );
    tracing::error!("{message}");
    Ok(SetAside { path: aside, code, message })
}

fn rename(path: &Path) -> io::Result<PathBuf> {
    let free = (1..=MOST_SET_ASIDE).map(|number| with_suffix(path, &format!(".set-aside-{number}")));
    let Some(aside) = free.into_iter().find(|aside| !aside.exists()) else {
        return Err(io::Error::other("too many were set aside before; remove some"));
    };
    fs::rename(path, &aside)?;
    for suffix in ["-wal", "-journal"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory(path)?;
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b"".iter()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a".iter()), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar".iter()), 0x8594_4171_f739_67e8);
    }
}
