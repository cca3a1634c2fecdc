//! The file: a SQLite database of series, of a log, and of chunks, each with a checksum. It knows nothing of when
//! something is written, read or forgotten.
//!
//! A row that is damaged is left out, with a line in the log of the service; a file that is no use is set aside.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::chunk::{self, ChunkError, Datum, MOST_POINTS, Rollup};
use super::inspection;
use super::log::{self, MOST_ENTRIES};
use super::rollup::{Resolution, merge_rollups, merge_samples, roll_up};
use super::series::SeriesKey;
use super::table::{Closed, Table, Unwritten};
use super::times::Decoded;
use super::window::Window;
use super::{HistorySettings, Limits};
use crate::SetAside;
use crate::sqlite::{self, Check, Durability, Format, Sharing, checksum};

/// The size of a page in bytes, which is what SQLite takes unless told otherwise.
pub(super) const PAGE: u64 = 4096;

/// The versions of the schema, and what makes each of the one before.
///
/// The number of a chunk is its [`key`]: chunks of one resolution lie together, in the order of their periods.
const MIGRATIONS: [(i64, &str); 1] = [(
    1,
    "CREATE TABLE series (id INTEGER PRIMARY KEY, checksum INTEGER, record TEXT);
     CREATE TABLE log (id INTEGER PRIMARY KEY, checksum INTEGER, record BLOB);
     CREATE TABLE chunk (id INTEGER PRIMARY KEY, checksum INTEGER, record BLOB);",
)];

/// What is added to periods, which may be before 1970, so that none is negative.
const FIRST_PERIOD: i64 = 1 << 28;

/// An open history file.
#[derive(Debug)]
pub(super) struct Database {
    file: sqlite::Database,
    format: Format,
    damaged: Arc<AtomicU64>,
}

/// A file that was opened, and what it knows.
pub(super) struct Opened {
    pub(super) database: Database,
    /// A way to read it beside the one that writes. It must be closed first.
    pub(super) reader: Connection,
    pub(super) table: Table,
    pub(super) set_aside: Option<SetAside>,
}

impl Opened {
    /// Opens the file at `path`, or sets it aside and opens a fresh one. How often something damaged is found is counted.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub(super) fn new(
        path: &Path,
        settings: HistorySettings,
        limits: Limits,
        damaged: &Arc<AtomicU64>,
    ) -> Result<Self, String> {
        let (database, table, set_aside) = open(path, settings, limits, damaged)?;
        let reader = database.file.reader(limits.patience).map_err(|error| error.to_string())?;
        Ok(Self { database, reader, table, set_aside })
    }
}

fn open(
    path: &Path,
    settings: HistorySettings,
    limits: Limits,
    damaged: &Arc<AtomicU64>,
) -> Result<(Database, Table, Option<SetAside>), String> {
    let format = Format {
        migrations: &MIGRATIONS,
        damaged: "history_damaged",
        too_new: "history_too_new",
        pages: u32::try_from(settings.size / PAGE).unwrap_or(u32::MAX),
        patience: limits.patience,
        check: Check::Schema,
        sharing: Sharing::Readers,
        can_shrink: true,
    };
    let load = |connection: &Connection| load(connection, limits, damaged);
    let (file, table, set_aside) = sqlite::open(path, format, load)?;
    Ok((Database { file, format, damaged: Arc::clone(damaged) }, table, set_aside))
}

/// Reads the series, and what is in the log but in no chunk.
fn load(connection: &Connection, limits: Limits, damaged: &AtomicU64) -> rusqlite::Result<Table> {
    let mut table = Table::new(limits);
    let mut statement = connection.prepare("SELECT id, checksum, record FROM series ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Ok(number) = u32::try_from(row.get::<_, i64>(0)?) else { continue };
        match intact(row, damaged)?.and_then(|text| SeriesKey::of_text(std::str::from_utf8(text).ok()?)) {
            Some(key) => table.restore_series(number, key),
            None => table.reserve(number),
        }
    }
    let mut statement = connection.prepare("SELECT id, checksum, record FROM log ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number = row.get::<_, i64>(0)?.cast_unsigned();
        match intact(row, damaged)?.map(log::decode) {
            Some(Ok(entries)) => table.restore(number, entries),
            Some(Err(error)) => report("log", number.cast_signed(), &error, damaged),
            None => {}
        }
    }
    Ok(table)
}

impl Database {
    /// Brings new series and samples to the disk, for certain. The samples go to rows of the log from this one on.
    pub(super) fn save(&mut self, unwritten: &Unwritten, first_row: u64) -> rusqlite::Result<()> {
        self.file.commit(Durability::Certain, |transaction| {
            for (number, key) in &unwritten.series {
                put(transaction, "series", (*number).into(), &key.to_text())?;
            }
            for (row, entries) in (first_row..).zip(unwritten.entries.chunks(MOST_ENTRIES)) {
                put(transaction, "log", row.cast_signed(), &log::encode(entries))?;
            }
            Ok(())
        })
    }

    /// Makes chunks of windows, all or none, together with their rollups. Tells how many samples had no room in a chunk.
    pub(super) fn seal(&mut self, closed: &[Closed]) -> rusqlite::Result<u64> {
        let (damaged, times) = (Arc::clone(&self.damaged), Decoded::default());
        self.file.commit(Durability::Likely, |transaction| {
            let chunks = Chunks { connection: transaction, damaged: &damaged, times: &times };
            let mut lost = 0;
            for Closed { series, window } in closed {
                let Some(samples) = chunks.whole_window(window) else {
                    lost += u64::from(window.count);
                    continue;
                };
                lost += chunks.seal(*series, window.period, samples)?;
            }
            Ok(lost)
        })
    }

    /// Forgets the rows of the log before this one.
    pub(super) fn prune(&mut self, row: u64) -> rusqlite::Result<()> {
        self.file.commit(Durability::Likely, |transaction| {
            transaction
                .prepare_cached("DELETE FROM log WHERE id < ?1")?
                .execute([row.cast_signed()])
                .map(drop)
        })
    }

    /// Forgets the first chunks of a resolution within some periods, at most so many, and tells how many there were.
    pub(super) fn forget(
        &mut self,
        resolution: Resolution,
        periods: Range<i64>,
        most: u32,
    ) -> rusqlite::Result<usize> {
        let range = keys(resolution, periods);
        self.file.commit(Durability::Likely, |transaction| {
            let statement = "DELETE FROM chunk WHERE id IN
                (SELECT id FROM chunk WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3)";
            transaction.prepare_cached(statement)?.execute(params![range.start, range.end, most])
        })
    }

    /// The first period within a range that has a chunk.
    pub(super) fn next_period(
        &self,
        resolution: Resolution,
        periods: Range<i64>,
    ) -> rusqlite::Result<Option<i64>> {
        next_period(self.file.connection(), resolution, periods)
    }

    /// The pages of the file, and those of them that hold nothing.
    pub(super) fn pages(&self) -> rusqlite::Result<(u64, u64)> {
        let connection = self.file.connection();
        let count = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok((count("page_count")?.unsigned_abs(), count("freelist_count")?.unsigned_abs()))
    }

    /// Gives empty pages back to the disk, at most so many.
    pub(super) fn shrink(&self, pages: u32) -> rusqlite::Result<()> {
        let mut statement = self.file.connection().prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Looks whether some chunks behind `position` are what was written, and tells the last one that was looked at; nothing
    /// at the end of the file.
    pub(super) fn inspect(&self, position: i64) -> rusqlite::Result<Option<i64>> {
        let statement = "SELECT id, checksum, record FROM chunk WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = self.file.connection().prepare_cached(statement)?;
        let mut rows = statement.query(params![position, inspection::STEP])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            if number <= last.unwrap_or(position) {
                return Err(disordered(number));
            }
            intact(row, &self.damaged)?;
            last = Some(number);
        }
        Ok(last)
    }

    /// Brings everything that was written into the file itself, for certain.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.file.checkpoint()
    }

    /// Sets the file aside as it is, because it was found damaged while it was used.
    pub(super) fn set_aside(self, reason: &str) -> Result<SetAside, String> {
        self.file.set_aside(self.format, reason)
    }
}

/// The chunks of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunks<'c> {
    pub(super) connection: &'c Connection,
    /// How often something damaged was found.
    pub(super) damaged: &'c AtomicU64,
    /// The times of windows, which take no more samples meanwhile.
    pub(super) times: &'c Decoded,
}

impl Chunks<'_> {
    /// The samples of a chunk, if it is there and whole.
    pub(super) fn samples(&self, series: u32, period: i64) -> rusqlite::Result<Option<Vec<Datum>>> {
        let start = Resolution::Raw.start(period);
        self.chunk(key(Resolution::Raw, period, series), |bytes| chunk::decode(start, bytes))
    }

    /// The rollups of a chunk, together with what `windows` add to it: the samples that are not in a chunk yet, with their
    /// period, which is within that of the chunk.
    pub(super) fn rollups(
        &self,
        resolution: Resolution,
        series: u32,
        period: i64,
        windows: &[(i64, Vec<Datum>)],
    ) -> rusqlite::Result<Vec<Rollup>> {
        let stored = self.chunk(key(resolution, period, series), chunk::decode_rollups)?;
        let mut rollups = stored.unwrap_or_default();
        for (window, samples) in windows {
            let (samples, is_complete) = match self.samples(series, *window)? {
                Some(stored) => (merge_samples(stored, samples.clone()).0, true),
                None => (merge_samples(Vec::new(), samples.clone()).0, false),
            };
            rollups = merge_rollups(rollups, roll_up(&samples, resolution), is_complete);
        }
        Ok(rollups)
    }

    /// The samples of a window, if they are whole.
    pub(super) fn whole_window(&self, window: &Window) -> Option<Vec<Datum>> {
        whole("window", window.period, window.samples(self.times), self.damaged)
    }

    /// The first period within a range that has a chunk.
    pub(super) fn next_period(
        &self,
        resolution: Resolution,
        range: Range<i64>,
    ) -> rusqlite::Result<Option<i64>> {
        next_period(self.connection, resolution, range)
    }

    /// Adds samples to a chunk and its rollups, and tells how many had no room.
    fn seal(&self, series: u32, period: i64, samples: Vec<Datum>) -> rusqlite::Result<u64> {
        let start = Resolution::Raw.start(period);
        let windows = [(period, samples)];
        // Before the samples: whether those that are known are all there are is seen from the chunk as it was.
        for resolution in [Resolution::Minute, Resolution::Hour] {
            let rollup_period = start.div_euclid(resolution.period());
            let mut rollups = self.rollups(resolution, series, rollup_period, &windows)?;
            rollups.truncate(MOST_POINTS);
            let bytes = chunk::encode_rollups(&rollups);
            put(self.connection, "chunk", key(resolution, rollup_period, series), &bytes)?;
        }
        let [(_, samples)] = windows;
        let stored = self.samples(series, period)?.unwrap_or_default();
        let (samples, surplus) = merge_samples(stored, samples);
        put(self.connection, "chunk", key(Resolution::Raw, period, series), &chunk::encode(start, &samples))?;
        Ok(surplus as u64)
    }

    fn chunk<T>(
        &self,
        key: i64,
        decode: impl FnOnce(&[u8]) -> Result<T, ChunkError>,
    ) -> rusqlite::Result<Option<T>> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, checksum, record FROM chunk WHERE id = ?1")?;
        let decoded =
            statement.query_row([key], |row| Ok(intact(row, self.damaged)?.map(decode))).optional()?;
        Ok(decoded.flatten().and_then(|decoded| whole("chunk", key, decoded, self.damaged)))
    }
}

/// The number of a chunk: two bits of the resolution, 29 of the period, 32 of the series.
fn key(resolution: Resolution, period: i64, series: u32) -> i64 {
    let period = period.clamp(-FIRST_PERIOD, FIRST_PERIOD - 1) + FIRST_PERIOD;
    ((resolution as i64) << 61) | (period << 32) | i64::from(series)
}

/// The numbers of the chunks of these periods.
pub(super) fn keys(resolution: Resolution, periods: Range<i64>) -> Range<i64> {
    key(resolution, periods.start, 0)..key(resolution, periods.end, 0)
}

fn next_period(
    connection: &Connection,
    resolution: Resolution,
    range: Range<i64>,
) -> rusqlite::Result<Option<i64>> {
    let range = keys(resolution, range);
    let mut statement =
        connection.prepare_cached("SELECT id FROM chunk WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1")?;
    let first: Option<i64> = statement.query_row([range.start, range.end], |row| row.get(0)).optional()?;
    Ok(first.map(|key| ((key >> 32) & (2 * FIRST_PERIOD - 1)) - FIRST_PERIOD))
}

/// SQLite does not notice if the keys of a table are not in their order; then nobody finds what is there.
fn disordered(number: i64) -> rusqlite::Error {
    let message = format!("its chunks are not in their order at {number}");
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(message))
}

fn put(
    connection: &Connection,
    table: &'static str,
    number: i64,
    record: &(impl AsRef<[u8]> + rusqlite::ToSql),
) -> rusqlite::Result<()> {
    let statement = format!("INSERT OR REPLACE INTO {table} (id, checksum, record) VALUES (?1, ?2, ?3)");
    let checksum = checksum(number, record.as_ref());
    connection.prepare_cached(&statement)?.execute(params![number, checksum, record]).map(drop)
}

/// The bytes of the columns `id, checksum, record`, unless they are not what was written.
fn intact<'a>(row: &'a Row<'_>, damaged: &AtomicU64) -> rusqlite::Result<Option<&'a [u8]>> {
    let number: i64 = row.get(0)?;
    let record = row.get_ref(2)?.as_bytes().ok();
    let is_intact = |record: &&[u8]| row.get(1) == Ok(checksum(number, record));
    let record = record.filter(is_intact);
    if record.is_none() {
        report("row", number, &ChunkError("its checksum does not fit"), damaged);
    }
    Ok(record)
}

/// What was decoded, unless it could not be.
fn whole<T>(what: &str, number: i64, decoded: Result<T, ChunkError>, damaged: &AtomicU64) -> Option<T> {
    decoded.inspect_err(|error| report(what, number, error, damaged)).ok()
}

fn report(what: &str, number: i64, error: &ChunkError, damaged: &AtomicU64) {
    damaged.fetch_add(1, Ordering::Relaxed);
    tracing::error!(what, number, %error, "a part of the history is damaged, and left out");
}
