//! What has to be known about BMCs, and how they are treated.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use opendcre_ipmi::client::{Access, Timing};
use opendcre_model::BoardId;

/// One BMC and how to get in.
#[derive(Debug, Clone)]
pub struct BmcConfig {
    /// The board under which it appears.
    pub board: BoardId,
    /// Where it is; the port is almost always 623.
    pub address: SocketAddr,
    /// User, password and protocol.
    pub access: Arc<Access>,
    /// The asset text that the API shows for it.
    pub asset_text: Option<String>,
    /// The names of the host behind it.
    pub hostnames: Vec<String>,
    /// The addresses of the host and of the BMC; without any, that at which the BMC is asked.
    pub ip_addresses: Vec<IpAddr>,
}

impl BmcConfig {
    /// A BMC of which nothing else is said.
    #[must_use]
    pub const fn new(board: BoardId, address: SocketAddr, access: Arc<Access>) -> Self {
        Self { board, address, access, asset_text: None, hostnames: Vec::new(), ip_addresses: Vec::new() }
    }
}

/// How all BMCs are treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The label of these BMCs in logs, metrics and errors.
    pub name: String,
    /// How many tasks share the BMCs. One serves thousands; more only help where there are more processors.
    pub workers: NonZeroUsize,
    /// How many BMCs of one worker may be asked at the same moment, so that their answers fit the socket's buffer. A
    /// BMC that takes its time does not count any more: its answer comes alone.
    pub outstanding: NonZeroUsize,
    /// How many commands may wait for one BMC in each priority. More are refused as busy.
    pub backlog: usize,
    /// After how long without use a session is closed, or kept by a harmless question where the next poll is to be expected
    /// within minutes. BMCs forget sessions after 60 s ± 3 s (IPMI 2.0 §6.12.15).
    pub idle_time: Duration,
    /// How long closing all sessions may take at the end.
    pub close_limit: Duration,
    /// How long answers are waited for, and how often a question is sent.
    pub timing: Timing,
    /// The pause between commands to one BMC.
    pub pacing: Pacing,
    /// When a BMC is tried again that cannot be used.
    pub back_off: BackOff,
    /// How often a question is asked again when the BMC answers that it is busy (completion code C0h).
    pub busy_repeats: u8,
    /// The size of a socket's receive buffer in bytes, as far as the system allows it.
    pub receive_buffer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "ipmi".to_owned(),
            workers: NonZeroUsize::MIN,
            outstanding: NonZeroUsize::MIN.saturating_add(255),
            backlog: 64,
            idle_time: Duration::from_secs(50),
            close_limit: Duration::from_secs(3),
            timing: Timing::default(),
            pacing: Pacing::default(),
            back_off: BackOff::default(),
            busy_repeats: 5,
            receive_buffer: 4 << 20,
        }
    }
}

/// The pause between commands to one BMC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// The pause as long as all goes well.
    pub floor: Duration,
    /// The pause after the first sign of trouble; it doubles with every further one.
    pub first: Duration,
    /// The longest pause.
    pub ceiling: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { floor: Duration::ZERO, first: Duration::from_millis(10), ceiling: Duration::from_secs(1) }
    }
}

/// When a BMC is tried again that cannot be used. Each wait is twice the one before, give or take a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub last: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), last: Duration::from_secs(60) }
    }
}
