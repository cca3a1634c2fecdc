//! The file of the events: a SQLite database in which each event is a row with its number, its JSON, how long the service
//! had run until then, and a checksum. It knows nothing of when events are written, nor of who reads them.
//!
//! A row that cannot be read is left out, with a line in the log; a file that cannot be read is set aside.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opendcre_model::{DeviceAddress, Health};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::number::{GREATEST, Gap, MOST_GAPS};
use super::{Event, EventSettings, Kept, told};
use crate::sqlite::{self, Check, Database, Durability, Format, SetAside, Sharing, checksum, is_damage};

/// How long whoever reads waits for a file that is being opened.
const PATIENCE: Duration = Duration::from_secs(5);

/// The size of a page in bytes.
const PAGE: u64 = 4096;

/// The least size that a file may grow to, in pages: 1 MiB.
const LEAST_PAGES: u64 = 256;

/// The most events that are forgotten with one write, so that none takes long.
const MOST_FORGOTTEN: u64 = 10_000;

/// Columns have no constraints: a check of the file would take a row that breaks one for damage of the whole file.
const MIGRATIONS: [(i64, &str); 1] = [(
    1,
    "CREATE TABLE event (id INTEGER PRIMARY KEY, checksum INTEGER, lived INTEGER, record TEXT);
     CREATE TABLE gap (id INTEGER PRIMARY KEY, skipped INTEGER);
     CREATE TABLE told (id INTEGER PRIMARY KEY, health TEXT);",
)];

/// An open file.
pub(super) struct EventFile {
    database: Database,
    most: u64,
    age: Duration,
    /// The largest size in pages.
    pages: u64,
}

/// What a file held when it was opened.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The newest events, oldest first.
    pub(super) newest: Vec<Kept>,
    /// The number of the oldest event.
    pub(super) oldest: Option<u64>,
    /// The number of the newest event, also if it cannot be read.
    pub(super) latest: Option<u64>,
    /// The numbers that were never given.
    pub(super) gaps: Vec<Gap>,
}

/// What became of a file by writing to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Appended {
    /// The number of the oldest event now.
    pub(super) oldest: Option<u64>,
    /// How many events were forgotten.
    pub(super) forgotten: u64,
}

/// Events that were read.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) events: Vec<Arc<Event>>,
    /// The number of the oldest event in the file at that time.
    pub(super) oldest: Option<u64>,
    /// The number of the last row that was looked at.
    pub(super) last: Option<u64>,
    /// How many rows are damaged, and left out.
    pub(super) damaged: u64,
}

/// A connection that reads beside the one that writes; none while the file cannot be used.
#[derive(Debug, Default)]
pub(super) struct Reader(Mutex<Option<Connection>>);

/// Why events could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    /// What the system says.
    pub(super) reason: String,
    /// Whether the file seems to be damaged.
    pub(super) is_damage: bool,
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Self {
        Self { reason: error.to_string(), is_damage: is_damage(&error) }
    }
}

/// Opens the file at `path`, or sets it aside and opens a fresh one; of what it holds, `newest` events at most are
/// loaded.
pub(super) fn open(
    path: &Path,
    settings: EventSettings,
    newest: usize,
    check: Check,
) -> Result<(EventFile, Loaded, Option<SetAside>), String> {
    let pages = (settings.size / PAGE).clamp(LEAST_PAGES, u64::from(u32::MAX));
    let format = Format {
        migrations: &MIGRATIONS,
        damaged: "events_damaged",
        too_new: "events_too_new",
        pages: u32::try_from(pages).unwrap_or(u32::MAX),
        patience: PATIENCE,
        check,
        sharing: Sharing::Readers,
        can_shrink: false,
    };
    let (database, loaded, set_aside) = sqlite::open(path, format, |connection| load(connection, newest))?;
    let EventSettings { most, age, .. } = settings;
    Ok((EventFile { database, most, age, pages }, loaded, set_aside))
}

fn load(connection: &Connection, newest: usize) -> rusqlite::Result<Loaded> {
    let mut loaded = Loaded { oldest: oldest(connection)?, ..Loaded::default() };
    let query = "SELECT id, checksum, lived, record FROM event WHERE id <= ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([GREATEST.cast_signed(), i64::try_from(newest).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        loaded.latest = loaded.latest.max(Some(number(row)?));
        loaded.newest.extend(decode_or_leave_out(row));
    }
    loaded.newest.reverse();
    let mut statement = connection.prepare("SELECT id, skipped FROM gap ORDER BY id")?;
    let gap = |row: &Row<'_>| Ok(Gap { after: unsigned(row.get(0)?), skipped: unsigned(row.get(1)?) });
    loaded.gaps = statement.query_map([], gap)?.collect::<rusqlite::Result<_>>()?;
    Ok(loaded)
}

impl EventFile {
    /// A connection to read from.
    pub(super) fn reader(&self) -> rusqlite::Result<Connection> {
        self.database.reader(PATIENCE)
    }

    /// Brings `events`, of which there is at least one, to the disk, for certain, and forgets those that are too many or too
    /// old. There are `kept` before.
    pub(super) fn append(&mut self, events: &[Kept], gaps: &[Gap], kept: u64) -> rusqlite::Result<Appended> {
        let too_many = (kept + events.len() as u64).saturating_sub(self.most);
        let too_large = if self.is_nearly_full()? { (kept / 16).max(2 * events.len() as u64) } else { 0 };
        let horizon = events.last().and_then(|newest| newest.lived.checked_sub(self.age));
        self.database.commit(Durability::Certain, |transaction| {
            // First, so that there is room for the rest.
            let mut forgotten = forget_first(transaction, too_many.max(too_large).min(MOST_FORGOTTEN))?;
            write_gaps(transaction, gaps)?;
            for event in events {
                write(transaction, event)?;
                told::note(transaction, &event.event)?;
            }
            if let Some(horizon) = horizon {
                forgotten += forget_before(transaction, horizon)?;
            }
            Ok(Appended { oldest: oldest(transaction)?, forgotten: forgotten as u64 })
        })
    }

    /// Whether more than three quarters of the largest size are in use. The rest is more than what is written at once.
    fn is_nearly_full(&self) -> rusqlite::Result<bool> {
        let count =
            |pragma| self.database.connection().pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let used = count("page_count")? - count("freelist_count")?;
        Ok(unsigned(used) > self.pages / 4 * 3)
    }
}

impl Reader {
    /// Reads from this connection from now on, or from none.
    pub(super) fn replace(&self, connection: Option<Connection>) {
        *self.lock() = connection;
    }

    /// The events with numbers between `after` and `before`, at most `limit`, oldest first.
    pub(super) fn read(&self, after: u64, before: u64, limit: usize) -> Result<Rows, Unread> {
        let mut reader = self.lock();
        let not_open = || Unread { reason: "it is not open".to_owned(), is_damage: false };
        let connection = reader.as_mut().ok_or_else(not_open)?;
        read(connection, after, before, limit).map_err(Unread::from)
    }

    /// The devices that are not well, as far as that was told.
    pub(super) fn unwell(&self) -> Result<Vec<(DeviceAddress, Health)>, String> {
        let reader = self.lock();
        let connection = reader.as_ref().ok_or("it is not open")?;
        told::load(connection).map_err(|error| error.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        // A transaction that a panic broke off has ended.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(connection: &mut Connection, after: u64, before: u64, limit: usize) -> rusqlite::Result<Rows> {
    // In one transaction, so that nothing is forgotten between the two questions.
    let transaction = connection.transaction()?;
    let mut found = Rows { oldest: oldest(&transaction)?, ..Rows::default() };
    let query =
        "SELECT id, checksum, lived, record FROM event WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";
    let mut statement = transaction.prepare_cached(query)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after.cast_signed(), before.cast_signed(), limit])?;
    while let Some(row) = rows.next()? {
        found.last = Some(number(row)?);
        match decode_or_leave_out(row) {
            Some(kept) => found.events.push(kept.event),
            None => found.damaged += 1,
        }
    }
    Ok(found)
}

fn oldest(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let found =
        connection.query_row("SELECT id FROM event ORDER BY id LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(found.map(unsigned))
}

fn write(transaction: &Transaction<'_>, kept: &Kept) -> rusqlite::Result<()> {
    let text = serde_json::to_string(&*kept.event)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let (id, lived) = (kept.event.sequence.cast_signed(), kept.lived.as_secs().cast_signed());
    // What could not be written may be there all the same: a disk can fail after it has written.
    let statement = "INSERT OR REPLACE INTO event (id, checksum, lived, record) VALUES (?1, ?2, ?3, ?4)";
    let values = params![id, seal(id, lived, text.as_bytes()), lived, text];
    transaction.prepare_cached(statement)?.execute(values).map(drop)
}

fn write_gaps(transaction: &Transaction<'_>, gaps: &[Gap]) -> rusqlite::Result<()> {
    if gaps.is_empty() {
        return Ok(());
    }
    let mut statement =
        transaction.prepare_cached("INSERT OR IGNORE INTO gap (id, skipped) VALUES (?1, ?2)")?;
    for gap in gaps {
        statement.execute(params![gap.after.cast_signed(), gap.skipped.cast_signed()])?;
    }
    let forget = "DELETE FROM gap WHERE id <= (SELECT id FROM gap ORDER BY id DESC LIMIT 1 OFFSET ?1)";
    transaction.execute(forget, [i64::try_from(MOST_GAPS).unwrap_or(i64::MAX)]).map(drop)
}

/// Forgets so many of the oldest events, and tells how many there were.
fn forget_first(transaction: &Transaction<'_>, count: u64) -> rusqlite::Result<usize> {
    if count == 0 {
        return Ok(0);
    }
    let statement = "DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?1)";
    transaction.prepare_cached(statement)?.execute([count.cast_signed()])
}

/// Forgets what happened before the service had run for `horizon`, and tells how much that was. The time of day plays no
/// part in it, so that a clock that is set wrong costs no event.
fn forget_before(transaction: &Transaction<'_>, horizon: Duration) -> rusqlite::Result<usize> {
    let statement = "DELETE FROM event WHERE id IN (
        SELECT id FROM event WHERE id < (SELECT id FROM event WHERE lived >= ?1 ORDER BY id LIMIT 1)
        ORDER BY id LIMIT ?2)";
    let values = params![horizon.as_secs().cast_signed(), MOST_FORGOTTEN.cast_signed()];
    transaction.prepare_cached(statement)?.execute(values)
}

fn number(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get(0).map(unsigned)
}

/// What is negative is damaged.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn decode_or_leave_out(row: &Row<'_>) -> Option<Kept> {
    decode(row)
        .inspect_err(|reason| {
            let number = row.get::<_, i64>(0).unwrap_or_default();
            tracing::error!(number, %reason, "an event that cannot be read is left out");
        })
        .ok()
}

fn decode(row: &Row<'_>) -> Result<Kept, String> {
    let text = row.get_ref(3).map_err(|error| error.to_string())?;
    let text = text.as_bytes().map_err(|error| error.to_string())?;
    let number = |column| row.get::<_, i64>(column).map_err(|error| error.to_string());
    let (id, lived) = (number(0)?, number(2)?);
    if row.get(1) != Ok(seal(id, lived, text)) {
        return Err("its checksum does not fit".to_owned());
    }
    let event = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    Ok(Kept { event: Arc::new(event), lived: Duration::from_secs(unsigned(lived)) })
}

/// What tells a row from a damaged one.
fn seal(id: i64, lived: i64, text: &[u8]) -> i64 {
    checksum(id, text).wrapping_add(lived)
}
