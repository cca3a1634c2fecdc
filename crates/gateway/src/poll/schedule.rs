//! When which board is read. Pure: the time goes in, and rounds that are due come out.
//!
//! A round is all questions to one board that have the same interval. Rounds are due on a grid of their own, so that they
//! neither drift nor fall together; one that is still running when it is due again is left out, not made up for. Whoever
//! does not answer is asked less often. A round that is not due costs nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use opendcre_model::{BoardId, Query};
use tokio::time::Instant;

use super::round::Report;
use super::rule::Rules;
use super::tally::Tally;
use crate::BoardRecord;

/// How far the first rounds of a board are from those of the next one, so that a small room is known soon.
const SPREAD: Duration = Duration::from_millis(20);
/// A round begins later than planned by at most this part of its interval, so that boards do not stay in step.
const JITTER: u32 = 32;
/// A round that took longer than its interval is followed by a pause of at least this part of it.
const BREATHER: u32 = 4;
/// How often the interval is doubled for a board that does not answer.
const MOST_DOUBLINGS: u32 = 3;
/// The longest pause between rounds that go unanswered, unless the interval itself is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Which round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) board: BoardId,
    pub(super) interval: Duration,
}

/// A round, and how the last ones went.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) queries: Arc<[Query]>,
    /// Its place on the grid.
    beat: Instant,
    /// When it is to begin; while it runs, when it was to begin.
    pub(super) due: Instant,
    pub(super) stage: Stage,
    pub(super) tally: Tally,
}

/// How far a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is not due yet.
    Planned,
    /// It is due, and waits for its wire.
    Waiting,
    /// Its questions are being asked.
    Running,
}

/// All rounds.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Boxed, because up to three quarters of the places of a table are empty.
    rounds: HashMap<Key, Box<Round>>,
    /// An entry whose round is gone, or due at another time, counts for nothing.
    timers: BinaryHeap<Reverse<(Instant, Key)>>,
    boards: HashMap<BoardId, Planned>,
    totals: Totals,
}

/// What was counted of all rounds since the start, also of those that are planned no more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) rounds: u64,
    /// Rounds that brought no answer at all.
    pub(super) unanswered: u64,
    /// Rounds that were left out because the one before was not over.
    pub(super) skipped: u64,
}

/// A board as it was when its rounds were planned.
#[derive(Debug)]
struct Planned {
    record: Arc<BoardRecord>,
    intervals: Vec<Duration>,
}

impl Schedule {
    /// Plans the rounds of `boards`, and of no others. Costs little where nothing has changed.
    pub(super) fn update(
        &mut self,
        boards: impl ExactSizeIterator<Item = Arc<BoardRecord>>,
        rules: &Rules,
        now: Instant,
    ) {
        let count = u32::try_from(boards.len()).unwrap_or(u32::MAX);
        let mut present = HashSet::with_capacity(boards.len());
        for board in boards {
            present.insert(board.id);
            let is_planned = |planned: &Planned| Arc::ptr_eq(&planned.record, &board);
            if !self.boards.get(&board.id).is_some_and(is_planned) {
                self.plan(board, rules, SPREAD.saturating_mul(count), now);
            }
        }
        let gone: Vec<BoardId> = self.boards.keys().filter(|id| !present.contains(id)).copied().collect();
        for board in gone {
            self.forget(board);
        }
    }

    fn plan(&mut self, record: Arc<BoardRecord>, rules: &Rules, spread: Duration, now: Instant) {
        let id = record.id;
        let plan = rules.plan(&record);
        let planned = Planned { intervals: plan.keys().copied().collect(), record };
        let before = self.boards.insert(id, planned);
        for interval in before.into_iter().flat_map(|planned| planned.intervals) {
            if !plan.contains_key(&interval) {
                self.rounds.remove(&Key { board: id, interval });
            }
        }
        for (interval, queries) in plan {
            let key = Key { board: id, interval };
            if let Some(round) = self.rounds.get_mut(&key) {
                round.queries = queries.into();
                continue;
            }
            let due = now + part(spread.min(interval), hash(&key));
            let tally = Tally::default();
            let round = Round { queries: queries.into(), beat: due, due, stage: Stage::Planned, tally };
            self.rounds.insert(key, Box::new(round));
            self.timers.push(Reverse((due, key)));
        }
    }

    fn forget(&mut self, board: BoardId) {
        for interval in self.boards.remove(&board).into_iter().flat_map(|planned| planned.intervals) {
            self.rounds.remove(&Key { board, interval });
        }
    }

    /// When the next round is due.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((due, key))) = self.timers.peek() {
            if self.rounds.get(key).is_some_and(|round| round.due == *due && round.stage == Stage::Planned) {
                return Some(*due);
            }
            self.timers.pop();
        }
        None
    }

    /// A round that is due at `now`. It is not due again before [`Schedule::end`].
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        self.next().filter(|due| *due <= now)?;
        let Reverse((_, key)) = self.timers.pop()?;
        self.rounds.get_mut(&key)?.stage = Stage::Waiting;
        Some(key)
    }

    /// Lets a round begin that was due, and tells what to ask. Nothing if it is not planned any more.
    pub(super) fn begin(&mut self, key: Key, now: Instant) -> Option<Vec<Query>> {
        let round = self.rounds.get_mut(&key)?;
        round.stage = Stage::Running;
        round.tally.begin(now.saturating_duration_since(round.due));
        Some(round.tally.worth_asking(&round.queries))
    }

    /// Notes how a round went, and plans the next one.
    pub(super) fn end(&mut self, key: Key, report: Report, now: Instant) {
        let Some(round) = self.rounds.get_mut(&key) else { return };
        round.stage = Stage::Planned;
        round.tally.end(report, now);
        let doublings = round.tally.failures_in_a_row().min(MOST_DOUBLINGS);
        let pause = (key.interval * (1 << doublings)).min(LONGEST_PAUSE.max(key.interval));
        let missed = now.saturating_duration_since(round.beat).as_nanos() / pause.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        round.tally.skip(missed);
        self.totals.rounds += 1;
        self.totals.unanswered += u64::from(round.tally.failures_in_a_row() > 0);
        self.totals.skipped += u64::from(missed);
        round.beat = (round.beat + pause).max(now + pause / BREATHER);
        round.due = round.beat + part(pause / JITTER, hash(&(key, round.tally.rounds())));
        self.timers.push(Reverse((round.due, key)));
    }

    /// What was counted since the start.
    pub(super) const fn totals(&self) -> Totals {
        self.totals
    }

    /// Every round, with the board as it was planned.
    pub(super) fn rounds(&self) -> impl Iterator<Item = (&Key, &Round, &Arc<BoardRecord>)> {
        self.rounds.iter().filter_map(|(key, round)| {
            let planned = self.boards.get(&key.board)?;
            Some((key, &**round, &planned.record))
        })
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A part of `whole` that `hash` chooses.
fn part(whole: Duration, hash: u64) -> Duration {
    const STEPS: u32 = 1 << 16;
    let [low, high, ..] = hash.to_le_bytes();
    whole / STEPS * u32::from(u16::from_le_bytes([low, high]))
}

#[cfg(test)]
mod tests {
    use opendcre_model::{Capabilities, Capability, Device, DeviceId, DeviceKind};

    use super::*;
    use crate::poll::rule::PollSettings;
    use crate::testing;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn board(id: u32) -> Arc<BoardRecord> {
        let capabilities = Capabilities::of(&[Capability::Reading]);
        Arc::new(BoardRecord {
            devices: vec![Device::new(DeviceId(1), DeviceKind::Temperature, capabilities)],
            ..testing::board(id, &id.to_string())
        })
    }

    /// Runs the rounds of `schedule` until `end`, each of which takes `took`, and tells when they began.
    fn run(schedule: &mut Schedule, end: Instant, took: Duration) -> Vec<(Instant, Key)> {
        let mut begun = Vec::new();
        while let Some(at) = schedule.next().filter(|at| *at <= end) {
            let key = schedule.pop_due(at).unwrap();
            assert_eq!(schedule.begin(key, at).unwrap().len(), 1);
            schedule.end(key, Report { answered: 1, ..Report::default() }, at + took);
            begun.push((at, key));
        }
        begun
    }

    fn planned(boards: &[Arc<BoardRecord>], now: Instant) -> Schedule {
        let mut schedule = Schedule::default();
        schedule.update(boards.iter().cloned(), &Rules::new(&PollSettings::default()), now);
        schedule
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_stay_on_their_grid_however_long_it_goes_on() {
        let now = Instant::now();
        let mut schedule = planned(&[board(1)], now);
        let begun = run(&mut schedule, now + 100_000 * INTERVAL, Duration::from_secs(1));
        assert_eq!(begun.len(), 100_000);
        for ((at, _), beat) in begun.iter().zip(0..) {
            let off = at.duration_since(now + INTERVAL * beat);
            assert!(off <= SPREAD + INTERVAL / JITTER, "beat {beat} is off by {off:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_that_takes_longer_than_its_interval_is_followed_by_a_pause() {
        let now = Instant::now();
        let mut schedule = planned(&[board(1)], now);
        let begun = run(&mut schedule, now + 100 * INTERVAL, INTERVAL * 5 / 2);
        assert!((36..=38).contains(&begun.len()), "{}", begun.len());
        let (_, round, _) = schedule.rounds().next().unwrap();
        assert!(round.tally.skipped() >= 66, "{}", round.tally.skipped());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_late_and_what_is_left_out_is_counted() {
        let now = Instant::now();
        let mut schedule = planned(&[board(1), board(2)], now);
        let answered = || Report { answered: 1, ..Report::default() };
        let (first, second) = (schedule.pop_due(now + INTERVAL), schedule.pop_due(now + INTERVAL));
        let (first, second) = (first.unwrap(), second.unwrap());
        let due = |schedule: &Schedule, key| schedule.rounds[&key].due;
        let late = Duration::from_secs(7);
        let at = due(&schedule, first) + late;
        schedule.begin(first, at);
        assert_eq!(schedule.rounds[&first].tally.late(), late);
        // Two more turns have come and gone when it ends.
        schedule.end(first, answered(), due(&schedule, first) + 2 * INTERVAL + late);
        assert_eq!(schedule.rounds[&first].tally.skipped(), 2);

        let at = due(&schedule, second);
        let queries = schedule.begin(second, at).unwrap();
        let gone = crate::GatewayError::ShuttingDown;
        schedule.end(second, Report::failed(&queries, &gone, jiff::Timestamp::UNIX_EPOCH), at);
        let Totals { rounds, unanswered, skipped } = schedule.totals();
        assert_eq!((rounds, unanswered, skipped), (2, 1, 2));
        // What was counted stays when nobody polls the boards any more.
        schedule.update([].into_iter(), &Rules::new(&PollSettings::default()), at);
        assert_eq!(schedule.totals().rounds, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn boards_that_stay_keep_their_turn_and_those_that_go_have_none() {
        let now = Instant::now();
        let boards: Vec<_> = (1..=3).map(board).collect();
        let mut schedule = planned(&boards, now);
        let due = |schedule: &Schedule, id: u32| {
            schedule.rounds().find(|(key, ..)| key.board == BoardId(id)).map(|(_, round, _)| round.due)
        };
        let before = due(&schedule, 2);
        let rules = Rules::new(&PollSettings::default());
        let later = now + Duration::from_secs(10);
        schedule.update([board(2), board(4)].into_iter(), &rules, later);
        assert_eq!(due(&schedule, 2), before);
        assert_eq!([due(&schedule, 1), due(&schedule, 3)], [None; 2]);
        assert!(due(&schedule, 4).unwrap() >= later);
        let begun = run(&mut schedule, now + INTERVAL, Duration::ZERO);
        assert!(begun.iter().all(|(_, key)| [BoardId(2), BoardId(4)].contains(&key.board)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_of_a_board_that_has_gone_ends_without_a_trace() {
        let now = Instant::now();
        let mut schedule = planned(&[board(1)], now);
        let key = schedule.pop_due(now + INTERVAL).unwrap();
        schedule.update([].into_iter(), &Rules::new(&PollSettings::default()), now);
        assert_eq!(schedule.begin(key, now), None);
        schedule.end(key, Report::default(), now);
        assert_eq!((schedule.next(), schedule.rounds().count()), (None, 0));
    }
}
