//! What can be counted about the polling of everything, at a price that does not grow with the values.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use opendcre_model::BoardId;
use tokio::time::Instant;

use super::status::{PollState, state};
use crate::{BoardRecord, BoardState, Gateway, View};

/// What can be counted about the polling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PollStatistics {
    /// How many rounds are planned that are in each state.
    pub states: BTreeMap<PollState, u64>,
    /// How many rounds there were since the start.
    pub rounds: u64,
    /// How many of them brought no answer at all.
    pub unanswered: u64,
    /// How many rounds were left out since the start because the one before was not over.
    pub skipped: u64,
    /// How much later than planned the latest of all last rounds began.
    pub late: Duration,
    /// How long ago each round that is planned brought an answer, in ascending order. Those that never did are not in it.
    pub ages: Vec<Duration>,
}

/// Whether a board answers when it is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answering {
    /// Whether it answered in the last of those of its rounds that come most often; nothing before the first.
    pub is_up: Option<bool>,
    /// How often those of its values are read that are read least often.
    pub slowest: Duration,
}

impl Answering {
    /// A value that was read so often without success is not current any more.
    const MISSED_ROUNDS: u32 = 3;
    /// No value is too old before this age. Prometheus itself takes a sample for current as long.
    const LEAST_STALE: Duration = Duration::from_secs(5 * 60);

    /// How old the values of a board may become until they are not current any more; it may be one that is not polled.
    #[must_use]
    pub fn stale(answering: Option<&Self>) -> Duration {
        let slowest = answering.map_or(Duration::ZERO, |answering| answering.slowest);
        Self::LEAST_STALE.max(slowest * Self::MISSED_ROUNDS)
    }
}

impl BoardRecord {
    /// Whether it answers: as its polling says or, where it is not polled, whoever looked for it last. Nothing if nobody has
    /// asked it yet.
    #[must_use]
    pub fn is_up(&self, answering: Option<&Answering>) -> Option<bool> {
        match self.state {
            BoardState::Missing => Some(false),
            BoardState::Unknown if self.failure.is_some() => Some(false),
            BoardState::Unknown => None,
            BoardState::Present => Some(answering.and_then(|answering| answering.is_up).unwrap_or(true)),
        }
    }
}

impl Gateway {
    /// What can be counted about the polling of everything.
    #[must_use]
    pub fn poll_statistics(&self) -> PollStatistics {
        let now = Instant::now();
        let schedule = self.inner.polls.schedule();
        let totals = schedule.totals();
        let mut statistics = PollStatistics {
            rounds: totals.rounds,
            unanswered: totals.unanswered,
            skipped: totals.skipped,
            ..PollStatistics::default()
        };
        for (key, round, _) in schedule.rounds() {
            *statistics.states.entry(state(*key, round, now)).or_default() += 1;
            statistics.late = statistics.late.max(round.tally.late());
            statistics.ages.extend(round.tally.age(now));
        }
        drop(schedule);
        statistics.ages.sort_unstable();
        statistics
    }
}

impl View {
    /// How the boards answer that are polled.
    #[must_use]
    pub fn answering(&self) -> HashMap<BoardId, Answering> {
        let schedule = self.gateway.inner.polls.schedule();
        let mut rounds: Vec<_> = schedule.rounds().filter(|(key, ..)| self.reach.has(key.board)).collect();
        // The last one that is looked at decides.
        rounds.sort_unstable_by_key(|(key, ..)| std::cmp::Reverse(key.interval));
        let mut boards: HashMap<BoardId, Answering> = HashMap::with_capacity(rounds.len());
        for (key, round, _) in rounds {
            let slowest = boards.get(&key.board).map_or(key.interval, |known| known.slowest);
            let is_up = (round.tally.rounds() > 0).then(|| round.tally.failures_in_a_row() == 0);
            boards.insert(key.board, Answering { is_up, slowest });
        }
        boards
    }
}
