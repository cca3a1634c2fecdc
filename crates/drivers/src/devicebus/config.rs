//! What a bus needs to know about its line and its boards.

use std::path::PathBuf;
use std::time::Duration;

use opendcre_devicebus::{MasterConfig, Protocol, ReplyMatching};

/// One serial line and how to speak on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusConfig {
    /// The label of this bus in logs, metrics and errors.
    pub name: String,
    /// The tty.
    pub device: PathBuf,
    /// Line speed in bits per second.
    pub baud: u32,
    /// How long a complete reply may take after the request has left the line.
    pub timeout: Duration,
    /// How closely replies must fit their requests.
    pub replies: ReplyMatching,
    /// The release that the boards speak. From 1.2 on they repeat a damaged answer when asked.
    pub protocol: Protocol,
    /// How often a damaged answer is asked for again, and how often a scan is sent at most.
    pub retry_limit: u8,
    /// Length of a board's slot in a scan of all, in milliseconds.
    pub time_slice_ms: u8,
    /// Two bytes that tell boards which master assigned their slot.
    pub master_id: [u8; 2],
    /// Whether boards are told to keep their slots after a scan of all.
    pub save_slots: bool,
    /// How many transactions may wait. More are refused as busy.
    pub backlog: usize,
}

impl BusConfig {
    /// A bus with the values of the original: 115200 baud, 250 ms, three retries, slots of 75 ms.
    #[must_use]
    pub fn new(name: impl Into<String>, device: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            device: device.into(),
            baud: 115_200,
            timeout: Duration::from_millis(250),
            replies: ReplyMatching::Strict,
            protocol: Protocol::V1_3,
            retry_limit: 3,
            time_slice_ms: 75,
            master_id: [0, 0],
            save_slots: false,
            backlog: 64,
        }
    }

    pub(crate) fn master(&self) -> MasterConfig {
        MasterConfig {
            baud: self.baud,
            reply_timeout: self.timeout,
            matching: self.replies,
            protocol: self.protocol,
            retry_limit: self.retry_limit,
            save_after_scan: self.save_slots,
            ..MasterConfig::default()
        }
    }
}
