//! What is known of each BMC and was counted, for whoever shows it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use opendcre_ipmi::client::Failure;
use opendcre_model::{BoardId, DeviceAddress, DeviceId, LinkState, LinkStatistics};

/// One BMC as its statistics show it, counted since the driver was opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The device under which it appears.
    pub device: DeviceId,
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it can be used.
    pub state: LinkState,
    /// Why it cannot be used, when it is down.
    pub failure: Option<Failure>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Commands that were answered or given up. Repetitions do not count.
    pub requests: u64,
    /// Datagrams that were sent again.
    pub retries: u64,
    /// Attempts that were given up because no answer came.
    pub timeouts: u64,
    /// Sessions that were opened.
    pub session_opens: u64,
    /// Datagrams from its address that were no answer to anything.
    pub dropped: u64,
    /// How long an answer takes, smoothed. Nothing before the first answer.
    pub latency: Option<Duration>,
    /// The pause between commands; nothing as long as all goes well.
    pub pause: Duration,
    /// Commands that wait.
    pub waiting: usize,
    /// Whether a session is open.
    pub has_session: bool,
}

impl Statistics {
    /// What every driver reports of a partner.
    pub(super) const fn link(&self, board: BoardId) -> LinkStatistics {
        LinkStatistics {
            device: DeviceAddress { board, device: self.device },
            address: self.address,
            state: self.state,
            since: self.since,
            requests: self.requests,
            retries: self.retries,
            timeouts: self.timeouts,
            session_opens: self.session_opens,
            latency: self.latency,
        }
    }
}

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
    pub(super) fn named(
        self,
        device: DeviceId,
        address: SocketAddr,
        now: Instant,
        time: Timestamp,
    ) -> Statistics {
        Statistics {
            device,
            address,
            state: self.state(),
            since: ago(time, now.saturating_duration_since(self.since)),
            failure: self.failure,
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
