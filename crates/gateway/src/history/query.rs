//! Questions to the history: a time of several series in steps, put together from chunks of whatever resolution fits the
//! step, and from what is not in chunks yet. It writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::chunk::{Datum, Rollup};
use super::database::Chunks;
use super::rollup::{Resolution, merge_samples};
use super::series::SeriesKey;
use super::timestamp;
use super::window::Window;

/// The most chunks that are looked for to answer a question.
const MOST_LOOKUPS: usize = 4_000_000;

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    /// The series. Each gets a track, in this order.
    pub series: Vec<SeriesKey>,
    /// From this time on.
    pub from: Timestamp,
    /// Before this time.
    pub to: Timestamp,
    /// The time of one point; zero for every sample. From a minute on it is made whole minutes, from an hour on whole
    /// hours, upwards. Points begin at whole multiples of it since 1970. Where samples are not kept any more, points are
    /// as fine as is still known.
    pub step: Duration,
    /// The most points of all tracks together.
    pub limit: usize,
}

/// What a series was like.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The series.
    pub key: SeriesKey,
    /// In the order of their times. Times without samples have none.
    pub points: Vec<Point>,
}

/// What the samples of a step come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When the step begins; when the sample was measured if the step is zero.
    pub time: Timestamp,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The mean of all values.
    pub avg: f64,
    /// How many there are.
    pub count: u32,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum QueryFailure {
    /// It would be too long.
    TooMuch,
    /// Nobody waits for it any more.
    Cancelled,
    /// The disk.
    Disk(rusqlite::Error),
}

impl From<rusqlite::Error> for QueryFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Disk(error)
    }
}

/// What of a series is asked for: its number if it is known, and what of it is not in chunks yet.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) key: SeriesKey,
    pub(super) number: Option<u32>,
    pub(super) windows: Vec<Window>,
}

/// A question as numbers.
struct Plan {
    resolution: Resolution,
    /// In milliseconds since 1970.
    range: Range<i64>,
    /// In milliseconds; zero for every sample.
    step: i64,
    limit: usize,
}

/// A value with the time for which it stands.
struct Piece {
    time: i64,
    length: i64,
    rollup: Rollup,
}

/// The answer, in one transaction.
pub(super) fn answer(
    chunks: Chunks<'_>,
    query: &HistoryQuery,
    wanted: Vec<Wanted>,
    token: &CancellationToken,
) -> Result<Vec<Track>, QueryFailure> {
    let plan = Plan::of(query);
    let transaction = chunks.connection.unchecked_transaction()?;
    let chunks = Chunks { connection: &transaction, ..chunks };
    let mut tracks: Vec<Line> = wanted.iter().map(|_| Line::default()).collect();
    let periods = plan.periods(chunks, &wanted)?;
    let mut total = 0;
    for period in periods {
        if token.is_cancelled() {
            return Err(QueryFailure::Cancelled);
        }
        for (wanted, line) in wanted.iter().zip(&mut tracks) {
            let before = line.points.len();
            for piece in wanted.pieces(chunks, plan.resolution, period)? {
                line.add(&piece, &plan);
            }
            total += line.points.len() - before;
            if total > plan.limit {
                return Err(QueryFailure::TooMuch);
            }
        }
    }
    let track = |(wanted, line): (Wanted, Line)| Track { key: wanted.key, points: line.points() };
    Ok(wanted.into_iter().zip(tracks).map(track).collect())
}

impl Plan {
    fn of(query: &HistoryQuery) -> Self {
        let step = i64::try_from(query.step.as_millis()).unwrap_or(i64::MAX);
        let fits = |resolution: &&Resolution| resolution.slot().is_none_or(|slot| slot <= step);
        let resolution = Resolution::ALL.iter().rev().find(fits).copied().unwrap_or(Resolution::Raw);
        let slot = resolution.slot().unwrap_or(1);
        // Longer steps than all time are all the same.
        let step = step.min(1 << 50).div_euclid(slot) * slot + if step % slot == 0 { 0 } else { slot };
        Self {
            resolution,
            range: query.from.as_millisecond()..query.to.as_millisecond(),
            step,
            limit: query.limit,
        }
    }

    /// The periods of the resolution in which there may be something.
    fn periods(&self, chunks: Chunks<'_>, wanted: &[Wanted]) -> Result<BTreeSet<i64>, QueryFailure> {
        let length = self.resolution.period();
        if self.range.is_empty() || wanted.is_empty() {
            return Ok(BTreeSet::new());
        }
        let asked = self.range.start.div_euclid(length)..(self.range.end - 1).div_euclid(length) + 1;
        let windows = wanted.iter().flat_map(|wanted| &wanted.windows);
        let starts = windows.map(|window| Resolution::Raw.start(window.period));
        let mut periods: BTreeSet<i64> = starts.map(|start| start.div_euclid(length)).collect();
        for resolution in Resolution::ALL.into_iter().filter(|one| *one >= self.resolution) {
            let each = resolution.period() / length;
            let mut range = asked.start.div_euclid(each)..(asked.end - 1).div_euclid(each) + 1;
            while let Some(period) = chunks.next_period(resolution, range.clone())? {
                periods.extend(period * each..(period + 1) * each);
                if periods.len() * wanted.len() > MOST_LOOKUPS {
                    return Err(QueryFailure::TooMuch);
                }
                range.start = period + 1;
            }
        }
        periods.retain(|period| asked.contains(period));
        Ok(periods)
    }
}

impl Wanted {
    /// What there is of a period, as fine as is asked for, or as fine as is still there.
    fn pieces(
        &self,
        chunks: Chunks<'_>,
        resolution: Resolution,
        period: i64,
    ) -> rusqlite::Result<Vec<Piece>> {
        let Some(number) = self.number else { return Ok(Vec::new()) };
        let start = resolution.start(period);
        let time = start..start + resolution.period();
        for resolution in Resolution::ALL.into_iter().filter(|one| *one >= resolution) {
            let mut pieces = match resolution.slot() {
                None => self.samples(chunks, number, period)?,
                Some(slot) => self.rollups(chunks, number, resolution, slot, time.start)?,
            };
            pieces.retain(|piece| time.contains(&piece.time));
            if !pieces.is_empty() {
                return Ok(pieces);
            }
        }
        Ok(Vec::new())
    }

    fn samples(&self, chunks: Chunks<'_>, number: u32, period: i64) -> rusqlite::Result<Vec<Piece>> {
        let mut samples = chunks.samples(number, period)?.unwrap_or_default();
        for (_, newer) in self.unsealed(chunks, |window| window == period) {
            samples = merge_samples(samples, newer).0;
        }
        let piece = |Datum { time, value }| Piece {
            time,
            length: 1,
            rollup: Rollup { slot: 0, min: value, max: value, mean: value, count: 1 },
        };
        Ok(samples.into_iter().map(piece).collect())
    }

    fn rollups(
        &self,
        chunks: Chunks<'_>,
        number: u32,
        resolution: Resolution,
        slot: i64,
        start: i64,
    ) -> rusqlite::Result<Vec<Piece>> {
        let period = start.div_euclid(resolution.period());
        let is_within = |window: i64| Resolution::Raw.start(window).div_euclid(resolution.period()) == period;
        let rollups = chunks.rollups(resolution, number, period, &self.unsealed(chunks, is_within))?;
        let piece = |rollup: Rollup| Piece { time: rollup.slot.saturating_mul(slot), length: slot, rollup };
        Ok(rollups.into_iter().map(piece).collect())
    }
}

impl Wanted {
    /// What of some periods is not in chunks yet, each period once. Only these are decoded: of all series together they
    /// would be many times as large.
    fn unsealed(&self, chunks: Chunks<'_>, is_wanted: impl Fn(i64) -> bool) -> Vec<(i64, Vec<Datum>)> {
        let mut periods: BTreeMap<i64, Vec<Datum>> = BTreeMap::new();
        for window in self.windows.iter().filter(|window| is_wanted(window.period)) {
            periods.entry(window.period).or_default().extend(chunks.whole_window(window).unwrap_or_default());
        }
        periods.into_iter().collect()
    }
}

/// The points of a track, in the making: the slot of each is when it begins, in milliseconds.
#[derive(Default)]
struct Line {
    points: Vec<Rollup>,
}

impl Line {
    /// Adds a piece, which is later than those before.
    fn add(&mut self, piece: &Piece, plan: &Plan) {
        if piece.time + piece.length <= plan.range.start || piece.time >= plan.range.end {
            return;
        }
        let time = if plan.step == 0 { piece.time } else { piece.time.div_euclid(plan.step) * plan.step };
        let rollup = Rollup { slot: time, ..piece.rollup };
        match self.points.last_mut() {
            Some(last) if last.slot == time => *last = last.and(&rollup),
            _ => self.points.push(rollup),
        }
    }

    fn points(self) -> Vec<Point> {
        let point = |Rollup { slot, min, max, mean, count }: Rollup| Point {
            time: timestamp(slot),
            min,
            max,
            avg: mean,
            count,
        };
        self.points.into_iter().map(point).collect()
    }
}
