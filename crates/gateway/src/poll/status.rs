//! How the polling goes: what is due, what is late, and why.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use opendcre_model::Query;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::schedule::{Key, Round, Stage};
use crate::{BoardFailure, BoardRecord, View};

/// A round that begins later than this, and later than a quarter of its interval, is late.
const LATE: Duration = Duration::from_secs(1);

/// How the values of a board are read that have the same interval.
#[derive(Debug, Clone, PartialEq)]
pub struct PollStatus {
    /// The board.
    pub board: Arc<BoardRecord>,
    /// How often they are read.
    pub interval: Duration,
    /// How many they are.
    pub values: usize,
    /// How many of them are left out, because the equipment said that it cannot tell them.
    pub unsupported: usize,
    /// How it goes.
    pub state: PollState,
    /// When they are to be read next, seen from now; negative if that should have been before.
    pub due: SignedDuration,
    /// How much later than planned the last round began.
    pub late: Duration,
    /// How long the last round took; nothing before the first.
    pub took: Option<Duration>,
    /// When the board answered last.
    pub answered_at: Option<Timestamp>,
    /// How many rounds there were.
    pub rounds: u64,
    /// How many rounds were left out because the one before was not over.
    pub skipped: u64,
    /// What was not answered in the last round, and why.
    pub failures: Vec<(Query, BoardFailure)>,
}

/// How the polling of a board goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollState {
    /// Its values are known, and are read again when they are due.
    Waiting,
    /// It is being asked.
    Running,
    /// It has not been asked yet.
    Pending,
    /// Some of its values were not told.
    Partial,
    /// It is due, and others go before it on the same wire.
    Late,
    /// It does not answer.
    Failing,
}

impl PollState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Running, Self::Pending, Self::Partial, Self::Late, Self::Failing];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Pending => "pending",
            Self::Partial => "partial",
            Self::Late => "late",
            Self::Failing => "failing",
        }
    }
}

impl View {
    /// How the polling goes, board by board.
    #[must_use]
    pub fn polls(&self) -> Vec<PollStatus> {
        let now = Instant::now();
        let mut all: Vec<PollStatus> = {
            let schedule = self.gateway.inner.polls.schedule();
            let shown = schedule
                .rounds()
                .filter_map(|(key, round, board)| Some(status(*key, round, self.reach.part_of(board)?, now)));
            shown.collect()
        };
        all.sort_by_key(|status| (status.board.id, status.interval));
        all
    }
}

fn status(key: Key, round: &Round, board: Arc<BoardRecord>, now: Instant) -> PollStatus {
    let tally = &round.tally;
    let is_shown = |query: &&Query| query.device().is_none_or(|device| board.device(device.device).is_some());
    let failures = tally.failures().iter().filter(|(query, _)| is_shown(&query)).cloned().collect();
    PollStatus {
        interval: key.interval,
        values: round.queries.iter().filter(is_shown).count(),
        unsupported: tally.resting().filter(is_shown).count(),
        state: state(key, round, now),
        due: until(round.due, now),
        late: tally.late(),
        took: tally.took(),
        answered_at: tally.answered_at(),
        rounds: tally.rounds(),
        skipped: tally.skipped(),
        failures,
        board,
    }
}

pub(super) fn state(Key { interval, .. }: Key, round: &Round, now: Instant) -> PollState {
    let tally = &round.tally;
    let is_overdue = now.saturating_duration_since(round.due) > LATE.max(interval / 4);
    if is_overdue && round.stage != Stage::Running {
        PollState::Late
    } else if tally.failures_in_a_row() > 0 {
        PollState::Failing
    } else if round.stage == Stage::Running {
        PollState::Running
    } else if tally.rounds() == 0 {
        PollState::Pending
    } else if tally.failures().is_empty() {
        PollState::Waiting
    } else {
        PollState::Partial
    }
}

fn until(due: Instant, now: Instant) -> SignedDuration {
    let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    if due >= now { signed(due - now) } else { -signed(now - due) }
}
