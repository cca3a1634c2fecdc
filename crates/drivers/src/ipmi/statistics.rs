//! What is known of each BMC and was counted, for whoever shows it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use opendcre_ipmi::client::Failure;
use opendcre_model::{BoardId, DriverError, LinkState, LinkStatistics};

use super::error::{BmcError, Problem};

/// What a worker publishes of one BMC.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) is_up: bool,
    pub(super) failure: Option<Failure>,
    pub(super) since: Instant,
    pub(super) requests: u64,
    pub(super) retries: u64,
    pub(super) timeouts: u64,
    pub(super) session_opens: u64,
    pub(super) dropped: u64,
    pub(super) latency: Option<Duration>,
    pub(super) pause: Duration,
    pub(super) waiting: usize,
    pub(super) has_session: bool,
}

impl Row {
    /// Before anything has happened.
    const fn new(now: Instant) -> Self {
        Self {
            is_up: false,
            failure: None,
            since: now,
            requests: 0,
            retries: 0,
            timeouts: 0,
            session_opens: 0,
            dropped: 0,
            latency: None,
            pause: Duration::ZERO,
            waiting: 0,
            has_session: false,
        }
    }

    const fn state(&self) -> LinkState {
        match (&self.failure, self.is_up) {
            (Some(_), _) => LinkState::Down,
            (None, true) => LinkState::Up,
            (None, false) => LinkState::Unknown,
        }
    }

    /// With a name, and on the clock of the wall, which shows `time` at `now`.
    pub(super) fn link(
        self,
        board: BoardId,
        address: SocketAddr,
        now: Instant,
        time: Timestamp,
    ) -> LinkStatistics {
        let since = ago(time, now.saturating_duration_since(self.since));
        LinkStatistics {
            board,
            address,
            state: self.state(),
            since,
            failure: self.failure.map(|failure| error(board, address, since, failure)),
            requests: self.requests,
            retries: self.retries,
            timeouts: self.timeouts,
            session_opens: self.session_opens,
            dropped: self.dropped,
            latency: self.latency,
            pause: self.pause,
            waiting: self.waiting,
            has_session: self.has_session,
        }
    }
}

/// The same sentence as in the answer to a request that fails for this reason.
fn error(board: BoardId, address: SocketAddr, at: Timestamp, failure: Failure) -> DriverError {
    BmcError { bmc: board, address: Some(address), at, problem: Problem::Session(failure) }.into()
}

/// The time of day `age` before `time`.
pub(super) fn ago(time: Timestamp, age: Duration) -> Timestamp {
    SignedDuration::try_from(age).ok().and_then(|age| time.checked_sub(age).ok()).unwrap_or(time)
}

/// What a worker publishes of all its BMCs. Locked for copies only.
#[derive(Debug)]
pub(super) struct Table(Mutex<Rows>);

#[derive(Debug)]
struct Rows {
    rows: Vec<Row>,
    down: usize,
}

impl Table {
    pub(super) fn new(count: usize, now: Instant) -> Self {
        Self(Mutex::new(Rows { rows: vec![Row::new(now); count], down: 0 }))
    }

    /// A panic elsewhere leaves it consistent.
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, changed: impl Iterator<Item = (usize, Row)>) {
        let mut table = self.rows();
        for (slot, row) in changed {
            let Rows { rows, down } = &mut *table;
            if let Some(old) = rows.get_mut(slot) {
                *down -= usize::from(old.failure.is_some());
                *down += usize::from(row.failure.is_some());
                *old = row;
            }
        }
    }

    pub(super) fn row(&self, slot: usize) -> Option<Row> {
        self.rows().rows.get(slot).cloned()
    }

    pub(super) fn all(&self) -> Vec<Row> {
        self.rows().rows.clone()
    }

    /// How many BMCs cannot be used.
    pub(super) fn down(&self) -> usize {
        self.rows().down
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::{BoardId, Fault};

    use super::*;

    const BOARD: BoardId = BoardId(0x4000_0001);

    fn statistics(change: impl FnOnce(&mut Row)) -> LinkStatistics {
        let now = tokio::time::Instant::now().into_std();
        let mut row = Row::new(now);
        change(&mut row);
        let time = Timestamp::constant(1_450_000_000, 0);
        row.link(BOARD, ([10, 1, 0, 20], 623).into(), now, time)
    }

    #[test]
    fn why_a_bmc_is_down_is_told_in_the_words_of_its_errors() {
        let link = statistics(|row| row.failure = Some(Failure::WrongPassword));
        assert_eq!(link.state, LinkState::Down);
        let failure = link.failure.unwrap();
        assert_eq!((failure.code, failure.fault), ("wrong_password", Fault::NotPermitted));
        assert_eq!(
            failure.message,
            "bmc 40000001 at 10.1.0.20:623: the BMC has another password for the user; check the password"
        );
    }

    #[test]
    fn everything_that_is_counted_is_told() {
        let counted = statistics(|row| {
            *row = Row {
                is_up: true,
                requests: 1,
                retries: 2,
                timeouts: 3,
                session_opens: 4,
                dropped: 5,
                latency: Some(Duration::from_millis(6)),
                pause: Duration::from_millis(7),
                waiting: 8,
                has_session: true,
                ..row.clone()
            }
        });
        let told = LinkStatistics {
            board: BOARD,
            address: ([10, 1, 0, 20], 623).into(),
            state: LinkState::Up,
            since: Timestamp::constant(1_450_000_000, 0),
            failure: None,
            requests: 1,
            retries: 2,
            timeouts: 3,
            session_opens: 4,
            dropped: 5,
            latency: Some(Duration::from_millis(6)),
            pause: Duration::from_millis(7),
            waiting: 8,
            has_session: true,
        };
        assert_eq!(counted, told);
    }
}
