//! What is known of all series and not in chunks on the disk yet, in memory and bounded. It knows no files and no threads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use opendcre_model::{BoardId, DeviceId};
use tokio::time::Instant;

use super::Limits;
use super::chunk::Datum;
use super::log::{Entry, MOST_ENTRIES};
use super::rollup::Resolution;
use super::series::{Sample, SeriesKey};
use super::times::Times;
use super::window::Window;

/// The most windows of a series that wait for the end of their periods. More are of a clock that leaps about.
const MOST_OPEN: usize = 4;

/// The longest unit of a quantity in bytes; a series with a longer one is none.
const MOST_UNIT: usize = 64;

/// What is known of all series, and what waits for the disk.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    /// By their numbers, which are given in the order in which they are first seen, so that half of the places in the tree
    /// stay empty.
    series: BTreeMap<u32, Box<Series>>,
    boards: HashMap<BoardId, BoardSeries>,
    /// The windows that are to become chunks: period and series.
    closed: BTreeSet<(i64, u32)>,
    /// What is not in the log yet.
    unwritten: Unwritten,
    /// Something is neither in the log nor among `unwritten`, only in its window.
    is_behind: bool,
    /// The number of the next new series.
    next_series: u32,
    /// The number of the row of the log that is written next.
    next_row: u64,
    /// What all windows take, in bytes.
    memory: usize,
    /// The period of the newest sample, and when its first sample came.
    newest: Option<(i64, Instant)>,
    /// There may be windows of another period than that, and they are not closed.
    has_older: bool,
    recorded: u64,
    lost: u64,
}

/// The series of a board.
#[derive(Debug, Default)]
struct BoardSeries {
    devices: Vec<(DeviceId, u32)>,
    /// The times of the samples in the windows of the period in which one was begun last.
    times: (i64, Arc<Times>),
}

impl BoardSeries {
    fn times(&mut self, period: i64) -> Arc<Times> {
        if self.times.0 != period {
            self.times = (period, Arc::default());
        }
        Arc::clone(&self.times.1)
    }

    /// Lets the next windows have times of their own, so that those of a window that ends, which takes no more
    /// samples or is gone, end with it.
    fn leave(&mut self, window: &Window) {
        if window.shares(&self.times.1) {
            self.times.1 = Arc::default();
        }
    }
}

#[derive(Debug)]
struct Series {
    key: SeriesKey,
    windows: Vec<Window>,
}

/// What is not on the disk at all.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// New series.
    pub(super) series: Vec<(u32, SeriesKey)>,
    /// Samples for the log.
    pub(super) entries: Vec<Entry>,
}

impl Unwritten {
    pub(super) const fn is_empty(&self) -> bool {
        self.series.is_empty() && self.entries.is_empty()
    }
}

/// What a window holds, and of what.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) series: u32,
    pub(super) window: Window,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            series: BTreeMap::new(),
            boards: HashMap::new(),
            closed: BTreeSet::new(),
            unwritten: Unwritten::default(),
            is_behind: false,
            next_series: 0,
            next_row: 1,
            memory: 0,
            newest: None,
            has_older: false,
            recorded: 0,
            lost: 0,
        }
    }

    /// Adds a series that the disk knows.
    pub(super) fn restore_series(&mut self, number: u32, key: SeriesKey) {
        self.reserve(number);
        self.boards.entry(key.board).or_default().devices.push((key.device, number));
        self.series.insert(number, Box::new(Series { key, windows: Vec::new() }));
    }

    /// Gives this number to no new series: something on the disk may belong to one that cannot be read any more.
    pub(super) fn reserve(&mut self, number: u32) {
        self.next_series = self.next_series.max(number.saturating_add(1));
    }

    /// Adds samples of a row of the log.
    pub(super) fn restore(&mut self, row: u64, entries: impl IntoIterator<Item = Entry>) {
        self.next_row = row;
        self.has_older = true;
        for Entry { series, time, value } in entries {
            self.reserve(series);
            self.put(series, Datum { time, value });
        }
        self.next_row = row.saturating_add(1);
        self.fit();
    }

    /// Adds a sample.
    pub(super) fn record(&mut self, sample: Sample, now: Instant) {
        self.recorded += 1;
        let datum = Datum { time: sample.time.as_millisecond(), value: sample.value };
        let Some(series) = datum.value.is_finite().then(|| self.number(sample.key)).flatten() else {
            self.lost += 1;
            return;
        };
        let period = self.put(series, datum);
        if self.newest.is_none_or(|(newest, _)| newest != period) {
            self.has_older |= self.newest.is_some();
            self.newest = Some((period, now));
        }
        self.unwritten.entries.push(Entry { series, time: datum.time, value: datum.value });
        self.fit();
    }

    /// The number of a series, which it gets now if it is new. Nothing if there are too many.
    fn number(&mut self, key: SeriesKey) -> Option<u32> {
        if let Some(number) = self.find(&key) {
            return Some(number);
        }
        let number = self.next_series;
        let has_room = self.series.len() < self.limits.series && number < u32::MAX;
        if !has_room || key.quantity.unit().len() > MOST_UNIT {
            return None;
        }
        self.unwritten.series.push((number, key.clone()));
        self.restore_series(number, key);
        Some(number)
    }

    /// The number of a series that is known.
    pub(super) fn find(&self, key: &SeriesKey) -> Option<u32> {
        let devices = &self.boards.get(&key.board)?.devices;
        let is_it = |number: &u32| self.series.get(number).is_some_and(|series| series.key == *key);
        let numbers = devices.iter().filter(|(device, _)| *device == key.device).map(|(_, number)| *number);
        numbers.into_iter().find(is_it)
    }

    pub(super) fn series_of(&self, board: BoardId) -> Vec<SeriesKey> {
        let devices = self.boards.get(&board).into_iter().flat_map(|board| &board.devices);
        let numbers = devices.map(|(_, number)| number);
        numbers.filter_map(|number| self.series.get(number)).map(|series| series.key.clone()).collect()
    }

    /// The windows of a series.
    pub(super) fn windows(&self, series: u32) -> &[Window] {
        self.series.get(&series).map_or(&[], |series| &series.windows)
    }

    /// Adds a sample to the window of its period, and tells the period.
    fn put(&mut self, number: u32, datum: Datum) -> i64 {
        let period = datum.time.div_euclid(Resolution::Raw.period());
        // One of a series that was damaged on the disk belongs nowhere.
        let Some(series) = self.series.get_mut(&number) else { return period };
        let takes_it = |window: &Window| window.period == period && !window.is_sealing;
        let place = series.windows.iter().rposition(takes_it);
        let place = place.unwrap_or_else(|| {
            if series.windows.len() >= MOST_OPEN {
                let open = series.windows.iter().filter(|window| !window.is_sealing);
                self.closed.extend(open.map(|window| (window.period, number)));
            }
            // There is hardly ever a second one, and room for four would be most of what a series takes.
            series.windows.reserve_exact(1);
            let board = self.boards.entry(series.key.board).or_default();
            series.windows.push(Window::new(period, self.next_row, board.times(period)));
            series.windows.len() - 1
        });
        if let Some(window) = series.windows.get_mut(place) {
            let before = if window.count == 0 { 0 } else { window.size() };
            window.push(datum);
            self.memory = self.memory + window.size() - before;
        }
        period
    }

    /// Keeps to the bounds.
    fn fit(&mut self) {
        if self.unwritten.entries.len() > self.limits.unlogged {
            self.unwritten.entries.clear();
            self.is_behind = true;
        }
        if self.memory > self.limits.memory && self.closed.is_empty() {
            self.close_all();
        }
        while self.memory > self.limits.most_memory
            && let Some((period, number)) = self.closed.pop_first()
        {
            let lost = self.remove(period, number, false).map_or(0, |window| window.count);
            self.lost += u64::from(lost);
        }
    }

    /// Closes the windows of the periods before, some time after the first sample of a new one.
    pub(super) fn close_ended(&mut self, now: Instant) {
        let Some((newest, since)) = self.newest.filter(|_| self.has_older) else { return };
        if now.saturating_duration_since(since) >= self.limits.grace {
            self.close(|period| period != newest);
            self.has_older = false;
        }
    }

    /// Closes every window. What comes for its period later begins another one.
    pub(super) fn close_all(&mut self) {
        self.close(|_| true);
    }

    fn close(&mut self, is_closed: impl Fn(i64) -> bool) {
        for (number, series) in &self.series {
            let open = series.windows.iter().filter(|window| !window.is_sealing);
            let periods = open.map(|window| window.period);
            self.closed.extend(periods.filter(|period| is_closed(*period)).map(|period| (period, *number)));
        }
    }

    /// Whether there are windows to become chunks.
    pub(super) fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// Begins to make chunks of the first windows that are closed. They stay until they are [`Self::sealed`], and take
    /// nothing more, so that however fast samples come there is an end.
    pub(super) fn begin_sealing(&mut self, most: usize) -> Vec<Closed> {
        let first: Vec<(i64, u32)> = self.closed.iter().take(most).copied().collect();
        let closed = first.into_iter().filter_map(|(period, number)| {
            let Series { key, windows } = &mut **self.series.get_mut(&number)?;
            let mut open = windows.iter_mut().filter(|window| window.period == period && !window.is_sealing);
            let window = open.next();
            if open.next().is_none() {
                self.closed.remove(&(period, number));
            }
            let window = window?;
            window.is_sealing = true;
            self.boards.entry(key.board).and_modify(|board| board.leave(window));
            Some(Closed { series: number, window: window.clone() })
        });
        closed.collect()
    }

    /// Forgets windows that became chunks.
    pub(super) fn sealed(&mut self, closed: &[Closed]) {
        for Closed { series, window } in closed {
            self.remove(window.period, *series, true);
        }
    }

    /// Notes that windows did not become chunks. They are to be.
    pub(super) fn unsealed(&mut self, closed: &[Closed]) {
        for Closed { series, window } in closed {
            let windows = self.series.get_mut(series).map(|series| &mut series.windows);
            windows.into_iter().flatten().for_each(|window| window.is_sealing = false);
            self.closed.insert((window.period, *series));
        }
        self.fit();
    }

    /// Removes the first window of a period that is being sealed, or is not.
    fn remove(&mut self, period: i64, number: u32, is_sealing: bool) -> Option<Window> {
        let Series { key, windows } = &mut **self.series.get_mut(&number)?;
        let is_it = |window: &Window| window.period == period && window.is_sealing == is_sealing;
        let place = windows.iter().position(is_it)?;
        // What came later stays behind.
        let window = windows.remove(place);
        windows.shrink_to_fit();
        self.boards.entry(key.board).and_modify(|board| board.leave(&window));
        self.memory = self.memory.saturating_sub(window.size());
        Some(window)
    }

    /// The first row of the log that still holds something that is not in a chunk.
    pub(super) fn first_row(&self) -> u64 {
        let windows = self.series.values().flat_map(|series| &series.windows);
        windows.map(|window| window.first_row).min().unwrap_or(self.next_row)
    }

    /// Takes what is not on the disk, with the number of the first of as many rows of the log as it takes.
    pub(super) fn take_unwritten(&mut self) -> (Unwritten, u64) {
        let unwritten = mem::take(&mut self.unwritten);
        let row = self.next_row;
        self.next_row += unwritten.entries.len().div_ceil(MOST_ENTRIES) as u64;
        (unwritten, row)
    }

    /// Puts back what could not be written; what came in the meantime is newer.
    pub(super) fn put_back(&mut self, mut failed: Unwritten) {
        failed.series.append(&mut self.unwritten.series);
        failed.entries.append(&mut self.unwritten.entries);
        self.unwritten = failed;
        self.fit();
    }

    /// Begins anew for a disk that knows nothing.
    pub(super) fn forget_disk(&mut self) {
        let series = self.series.iter().map(|(number, series)| (*number, series.key.clone()));
        self.unwritten.series = series.collect();
        self.is_behind = true;
    }

    /// Whether something was neither in the log nor about to be written to it, so that everything has to become chunks
    /// now, or [`Self::fall_behind`] again.
    pub(super) const fn catch_up(&mut self) -> bool {
        mem::replace(&mut self.is_behind, false)
    }

    /// Notes that something is neither in the log nor about to be written to it.
    pub(super) const fn fall_behind(&mut self) {
        self.is_behind = true;
    }

    /// Goes on with what a disk knows that could not be read before.
    pub(super) fn adopt(&mut self, disk: Self) {
        let before = mem::replace(self, disk);
        self.recorded += before.recorded;
        self.lost += before.lost;
        for series in before.series.into_values() {
            let Series { key, windows } = *series;
            let lost = windows.iter().map(|window| u64::from(window.count)).sum::<u64>();
            let Some(number) = self.number(key) else {
                self.lost += lost;
                continue;
            };
            for mut window in windows {
                window.first_row = self.next_row;
                self.memory += window.size();
                self.closed.insert((window.period, number));
                self.series.entry(number).and_modify(|series| series.windows.push(window));
            }
        }
        self.newest = before.newest;
        self.has_older = true;
        self.is_behind = true;
        self.fit();
    }

    /// Whether there is so much to write that it should not wait.
    pub(super) const fn is_urgent(&self) -> bool {
        self.unwritten.entries.len() > self.limits.unlogged / 2
    }

    pub(super) const fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// The period of the newest sample.
    pub(super) fn newest_period(&self) -> Option<i64> {
        self.newest.map(|(period, _)| period)
    }

    /// Counts samples as lost.
    pub(super) const fn lose(&mut self, samples: u64) {
        self.lost += samples;
    }

    pub(super) fn statistics(&self) -> super::HistoryStatistics {
        super::HistoryStatistics {
            series: self.series.len() as u64,
            recorded: self.recorded,
            lost: self.lost,
            unwritten: self.unwritten.entries.len() as u64,
            waiting: self.closed.len() as u64,
            memory: self.memory as u64,
            ..super::HistoryStatistics::default()
        }
    }
}
