//! How the connection to one management controller is doing.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::{BoardId, DriverError};

/// What was counted for one partner of a driver since the service started.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkStatistics {
    /// The board under which the partner appears.
    pub board: BoardId,
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it answers.
    pub state: LinkState,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Why it cannot be used, and what to do about it, when it is down.
    pub failure: Option<DriverError>,
    /// Requests that were answered or given up. Repetitions do not count.
    pub requests: u64,
    /// Datagrams that were sent again.
    pub retries: u64,
    /// Requests that were given up because no answer came.
    pub timeouts: u64,
    /// Sessions that were opened.
    pub session_opens: u64,
    /// Datagrams from its address that were no answer to anything.
    pub dropped: u64,
    /// How long an answer takes, smoothed. Nothing before the first answer.
    pub latency: Option<Duration>,
    /// The pause between requests; nothing as long as all goes well.
    pub pause: Duration,
    /// Requests that wait.
    pub waiting: usize,
    /// Whether a session is open.
    pub has_session: bool,
}

/// Whether a partner answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Nobody has asked it yet.
    Unknown,
    /// The last request was answered.
    Up,
    /// It did not answer, or did not let us in.
    Down,
}
