//! The history: what sensors said, over weeks as it was, over years by the minute and by the hour, in a file of its own.
//!
//! Samples are gathered in memory, encoded, and written to a log on the disk at every commit; a power cut costs what came
//! after the last one. When two hours are over, the samples of each series become a chunk on the disk, together with
//! their rollups by the minute and by the hour, and leave the log. Chunks lie in the order of their time, so that writing
//! adds at an end and forgetting takes from the other, and a memory card lasts.
//!
//! Memory and disk are bounded: what cannot be written stays in memory as long as there is room, and what has no room is
//! counted as lost. Reading goes on meanwhile. Nothing here knows what is measured, by whom, or what is normal.

mod bits;
pub mod chunk;
mod clock;
mod column;
mod database;
mod inspection;
mod log;
mod query;
mod retention;
mod rice;
mod rollup;
mod row;
mod series;
mod step;
mod table;
#[cfg(test)]
mod tests;
mod times;
mod value;
mod window;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{BoardId, WallClock};
use thiserror::Error;

pub use query::{HistoryQuery, Point, Track};
pub use series::{Sample, SeriesKey};

use crate::SetAside;
use writer::Writer;

/// Why the history cannot be used.
#[derive(Debug, Clone, Error)]
pub enum HistoryError {
    /// It cannot be opened.
    #[error(
        "cannot open the history {path}: {reason}; make its directory exist and writable for the service, and let no \
         other process use it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It cannot be read.
    #[error("cannot read the history {path}: {reason}; check the health of its disk")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It cannot be written.
    #[error("cannot write to the history {path}: {reason}; check the space and health of its disk")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The answer would be too long, or take too long.
    #[error(
        "the history holds more than {limit} points for that; ask for a longer step, a shorter time or fewer sensors"
    )]
    TooMuch {
        /// The most points of an answer.
        limit: usize,
    },
    /// It is not used any more, because the service ends.
    #[error("the history is closed; ask again when the service is back")]
    Closed,
}

/// What is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySettings {
    /// How long every sample is kept.
    pub raw: Duration,
    /// How long the rollups by the minute are kept.
    pub minute: Duration,
    /// How long the rollups by the hour are kept.
    pub hour: Duration,
    /// The largest size of the file in bytes; its log of writes takes a few megabytes more. The oldest samples go first.
    pub size: u64,
    /// How often samples are brought to the disk.
    pub commit: Duration,
}

impl Default for HistorySettings {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            raw: Duration::from_secs(7 * DAY),
            minute: Duration::from_secs(90 * DAY),
            hour: Duration::from_secs(5 * 365 * DAY),
            size: 1 << 30,
            commit: Duration::from_secs(10),
        }
    }
}

/// How the history fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryStatistics {
    /// The series that are known.
    pub series: u64,
    /// The samples that came since the start.
    pub recorded: u64,
    /// Those of them that are lost: they had no room in memory while the disk could not be written, were of a series
    /// too many, or no finite number.
    pub lost: u64,
    /// How often since the start a chunk or a part of the log was found damaged, and left out.
    pub damaged: u64,
    /// The samples that a power cut would cost.
    pub unwritten: u64,
    /// The chunks that wait for being written; their samples are in the log.
    pub waiting: u64,
    /// What samples take of the memory, in bytes.
    pub memory: u64,
    /// The size of the file, in bytes.
    pub file: u64,
    /// Whether it has samples of times that are yet to come, because the clock was ahead when they were measured. Seen when
    /// the clock can be trusted again.
    pub is_ahead: bool,
    /// The newest file that was set aside since the start, because it was no use any more.
    pub set_aside: Option<SetAside>,
}

/// The bounds that nobody needs to set.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// From this size in memory on, in bytes, samples are brought into chunks before their time.
    memory: usize,
    /// From this size in memory on, in bytes, the oldest samples are lost.
    most_memory: usize,
    /// The most samples that wait for the log. Beyond it they only wait for being brought into chunks.
    unlogged: usize,
    /// The most series.
    series: usize,
    /// How long a file that another process is about to close is waited for.
    patience: Duration,
    /// When a write that failed is tried again.
    retry: Duration,
    /// After what time a write that has not come to an end is taken for failed.
    hang: Duration,
    /// How long after the first sample of a period the one before is taken for complete.
    grace: Duration,
}

impl Default for Limits {
    /// Twenty thousand series that are read twice a minute take 11 MB of the memory.
    fn default() -> Self {
        Self {
            memory: 48 << 20,
            most_memory: 64 << 20,
            unlogged: 1 << 18,
            series: 1 << 20,
            patience: Duration::from_secs(5),
            retry: Duration::from_secs(10),
            hang: Duration::from_secs(30),
            grace: Duration::from_secs(120),
        }
    }
}

/// An open history. Clones are the same one; the last one closes it and waits for what was given to it.
#[derive(Debug, Clone)]
pub struct History {
    writer: Arc<Writer>,
}

impl History {
    /// Opens the history at `path`, and creates it if it does not exist; its directory must exist. One that is damaged
    /// or of a newer release is renamed, never removed, and a fresh one is begun. One that cannot be read and written, or
    /// that another process uses, is tried again and again; until then, samples are kept in memory, and
    /// [`History::health`] tells why. Blocks on the disk.
    ///
    /// # Errors
    /// [`HistoryError::Open`] if the system has no thread for it.
    pub fn open(
        path: impl AsRef<Path>,
        settings: HistorySettings,
        clock: Arc<dyn WallClock>,
    ) -> Result<(Self, Option<SetAside>), HistoryError> {
        Self::open_with(path.as_ref(), settings, clock, Limits::default())
    }

    fn open_with(
        path: &Path,
        settings: HistorySettings,
        clock: Arc<dyn WallClock>,
        limits: Limits,
    ) -> Result<(Self, Option<SetAside>), HistoryError> {
        let (writer, set_aside) = Writer::start(path, settings, clock, limits)?;
        Ok((Self { writer: Arc::new(writer) }, set_aside))
    }

    /// Keeps samples. Never waits for the disk.
    pub fn record(&self, samples: impl IntoIterator<Item = Sample>) {
        self.writer.record(samples);
    }

    /// The series of a board, in the order in which they were first seen.
    #[must_use]
    pub fn series(&self, board: BoardId) -> Vec<SeriesKey> {
        self.writer.series(board)
    }

    /// What the series that are asked for were like. A series without anything has a track without points.
    ///
    /// # Errors
    /// [`HistoryError::TooMuch`] if the answer would be too long, [`HistoryError::Read`] if the disk cannot be read.
    pub async fn query(&self, query: HistoryQuery) -> Result<Vec<Track>, HistoryError> {
        self.writer.query(query).await
    }

    /// Whether what is given to it reaches the disk. Does no I/O.
    ///
    /// # Errors
    /// What is wrong, and what to do, in one sentence.
    pub fn health(&self) -> Result<(), String> {
        self.writer.failure().map_or(Ok(()), |failure| {
            Err(format!("{failure}; until then, samples are only kept in memory, and lost when it is full"))
        })
    }

    /// How it fares. Does no I/O.
    #[must_use]
    pub fn statistics(&self) -> HistoryStatistics {
        self.writer.statistics()
    }

    /// Returns when everything that was given before is on the disk, whatever happens to the power then.
    ///
    /// # Errors
    /// Why it is not on the disk. It is still tried again.
    pub async fn flush(&self) -> Result<(), HistoryError> {
        self.writer.flush().await
    }

    /// Returns when everything that was given before is in chunks, as it is some time after the end of its two hours. For
    /// those who let hours pass faster than a clock does.
    ///
    /// # Errors
    /// Why it is not. It is still tried again.
    pub async fn seal(&self) -> Result<(), HistoryError> {
        self.writer.seal().await
    }
}

/// The time of milliseconds since 1970, or the first or last one that there is.
fn timestamp(milliseconds: i64) -> Timestamp {
    let nearest = if milliseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(milliseconds).unwrap_or(nearest)
}
