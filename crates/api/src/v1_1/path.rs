//! What a path asks for, and why it may ask for nothing. Pure text work, made for hostile text: no length, no byte
//! and no encoding may break it.

use std::fmt;

use opendcre_model::{BoardId, DeviceAddress, DeviceKind, PowerAction};
use thiserror::Error;

use super::shape::Shape;
use crate::api::decode;
pub use crate::v1::id::BadId;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Whether the service is there.
    Test,
    /// The firmware version of a board.
    Version {
        /// The board, as it stands in the path.
        board: BoardId,
    },
    /// Everything there is.
    ScanAll,
    /// The devices of one board.
    Scan {
        /// The board, as it stands in the path.
        board: BoardId,
    },
    /// The value of a device.
    Read {
        /// The kind to ask for.
        kind: DeviceKind,
        /// The device.
        device: DeviceAddress,
    },
    /// The asset text of a power device.
    ReadAsset {
        /// The device.
        device: DeviceAddress,
    },
    /// Store an asset text in a power device.
    WriteAsset {
        /// The device.
        device: DeviceAddress,
        /// ASCII text of 1 to 127 characters.
        text: String,
    },
    /// What this generation reserved and never had.
    Write,
    /// The power of a device.
    Power {
        /// What to do.
        command: PowerCommand,
        /// The device.
        device: DeviceAddress,
    },
}

/// What to do with power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerCommand {
    /// Only tell.
    Status,
    /// Change it.
    Change(PowerAction),
}

/// Why a path asks for nothing. Nothing is sent for such a path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// No route has this shape.
    #[error("there is no such path in API 1.1; see /opendcre/1.1/scan for what is there")]
    NotFound,
    /// An identifier is not one.
    #[error("{0}")]
    Id(BadId),
    /// No kind has this name.
    #[error("{text:?} is not a device type, so {device} was not asked; a scan shows the type of each device")]
    UnknownKind {
        /// The name, shortened.
        text: String,
        /// The device to ask.
        device: DeviceAddress,
    },
    /// Not a word for power.
    #[error("{text:?} is not a power command, so {device} was not asked; use on, off, cycle or status")]
    UnknownCommand {
        /// The word, shortened.
        text: String,
        /// The device to switch.
        device: DeviceAddress,
    },
    /// Asset information is asked of something else than a power device.
    #[error(
        "asset information belongs to devices of type power, in lower case, not {text:?}, so {device} was not asked"
    )]
    NotPower {
        /// The type, shortened.
        text: String,
        /// The device to ask.
        device: DeviceAddress,
    },
    /// An asset text that the equipment cannot store.
    #[error("asset information may hold ASCII characters only; {device} was not changed")]
    NotAscii {
        /// The device to change.
        device: DeviceAddress,
    },
}

impl PathError {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Id(_) => "invalid_id",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::UnknownCommand { .. } => "unknown_command",
            Self::NotPower { .. } => "unsupported",
            Self::NotAscii { .. } => "invalid_text",
        }
    }
}

impl From<BadId> for PathError {
    fn from(error: BadId) -> Self {
        Self::Id(error)
    }
}

/// Says what was asked, for messages about what came of it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test => f.write_str("test"),
            Self::Version { board } => write!(f, "version of board {board}"),
            Self::ScanAll => f.write_str("scan of all boards"),
            Self::Scan { board } => write!(f, "scan of board {board}"),
            Self::Read { kind, device } => write!(f, "{kind} reading of {device}"),
            Self::ReadAsset { device } => write!(f, "asset information of {device}"),
            Self::WriteAsset { device, .. } => write!(f, "new asset information of {device}"),
            Self::Write => f.write_str("write"),
            Self::Power { command, device } => write!(f, "power {command} of {device}"),
        }
    }
}

impl fmt::Display for PowerCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Change(action) => action.fmt(f),
        }
    }
}

/// Reads a path, percent-encoded as it came, without the base of the API: `/read/thermistor/1/1ff`.
///
/// The server takes the same steps one by one: it looks for the base in between, and at the method.
///
/// # Errors
/// Every [`PathError`].
pub fn parse(path: &str) -> Result<Route, PathError> {
    Shape::of(&decode(path))?.route()
}
