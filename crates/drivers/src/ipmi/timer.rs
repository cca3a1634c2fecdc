//! When which BMC needs attention: one timer for each, in one heap.
//!
//! A timer that is moved to later stays where it is and rings early once; one that is moved to earlier leaves a stale
//! entry behind. Neither costs more than a few comparisons, and a BMC without a timer costs nothing. The heap never
//! grows beyond a small multiple of the BMCs. Knows nothing of what the timers are for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// How many entries the heap may hold per BMC before the stale ones are removed.
const MAX_ENTRIES_PER_BMC: usize = 2;

/// The timers of all BMCs of one worker.
#[derive(Debug)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// For each BMC the entry that counts; all others of it are stale.
    armed: Vec<Option<Instant>>,
}

impl Timers {
    /// No timers yet, for `count` BMCs.
    pub(super) fn new(count: usize) -> Self {
        Self { heap: BinaryHeap::new(), armed: vec![None; count] }
    }

    /// Makes sure that `slot` rings at `at` or before.
    pub(super) fn arm(&mut self, slot: usize, at: Instant) {
        let Some(armed) = self.armed.get_mut(slot) else { return };
        if armed.is_some_and(|armed| armed <= at) {
            return;
        }
        *armed = Some(at);
        self.heap.push(Reverse((at, slot)));
        if self.heap.len() > self.armed.len() * MAX_ENTRIES_PER_BMC {
            self.remove_stale();
        }
    }

    /// When the next timer rings.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, slot))) = self.heap.peek() {
            if self.counts(*at, *slot) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// A BMC whose timer rings at `now` or before. Its timer is off afterwards.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((_, slot)) = self.heap.pop()?;
        if let Some(armed) = self.armed.get_mut(slot) {
            *armed = None;
        }
        Some(slot)
    }

    fn counts(&self, at: Instant, slot: usize) -> bool {
        self.armed.get(slot).is_some_and(|armed| *armed == Some(at))
    }

    fn remove_stale(&mut self) {
        let mut heap = std::mem::take(&mut self.heap);
        heap.retain(|Reverse((at, slot))| self.counts(*at, *slot));
        self.heap = heap;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn start() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[test]
    fn timers_ring_in_order_and_once() {
        let start = start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::new(3);
        for (slot, seconds) in [(0, 3), (1, 1), (2, 2)] {
            timers.arm(slot, at(seconds));
        }
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.pop_due(at(0)), None);
        let order: Vec<usize> = std::iter::from_fn(|| timers.pop_due(at(3))).collect();
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_earliest_time_asked_for_counts() {
        let start = start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::new(1);
        for seconds in [5, 9, 2] {
            timers.arm(0, at(seconds));
        }
        assert_eq!(timers.pop_due(at(2)), Some(0));
        assert_eq!((timers.pop_due(at(60)), timers.next()), (None, None));
    }

    #[test]
    fn the_heap_stays_small_however_often_timers_move() {
        let start = start();
        let mut timers = Timers::new(100);
        for round in 0..1000 {
            for slot in 0..100 {
                timers.arm(slot, start + Duration::from_secs(100_000 - round));
            }
        }
        assert!(timers.heap.len() <= 200, "{} entries", timers.heap.len());
        assert_eq!(std::iter::from_fn(|| timers.pop_due(start + Duration::from_secs(200_000))).count(), 100);
    }
}
