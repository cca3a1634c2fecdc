//! The file itself: a SQLite database in which every record is a row with its number, its JSON, and a checksum over
//! both. It knows nothing of when things are written.
//!
//! A row that cannot be read is left out, with a line in the log; a file that cannot be read is set aside.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, Row, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pending::Pending;
use super::{Limits, SetAside, StoreError, Stored};
use crate::audit::sync_directory;
use crate::job::StoredJob;
use crate::{BoardRecord, InventoryChange};

/// Only for the service: labels and addresses are nobody else's business.
const FILE_MODE: u32 = 0o600;

/// What the log of writes may keep of the disk after a burst, in bytes.
const JOURNAL_SIZE: u32 = 4 << 20;

/// How many databases may be set aside beside each other.
const MOST_SET_ASIDE: u32 = 1_000;

/// The versions of the schema, and what makes each of the one before; the first one is made of an empty database.
///
/// Columns have no constraints: a check of the file would take a row that breaks one for damage of the whole file.
const MIGRATIONS: [(i64, &str); 1] = [(
    1,
    "CREATE TABLE board (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);
     CREATE TABLE change (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);
     CREATE TABLE job (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);",
)];

/// A record that is kept, in a table for its kind.
trait Record: Serialize + DeserializeOwned {
    const TABLE: &'static str;

    /// Its number in that table.
    fn number(&self) -> i64;
}

impl Record for BoardRecord {
    const TABLE: &'static str = "board";

    fn number(&self) -> i64 {
        i64::from(self.id.0)
    }
}

impl Record for InventoryChange {
    const TABLE: &'static str = "change";

    fn number(&self) -> i64 {
        self.sequence.cast_signed()
    }
}

impl Record for StoredJob {
    const TABLE: &'static str = "job";

    fn number(&self) -> i64 {
        self.record.id.0.cast_signed()
    }
}

/// Why a database cannot be opened.
enum OpenFailure {
    /// The file, its disk or another process does not let us; the file may be in order.
    Inaccessible(String),
    /// The file is no use to us.
    Unfit(Unfit),
}

/// Why a file is no use to us.
enum Unfit {
    /// It is not in order.
    Damaged(String),
    /// A newer release made it, with this version of the schema.
    TooNew(i64),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            // `Unknown` is an error in a statement, none a value of another type; ours are right, so the file is not.
            None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                damaged(error.to_string())
            }
            _ => Self::Inaccessible(error.to_string()),
        }
    }
}

fn damaged(reason: impl Into<String>) -> OpenFailure {
    OpenFailure::Unfit(Unfit::Damaged(reason.into()))
}

/// An open database.
pub(super) struct Database {
    connection: Connection,
    most_changes: usize,
}

/// Opens the database at `path`, or sets it aside and opens a fresh one.
pub(super) fn open(path: &Path, limits: Limits) -> Result<(Database, Stored, Option<SetAside>), StoreError> {
    let failed = |reason: String| StoreError::Open { path: path.to_owned(), reason };
    let unfit = match Database::open(path, limits) {
        Ok((database, stored)) => return Ok((database, stored, None)),
        Err(OpenFailure::Inaccessible(reason)) => return Err(failed(reason)),
        Err(OpenFailure::Unfit(unfit)) => unfit,
    };
    let aside = set_aside(path).map_err(|error| failed(format!("cannot set it aside: {error}")))?;
    let report = report(path, aside, unfit);
    match Database::open(path, limits) {
        Ok((database, stored)) => Ok((database, stored, Some(report))),
        Err(OpenFailure::Inaccessible(reason)) => Err(failed(reason)),
        Err(OpenFailure::Unfit(_)) => Err(failed("another process is making it".to_owned())),
    }
}

impl Database {
    fn open(path: &Path, limits: Limits) -> Result<(Self, Stored), OpenFailure> {
        create(path).map_err(|error| OpenFailure::Inaccessible(error.to_string()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(limits.patience)?;
        // Before the first access: then no second process can use the file, and no shared memory is needed beside it.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "cell_size_check", true)?;
        // One that is set aside stays as it is, together with its log of writes.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mut database = Self { connection, most_changes: limits.changes };
        let version = database.version()?;
        database.check(version)?;
        database.prepare(version, limits)?;
        let stored = database.load()?;
        database.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        Ok((database, stored))
    }

    /// The version of its schema; 0 if it is empty.
    fn version(&self) -> Result<i64, OpenFailure> {
        let version = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let newest = MIGRATIONS.last().map_or(0, |(version, _)| *version);
        if (0..=newest).contains(&version) {
            Ok(version)
        } else {
            Err(OpenFailure::Unfit(Unfit::TooNew(version)))
        }
    }

    /// Looks for damage of the file, and of its tables, which are those of `version`.
    fn check(&self, version: i64) -> Result<(), OpenFailure> {
        let found: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(damaged(found));
        }
        // The file itself may be written, which was tried before.
        if self.connection.is_readonly(MAIN_DB)? {
            return Err(damaged("its header says that it must not be written"));
        }
        let model = Connection::open_in_memory()?;
        for (_, migration) in MIGRATIONS.iter().filter(|(older, _)| *older <= version) {
            model.execute_batch(migration)?;
        }
        if schema(&self.connection)? == schema(&model)? {
            Ok(())
        } else {
            Err(damaged("its tables are not those of this service"))
        }
    }

    /// Brings its schema from `version` to the newest, and sets how it is written.
    fn prepare(&mut self, version: i64, limits: Limits) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE)?;
        self.connection.pragma_update(None, "max_page_count", limits.pages)?;
        for (newer, migration) in MIGRATIONS.iter().filter(|(newer, _)| *newer > version) {
            self.commit(Durability::Certain, |transaction| {
                transaction.execute_batch(migration)?;
                transaction.pragma_update(None, "user_version", newer)
            })?;
        }
        Ok(())
    }

    fn load(&self) -> rusqlite::Result<Stored> {
        Ok(Stored { boards: self.load_all()?, changes: self.load_all()?, jobs: self.load_all()? })
    }

    fn load_all<T: Record>(&self) -> rusqlite::Result<Vec<T>> {
        let query = format!("SELECT id, checksum, record FROM {} ORDER BY id", T::TABLE);
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            match decode(row) {
                Ok(record) => records.push(record),
                Err(reason) => {
                    let number = row.get::<_, i64>(0).unwrap_or_default();
                    tracing::error!(table = T::TABLE, number, %reason, "a row of the database is left out");
                }
            }
        }
        Ok(records)
    }

    /// Brings jobs to the disk, for certain.
    pub(super) fn save_jobs(&mut self, pending: &Pending) -> rusqlite::Result<()> {
        if pending.jobs.is_empty() {
            return Ok(());
        }
        self.commit(Durability::Certain, |transaction| {
            for (id, job) in &pending.jobs {
                match job {
                    Some(job) => write(transaction, job)?,
                    None => erase::<StoredJob>(transaction, id.0.cast_signed())?,
                }
            }
            Ok(())
        })
    }

    /// Writes boards and changes. They survive the end of the process, but maybe not a power cut.
    pub(super) fn save_inventory(&mut self, pending: &Pending) -> rusqlite::Result<()> {
        if !pending.has_inventory() {
            return Ok(());
        }
        let most_changes = self.most_changes;
        self.commit(Durability::Likely, |transaction| {
            for (id, board) in &pending.boards {
                match board {
                    Some(board) => write(transaction, &**board)?,
                    None => erase::<BoardRecord>(transaction, i64::from(id.0))?,
                }
            }
            for change in pending.changes() {
                write(transaction, change)?;
            }
            forget_changes(transaction, most_changes)
        })
    }

    /// Brings everything that was written to the disk, for certain.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn commit(
        &mut self,
        durability: Durability,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "synchronous", durability.pragma())?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write(&transaction)?;
        transaction.commit()
    }
}

/// Whether what is committed survives a power cut.
#[derive(Clone, Copy)]
enum Durability {
    /// It does.
    Certain,
    /// It does after the next checkpoint.
    Likely,
}

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Certain => "FULL",
            Self::Likely => "NORMAL",
        }
    }
}

/// The tables of a database, as they were made.
fn schema(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT concat_ws(' ', type, name, sql) FROM sqlite_schema ORDER BY 1")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Writes a row, unless it is there as it is.
fn write<T: Record>(transaction: &Transaction<'_>, record: &T) -> rusqlite::Result<()> {
    let number = record.number();
    let text = serde_json::to_string(record)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let statement = format!(
        "INSERT INTO {} (id, checksum, record) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET checksum = excluded.checksum, record = excluded.record
         WHERE checksum IS NOT excluded.checksum OR record IS NOT excluded.record",
        T::TABLE
    );
    let checksum = checksum(number, text.as_bytes());
    transaction.prepare_cached(&statement)?.execute(params![number, checksum, text]).map(drop)
}

fn erase<T: Record>(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<()> {
    let statement = format!("DELETE FROM {} WHERE id = ?1", T::TABLE);
    transaction.prepare_cached(&statement)?.execute([number]).map(drop)
}

fn forget_changes(transaction: &Transaction<'_>, most: usize) -> rusqlite::Result<()> {
    let statement =
        "DELETE FROM change WHERE id <= (SELECT id FROM change ORDER BY id DESC LIMIT 1 OFFSET ?1)";
    let kept = i64::try_from(most).unwrap_or(i64::MAX);
    transaction.prepare_cached(statement)?.execute([kept]).map(drop)
}

fn decode<T: Record>(row: &Row<'_>) -> Result<T, String> {
    let text = row.get_ref(2).map_err(|error| error.to_string())?;
    let text = text.as_bytes().map_err(|error| error.to_string())?;
    let number: i64 = row.get(0).map_err(|error| error.to_string())?;
    if row.get(1) != Ok(checksum(number, text)) {
        return Err("its checksum does not fit".to_owned());
    }
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// What tells a row from a damaged one: a hash of its number and its text.
fn checksum(number: i64, text: &[u8]) -> i64 {
    fnv1a(number.to_be_bytes().iter().chain(text)).cast_signed()
}

/// FNV-1a in 64 bits (draft-eastlake-fnv §2). It notices every change of a single byte.
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Makes sure that the file exists, for the service alone.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(_) => sync_directory(path),
        // One that cannot be written is no use.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

/// Renames a database, together with what belongs to it, to the first name that is free.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
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

fn report(path: &Path, aside: PathBuf, unfit: Unfit) -> SetAside {
    let (code, reason, advice) = match unfit {
        Unfit::Damaged(reason) => ("store_damaged", reason, "check the health of the disk"),
        Unfit::TooNew(version) => (
            "store_too_new",
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
    SetAside { path: aside, code, message }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::board;
    use super::*;

    #[test]
    fn identical_records_are_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        let (mut database, _, _) = open(&folder.path().join("inventory.db"), limits).unwrap();
        let mut pending = Pending::new(limits.changes);
        pending.boards.extend((0..3).map(|id| (board(id).id, Some(Arc::new(board(id))))));
        database.save_inventory(&pending).unwrap();
        let written = database.connection.total_changes();

        database.save_inventory(&pending).unwrap();
        assert_eq!(database.connection.total_changes(), written);

        let renamed = BoardRecord { name: "other".to_owned(), ..board(1) };
        pending.boards.insert(renamed.id, Some(Arc::new(renamed)));
        database.save_inventory(&pending).unwrap();
        assert_eq!(database.connection.total_changes(), written + 1);
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b"".iter()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a".iter()), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar".iter()), 0x8594_4171_f739_67e8);
    }
}
