//! The newest events: those that wait for the disk, those that are on it, and those that the disk would not take. It does
//! no I/O.
//!
//! They stand in one queue with two marks. What is above `shown` nobody has seen yet; what is above `saved` is not on the
//! disk. Usually both marks are the same, because nothing is shown before it is on the disk; while the disk cannot be
//! written, only `shown` moves on.

use std::collections::{BTreeMap, VecDeque, vec_deque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::database::Loaded;
use super::number::{Gap, Numbers};
use super::{Event, EventKind, Kept, NewEvent, Severity};

/// How many events there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// The most that wait to be shown. More are refused.
    pub(super) waiting: usize,
    /// The most in all, not less than those that wait.
    pub(super) newest: usize,
}

/// The newest events.
#[derive(Debug)]
pub(super) struct Memory {
    room: Room,
    numbers: Numbers,
    queue: VecDeque<Kept>,
    shown: u64,
    saved: u64,
    /// The oldest event on the disk.
    oldest_saved: Option<u64>,
    /// How many were refused, and how many never reached the disk, since that was told.
    untold: Lost,
    /// The same since the start.
    lost: Lost,
    /// How many were taken since the start.
    taken: BTreeMap<(EventKind, Severity), u64>,
}

/// How many events are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// They were too many at once. Nobody has seen them.
    pub(super) refused: u64,
    /// They had to make way for newer ones before they were on the disk.
    pub(super) unsaved: u64,
}

/// Where somebody who reads goes on.
pub(super) enum Next {
    /// With these, the newest there are. So many before them are not kept any more.
    Events(Vec<Arc<Event>>, u64),
    /// With what the disk holds between these numbers.
    Disk(u64, u64),
}

impl Memory {
    /// What a file held; where it was set aside, `first` is the first number that no event in it can have had.
    pub(super) fn new(room: Room, loaded: Loaded, first: Option<u64>) -> Self {
        let Loaded { newest, oldest, latest, gaps } = loaded;
        let mut numbers = Numbers::after(latest, gaps);
        if let Some(first) = first {
            numbers.skip_to(first);
        }
        let saved = latest.unwrap_or(0);
        let nothing = Lost::default();
        Self {
            room,
            numbers,
            queue: newest.into(),
            shown: saved,
            saved,
            oldest_saved: oldest,
            untold: nothing,
            lost: nothing,
            taken: BTreeMap::new(),
        }
    }

    /// Takes an event, if there is room.
    pub(super) fn put(&mut self, event: NewEvent, time: Timestamp, lived: Duration) {
        if self.waiting() < self.room.waiting {
            self.add(event, time, lived);
        } else {
            self.refuse();
        }
    }

    /// Takes an event about itself, for which there is always room.
    pub(super) fn add(&mut self, event: NewEvent, time: Timestamp, lived: Duration) {
        *self.taken.entry((event.kind, event.severity)).or_default() += 1;
        let event = Arc::new(event.numbered(self.numbers.give(), time));
        self.queue.push_back(Kept { event, lived });
        self.forget();
    }

    /// Counts an event that is not taken.
    pub(super) const fn refuse(&mut self) {
        self.untold.refused += 1;
        self.lost.refused += 1;
    }

    /// Everything that is not on the disk.
    pub(super) fn unsaved(&self) -> Vec<Kept> {
        self.above(self.saved).cloned().collect()
    }

    /// Lets everybody see what is on the disk.
    pub(super) fn show_saved(&mut self) {
        self.shown = self.shown.max(self.saved);
        self.forget();
    }

    /// Lets everybody see everything.
    pub(super) fn show_all(&mut self) {
        self.shown = self.queue.back().map_or(self.shown, |kept| kept.event.sequence);
        self.forget();
    }

    /// Notes that the events up to this one are on the disk, and which is the oldest there.
    pub(super) fn note_saved(&mut self, sequence: u64, oldest: Option<u64>) {
        self.saved = self.saved.max(sequence);
        self.oldest_saved = oldest;
    }

    /// Goes on in a file that could not be opened before. Nothing if that holds numbers which were given again meanwhile.
    pub(super) fn adopt(&mut self, loaded: Loaded) -> Option<()> {
        let Loaded { oldest, latest, gaps, .. } = loaded;
        let latest = latest.unwrap_or(0);
        self.numbers.continue_after(latest, gaps)?;
        self.saved = latest;
        self.oldest_saved = oldest;
        Some(())
    }

    /// Notes that the file is a fresh one, so that all events are to be written again.
    pub(super) const fn note_fresh_file(&mut self) {
        self.saved = 0;
        self.oldest_saved = None;
    }

    /// How many were refused since this was asked last.
    pub(super) const fn take_refused(&mut self) -> u64 {
        std::mem::replace(&mut self.untold.refused, 0)
    }

    /// How many are missing on the disk that were given up since this was asked last.
    pub(super) const fn take_unsaved(&mut self) -> u64 {
        std::mem::replace(&mut self.untold.unsaved, 0)
    }

    /// What was lost since the start.
    pub(super) const fn lost(&self) -> Lost {
        self.lost
    }

    /// How many were taken since the start.
    pub(super) const fn taken(&self) -> &BTreeMap<(EventKind, Severity), u64> {
        &self.taken
    }

    /// How many wait to be shown.
    pub(super) fn waiting(&self) -> usize {
        self.above(self.shown).len()
    }

    /// How many are not on the disk.
    pub(super) fn unsaved_count(&self) -> usize {
        self.above(self.saved).len()
    }

    /// How many are on the disk.
    pub(super) fn saved_count(&self) -> u64 {
        let oldest = self.oldest_saved.unwrap_or(self.saved + 1);
        self.numbers.given_between(oldest.saturating_sub(1), self.saved + 1)
    }

    /// The numbers that were never given, as far as that is not on the disk.
    pub(super) fn unsaved_gaps(&self) -> Vec<Gap> {
        self.numbers.gaps().iter().filter(|gap| gap.after >= self.saved).copied().collect()
    }

    /// The oldest event that can be read.
    pub(super) fn oldest(&self) -> Option<u64> {
        let shown = |kept: &&Kept| kept.event.sequence <= self.shown;
        let first = self.queue.front().filter(shown).map(|kept| kept.event.sequence);
        self.oldest_saved.into_iter().chain(first).min()
    }

    /// The newest event that can be read; zero before the first.
    pub(super) const fn shown(&self) -> u64 {
        self.shown
    }

    /// Where reading begins for somebody who has read up to `cursor`: at the beginning, if that is no number of this log.
    pub(super) const fn begin(&self, cursor: u64) -> u64 {
        if self.numbers.is_known(cursor) { cursor } else { 0 }
    }

    /// Where somebody begins who wants the newest `count` events.
    pub(super) fn back(&self, count: u64) -> u64 {
        self.numbers.back(self.shown, count)
    }

    /// Where somebody goes on who has read up to `cursor`, with at most `limit` events.
    pub(super) fn next(&self, cursor: u64, limit: usize) -> Next {
        let first = self.queue.front().map_or(self.shown + 1, |kept| kept.event.sequence);
        if self.oldest_saved.is_some_and(|oldest| oldest < first) && cursor + 1 < first {
            return Next::Disk(cursor, first);
        }
        let missed = if cursor + 1 < first { self.given_between(cursor, first) } else { 0 };
        let events = self.above(cursor).filter(|kept| kept.event.sequence <= self.shown).take(limit);
        Next::Events(events.map(|kept| Arc::clone(&kept.event)).collect(), missed)
    }

    /// How many events there were between two numbers.
    pub(super) fn given_between(&self, after: u64, before: u64) -> u64 {
        self.numbers.given_between(after, before)
    }

    fn above(&self, sequence: u64) -> vec_deque::Iter<'_, Kept> {
        let first = self.queue.partition_point(|kept| kept.event.sequence <= sequence);
        self.queue.range(first..)
    }

    /// Makes way for newer ones. What nobody has seen stays.
    fn forget(&mut self) {
        while self.queue.len() > self.room.newest
            && let Some(kept) = self.queue.pop_front_if(|kept| kept.event.sequence <= self.shown)
        {
            let is_unsaved = u64::from(kept.event.sequence > self.saved);
            self.untold.unsaved += is_unsaved;
            self.lost.unsaved += is_unsaved;
        }
    }
}
