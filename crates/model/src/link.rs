//! How the connection to one management controller is doing.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::DeviceAddress;

/// What was counted for one partner of a driver since the service started.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkStatistics {
    /// The device under which the partner appears.
    pub device: DeviceAddress,
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it answers.
    pub state: LinkState,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Requests that were answered or given up. Repetitions do not count.
    pub requests: u64,
    /// Datagrams that were sent again.
    pub retries: u64,
    /// Requests that were given up because no answer came.
    pub timeouts: u64,
    /// Sessions that were opened.
    pub session_opens: u64,
    /// How long an answer takes, smoothed. Nothing before the first answer.
    pub latency: Option<Duration>,
}

/// Whether a partner answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Nobody has asked it yet.
    Unknown,
    /// The last request was answered.
    Up,
    /// It does not answer; requests fail at once until it does.
    Down,
}
