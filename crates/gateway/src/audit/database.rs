//! The file as it is written: a SQLite database to which entries are only added, each in the same transaction as the
//! note which one is the newest. It knows nothing of who waits for them.
//!
//! Several processes may add to one file: what an entry follows is read after the file is locked for writing.

mod begin;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opendcre_model::excerpt;
use rusqlite::{
    Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension, Transaction, TransactionBehavior,
};

use super::AuditError;
use super::chain::{AuditHash, AuditHead};

/// The version of the schema.
const VERSION: i64 = 1;

/// What the log of writes may keep of the disk after a burst, in bytes.
const JOURNAL_SIZE: u32 = 4 << 20;

/// How many of the newest entries are checked when a file is opened.
const TAIL: u64 = 1_000;

/// How many differences to the schema are named.
const MOST_DEVIATIONS: usize = 16;

/// The tables. The triggers are a second line: whoever may write the file may remove them, which the check of the
/// schema finds.
const SCHEMA: &str = "
    CREATE TABLE entry (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
    CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
    INSERT INTO head VALUES (1, 0, zeroblob(32));
    CREATE TRIGGER entry_insert BEFORE INSERT ON entry
        WHEN NEW.sequence IS NOT (SELECT sequence + 1 FROM head)
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER entry_update BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER entry_delete BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER head_insert BEFORE INSERT ON head
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER head_update BEFORE UPDATE ON head
        WHEN NEW.sequence IS NOT OLD.sequence + 1
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER head_delete BEFORE DELETE ON head
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;";

/// The bounds of a database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How long a file that another process writes is waited for.
    pub(super) patience: Duration,
    /// The largest size in pages of 4096 bytes, if it is not the disk that decides.
    pub(super) pages: Option<u32>,
    /// Who may do what with a file that is begun.
    pub(super) mode: u32,
}

impl Limits {
    /// Of a file for this user alone.
    pub(super) fn private() -> Self {
        Self { mode: 0o600, ..Self::default() }
    }
}

impl Default for Limits {
    /// The group may read it, so that auditors can be given access without being the service.
    fn default() -> Self {
        Self { patience: Duration::from_secs(5), pages: None, mode: 0o640 }
    }
}

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    /// The device and the number of the file, which tell whether the path still names it.
    file: (u64, u64),
    /// The newest entry that was seen in it.
    head: AuditHead,
    /// It was begun when it was opened.
    is_new: bool,
}

impl Database {
    /// Opens the database at `path`, and begins it with `first` if there is none; its directory must exist.
    pub(super) fn open(path: &Path, limits: Limits, first: &str) -> Result<Self, AuditError> {
        let failed = |error: rusqlite::Error| failure(path, &error, AuditError::cannot_open);
        let is_new = begin::begin(path, limits, first)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, limits.patience).map_err(failed)?;
        let file = identity(path).map_err(|error| AuditError::cannot_open(path, &error))?;
        check_schema(path, &connection)?;
        if connection.is_readonly(MAIN_DB).map_err(failed)? {
            return Err(AuditError::cannot_open(path, &"it must not be written"));
        }
        set_up(&connection, limits).map_err(failed)?;
        let mut database = Self { connection, path: path.to_owned(), file, head: AuditHead::NONE, is_new };
        database.head = database.check_tail()?;
        Ok(database)
    }

    /// The newest entry, if the last entries form a chain up to the one that is noted as the newest.
    fn check_tail(&self) -> Result<AuditHead, AuditError> {
        let failed = |error: rusqlite::Error| failure(&self.path, &error, AuditError::cannot_open);
        // One transaction, so that entries of other processes do not come in between.
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        let noted = noted_head(&transaction).map_err(failed)?;
        let mut statement = transaction
            .prepare("SELECT sequence, text, hash FROM entry WHERE sequence >= ?1 ORDER BY sequence")
            .map_err(failed)?;
        let first = noted.sequence.saturating_sub(TAIL).max(1);
        let mut rows = statement.query([first.cast_signed()]).map_err(failed)?;
        let mut before = (first == 1).then_some(AuditHead::NONE);
        while let Some(row) = rows.next().map_err(failed)? {
            let head = Stored::read(row).map_err(failed)?;
            let is_next = before.is_none_or(|before| before.with(head.text) == head.head);
            if !is_next {
                let sequence = head.head.sequence;
                return Err(self.damaged(format!("entry {sequence} does not follow the one before it")));
            }
            before = Some(head.head);
        }
        if before == Some(noted) { Ok(noted) } else { Err(self.damaged(cut_off(noted))) }
    }

    /// Brings entries with these texts to the disk, all of them or none, and tells which one is the newest then.
    pub(super) fn append(&mut self, texts: &[&str]) -> Result<AuditHead, AuditError> {
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| failure(&path, &error, AuditError::cannot_write);
        let known = self.head;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let noted = noted_head(&transaction).map_err(failed)?;
        let last = last_head(&transaction).map_err(failed)?;
        let known_now = hash_at(&transaction, known.sequence).map_err(failed)?;
        if last != Some(noted) || known_now != Some(known.hash) {
            return Err(AuditError::damaged(&path, cut_off(noted.max_with(known))));
        }
        let head =
            texts.iter().try_fold(noted, |head, text| insert(&transaction, head, text)).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        self.head = head;
        Ok(head)
    }

    /// The newest entry that was seen in it.
    pub(super) const fn head(&self) -> AuditHead {
        self.head
    }

    /// Makes sure that it is a new one, or one that holds this entry.
    pub(super) fn must_continue(&self, before: AuditHead) -> Result<(), AuditError> {
        let failed = |error: rusqlite::Error| failure(&self.path, &error, AuditError::cannot_open);
        if self.is_new || hash_at(&self.connection, before.sequence).map_err(failed)? == Some(before.hash) {
            return Ok(());
        }
        Err(self.damaged(format!("entry {before} was written before, and is not in it")))
    }

    /// Whether the path still names this file. While the file is open, its number is not given to another one.
    pub(super) fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|named| named == self.file)
    }

    /// Brings everything from the log of writes into the file itself, and closes it: for a file that was moved, which
    /// its log of writes does not follow.
    pub(super) fn complete(self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn damaged(&self, reason: String) -> AuditError {
        AuditError::damaged(&self.path, reason)
    }
}

impl AuditHead {
    const fn max_with(self, other: Self) -> Self {
        if self.sequence < other.sequence { other } else { self }
    }
}

/// A row of the table of entries.
pub(super) struct Stored<'a> {
    pub(super) head: AuditHead,
    pub(super) text: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Reads the columns `sequence, text, hash`.
    pub(super) fn read(row: &'a rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { head: AuditHead { sequence: sequence(row, 0)?, hash: hash(row, 2)? }, text: text(row, 1)? })
    }
}

fn text<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_bytes()?)
}

fn sequence(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column)?.try_into().map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, -1))
}

fn hash(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<AuditHash> {
    let bytes = row.get_ref(column)?.as_blob()?;
    AuditHash::of_bytes(bytes).ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(column, "hash".to_owned(), rusqlite::types::Type::Blob)
    })
}

/// The head that is noted beside the entries.
pub(super) fn noted_head(connection: &Connection) -> rusqlite::Result<AuditHead> {
    connection.query_row("SELECT sequence, hash FROM head", [], read_head)
}

/// The head as the entries say it; nothing if there are none.
pub(super) fn last_head(connection: &Connection) -> rusqlite::Result<Option<AuditHead>> {
    let query = "SELECT sequence, hash FROM entry ORDER BY sequence DESC LIMIT 1";
    connection.query_row(query, [], read_head).optional()
}

fn read_head(row: &rusqlite::Row<'_>) -> rusqlite::Result<AuditHead> {
    Ok(AuditHead { sequence: sequence(row, 0)?, hash: hash(row, 1)? })
}

/// The hash of an entry, if there is one with this number.
pub(super) fn hash_at(connection: &Connection, sequence: u64) -> rusqlite::Result<Option<AuditHash>> {
    let mut statement = connection.prepare_cached("SELECT hash FROM entry WHERE sequence = ?1")?;
    statement.query_row([sequence.cast_signed()], |row| hash(row, 0)).optional()
}

fn insert(transaction: &Transaction<'_>, before: AuditHead, text: &str) -> rusqlite::Result<AuditHead> {
    let head = before.with(text.as_bytes());
    let (sequence, hash) = (head.sequence.cast_signed(), head.hash.as_bytes());
    transaction
        .prepare_cached("INSERT INTO entry (sequence, text, hash) VALUES (?1, ?2, ?3)")?
        .execute((sequence, text, hash))?;
    transaction.prepare_cached("UPDATE head SET sequence = ?1, hash = ?2")?.execute((sequence, hash))?;
    Ok(head)
}

/// How it is written: what is committed is on the disk, and readers keep nobody from writing.
fn set_up(connection: &Connection, limits: Limits) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE)?;
    limits.pages.map_or(Ok(()), |pages| connection.pragma_update(None, "max_page_count", pages))
}

/// Opens a connection that trusts nothing in the file.
pub(super) fn connect(path: &Path, access: OpenFlags, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(patience)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether its tables and triggers are those of this release.
pub(super) fn check_schema(path: &Path, connection: &Connection) -> Result<(), AuditError> {
    match deviations(path, connection)?.as_slice() {
        [] => Ok(()),
        deviations => {
            let reason = format!("it is not built like an audit log: {}", deviations.join(", "));
            Err(AuditError::damaged(path, reason))
        }
    }
}

/// What beside the tables is not as this release makes it, in which the entries can be read all the same.
///
/// # Errors
/// [`AuditError::TooNew`], and [`AuditError::Damaged`] if its tables are others.
pub(super) fn deviations(path: &Path, connection: &Connection) -> Result<Vec<String>, AuditError> {
    let failed = |error: rusqlite::Error| failure(path, &error, AuditError::cannot_open);
    let version = version(connection).map_err(failed)?;
    if version > VERSION {
        return Err(AuditError::TooNew { path: path.to_owned(), version });
    }
    let model = Connection::open_in_memory().map_err(failed)?;
    model.execute_batch(SCHEMA).map_err(failed)?;
    let (wanted, found) = (schema(&model).map_err(failed)?, schema(connection).map_err(failed)?);
    let is_table_missing = wanted.iter().any(|part| part.kind == "table" && !found.contains(part));
    if version != VERSION || is_table_missing {
        return Err(AuditError::damaged(path, "its tables are not those of an audit log".to_owned()));
    }
    let missing = wanted.iter().filter(|part| !found.contains(part));
    let missing = missing.map(|Part { kind, name, .. }| format!("the {kind} {name} is gone or changed"));
    // One of the same name is told of already.
    let is_known = |part: &&Part| wanted.iter().any(|wanted| wanted.name == part.name);
    let added = found.iter().filter(|part| !is_known(part));
    let added = added.map(|part| format!("{:?} was added", excerpt(&part.name)));
    Ok(missing.chain(added).take(MOST_DEVIATIONS).collect())
}

/// Something that a database is built of.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// `table`, `trigger`, `index` or `view`.
    kind: String,
    name: String,
    /// How it was made.
    sql: Option<String>,
}

fn schema(connection: &Connection) -> rusqlite::Result<Vec<Part>> {
    let mut statement =
        connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")?;
    let parts =
        statement.query_map([], |row| Ok(Part { kind: row.get(0)?, name: row.get(1)?, sql: row.get(2)? }))?;
    parts.collect()
}

fn cut_off(newest: AuditHead) -> String {
    format!("entry {newest}, which was its newest, is not its last any more, or not as it was")
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// What an error of SQLite means: damage of the file, or `otherwise`.
pub(super) fn failure(
    path: &Path,
    error: &rusqlite::Error,
    otherwise: fn(&Path, &dyn std::fmt::Display) -> AuditError,
) -> AuditError {
    match error.sqlite_error_code() {
        // Without a code it is a value of another type than ours; `Unknown` is a table that is not there.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
            AuditError::damaged(path, error.to_string())
        }
        _ => otherwise(path, error),
    }
}
