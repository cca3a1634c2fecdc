//! The `[[devicebus]]` tables: serial lines with boards, and how they are spoken to. It opens none of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BoardRange, text};

/// One serial device bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceBus {
    /// Label in logs, metrics and errors: 1 to 32 letters, digits, `-` and `_`, unique.
    pub name: String,
    /// The rack that holds the boards of this bus: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub rack: String,
    /// The tty, an absolute path.
    pub device: PathBuf,
    /// Line speed in bits per second: 9600, 19200, 38400, 57600, 115200, 230400, 460800 or 921600.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// How long a complete answer may take, up to 60s; at least as long as the longest packet is on the wire.
    #[serde(default = "default_timeout", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub timeout: Duration,
    /// Which answers belong to a request.
    #[serde(default)]
    pub replies: Replies,
    /// The protocol version that the boards speak.
    #[serde(default, deserialize_with = "text::version")]
    pub protocol: Protocol,
    /// The boards of this bus, first to last, up to 00ffffff. Without it, a scan tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boards: Option<BoardRange>,
    /// How often a read or scan is repeated after a damaged answer, 0 to 10.
    #[serde(default = "default_retry_limit")]
    pub retry_limit: u8,
    /// The time slot of one board in a scan of all boards, whole milliseconds from 1ms to 255ms.
    #[serde(default = "default_time_slice", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub time_slice: Duration,
    /// After a scan without collisions, tell the boards to keep their time slots.
    #[serde(default)]
    pub save_slots: bool,
    /// Requests that may wait for the bus, 1 to 4096. Beyond it a request is refused with 503.
    #[serde(default = "default_backlog")]
    pub backlog: usize,
    /// What takes the place of the bus until the next start when its tty is missing, or nobody answers there, at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// What takes the place of a bus where nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// Emulated boards, which are said to be so wherever the service tells of itself.
    Emulator,
}

/// Which answers belong to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Replies {
    /// Only those that echo its sequence number and address.
    #[default]
    Strict,
    /// Also those of old equipment, which echoes neither.
    Compatible,
}

/// A version of the bus protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// OpenDCRE 1.1.
    #[serde(rename = "1.1")]
    V1_1,
    /// OpenDCRE 1.2: adds the request to repeat an answer.
    #[serde(rename = "1.2")]
    V1_2,
    /// OpenDCRE 1.3.
    #[default]
    #[serde(rename = "1.3")]
    V1_3,
}

impl DeviceBus {
    /// A bus with every default.
    #[must_use]
    pub fn new(name: &str, rack: &str, device: &Path) -> Self {
        Self {
            name: name.to_owned(),
            rack: rack.to_owned(),
            device: device.to_owned(),
            baud: default_baud(),
            timeout: default_timeout(),
            replies: Replies::default(),
            protocol: Protocol::default(),
            boards: None,
            retry_limit: default_retry_limit(),
            time_slice: default_time_slice(),
            save_slots: false,
            backlog: default_backlog(),
            fallback: None,
        }
    }
}

const fn default_baud() -> u32 {
    115_200
}

const fn default_timeout() -> Duration {
    Duration::from_millis(250)
}

const fn default_retry_limit() -> u8 {
    3
}

const fn default_time_slice() -> Duration {
    Duration::from_millis(75)
}

const fn default_backlog() -> usize {
    64
}
