//! The file itself: a SQLite database in which every record is a row with its number, its JSON, and a checksum over
//! both. It knows nothing of when things are written.
//!
//! A row that cannot be read is left out, with a line in the log; a file that cannot be read is set aside.

use std::path::Path;

use rusqlite::{Connection, Row, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pending::Pending;
use super::{Limits, SetAside, StoreError, Stored};
use crate::intake::LogMark;
use crate::job::StoredJob;
use crate::sqlite::{self, Check, Durability, Format, Sharing, checksum};
use crate::{BoardRecord, InventoryChange};

/// The versions of the schema, and what makes each of the one before.
const MIGRATIONS: [(i64, &str); 2] = [
    (
        1,
        "CREATE TABLE board (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);
         CREATE TABLE change (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);
         CREATE TABLE job (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);",
    ),
    (2, "CREATE TABLE log_mark (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);"),
];

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

impl Record for LogMark {
    const TABLE: &'static str = "log_mark";

    fn number(&self) -> i64 {
        i64::from(self.board.0)
    }
}

/// An open database.
pub(super) struct Database {
    file: sqlite::Database,
    most_changes: usize,
}

/// Opens the database at `path`, or sets it aside and opens a fresh one.
pub(super) fn open(path: &Path, limits: Limits) -> Result<(Database, Stored, Option<SetAside>), StoreError> {
    let format = Format {
        migrations: &MIGRATIONS,
        damaged: "store_damaged",
        too_new: "store_too_new",
        pages: limits.pages,
        patience: limits.patience,
        check: Check::Everything,
        sharing: Sharing::Nobody,
        can_shrink: false,
    };
    let (file, stored, set_aside) = sqlite::open(path, format, load)
        .map_err(|reason| StoreError::Open { path: path.to_owned(), reason })?;
    Ok((Database { file, most_changes: limits.changes }, stored, set_aside))
}

fn load(connection: &Connection) -> rusqlite::Result<Stored> {
    Ok(Stored {
        boards: load_all(connection)?,
        changes: load_all(connection)?,
        jobs: load_all(connection)?,
        log_marks: load_all(connection)?,
    })
}

fn load_all<T: Record>(connection: &Connection) -> rusqlite::Result<Vec<T>> {
    let query = format!("SELECT id, checksum, record FROM {} ORDER BY id", T::TABLE);
    let mut statement = connection.prepare(&query)?;
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

impl Database {
    /// Brings jobs to the disk, for certain.
    pub(super) fn save_jobs(&mut self, pending: &Pending) -> rusqlite::Result<()> {
        if pending.jobs.is_empty() {
            return Ok(());
        }
        self.file.commit(Durability::Certain, |transaction| {
            for (id, job) in &pending.jobs {
                match job {
                    Some(job) => write(transaction, job)?,
                    None => erase::<StoredJob>(transaction, id.0.cast_signed())?,
                }
            }
            Ok(())
        })
    }

    /// Writes boards, changes and marks. They survive the end of the process, but maybe not a power cut.
    pub(super) fn save_inventory(&mut self, pending: &Pending) -> rusqlite::Result<()> {
        if !pending.has_inventory() {
            return Ok(());
        }
        let most_changes = self.most_changes;
        self.file.commit(Durability::Likely, |transaction| {
            for (id, board) in &pending.boards {
                match board {
                    Some(board) => write(transaction, &**board)?,
                    None => erase::<BoardRecord>(transaction, i64::from(id.0))?,
                }
            }
            for (board, mark) in &pending.log_marks {
                match mark {
                    Some(mark) => write(transaction, mark)?,
                    None => erase::<LogMark>(transaction, i64::from(board.0))?,
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
        self.file.checkpoint()
    }
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
        let written = database.file.connection().total_changes();

        database.save_inventory(&pending).unwrap();
        assert_eq!(database.file.connection().total_changes(), written);

        let renamed = BoardRecord { name: "other".to_owned(), ..board(1) };
        pending.boards.insert(renamed.id, Some(Arc::new(renamed)));
        database.save_inventory(&pending).unwrap();
        assert_eq!(database.file.connection().total_changes(), written + 1);
    }
}
