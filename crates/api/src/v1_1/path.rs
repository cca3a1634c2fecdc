//! What a path asks for. Pure text work, made for hostile text: no length, no byte and no encoding may break it.
//!
//! The path is decoded first and cut at slashes second, so that an encoded slash is a slash. Everything must
//! match exactly: no trailing slash, no empty segment.

use std::array;
use std::fmt;

use opendcre_model::{BoardId, DeviceAddress, DeviceKind, PowerAction, excerpt};
use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::id;
use crate::method::Methods;

/// The characters of an asset text that are kept; the rest has always been cut off without complaint.
const MAX_TEXT: usize = 127;

/// One more than the longest route has, so that a longer path is seen to be longer.
const MAX_SEGMENTS: usize = 7;

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
    /// An identifier is not a number.
    #[error("{what} id {text:?} is not a hexadecimal number; use 0 to {highest}; nothing was sent")]
    MalformedId {
        /// What is identified.
        what: &'static str,
        /// The identifier, shortened.
        text: String,
        /// The highest identifier.
        highest: &'static str,
    },
    /// An identifier is a number that does not fit.
    #[error("{what} id {text:?} is out of range; use 0 to {highest}; nothing was sent")]
    IdOutOfRange {
        /// What is identified.
        what: &'static str,
        /// The identifier, shortened.
        text: String,
        /// The highest identifier.
        highest: &'static str,
    },
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
            Self::MalformedId { .. } | Self::IdOutOfRange { .. } => "invalid_id",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::UnknownCommand { .. } => "unknown_command",
            Self::NotPower { .. } => "unsupported",
            Self::NotAscii { .. } => "invalid_text",
        }
    }
}

impl Route {
    /// The methods that the route takes. Control by GET is what 1.1 has always had; POST is the better way.
    pub(crate) const fn methods(&self) -> Methods {
        if self.is_control() || matches!(self, Self::Test) { Methods::ReadAndPost } else { Methods::Read }
    }

    /// Whether the route changes equipment.
    pub(crate) const fn is_control(&self) -> bool {
        use PowerCommand::Change;
        matches!(self, Self::WriteAsset { .. } | Self::Power { command: Change(_), .. })
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
/// # Errors
/// Every [`PathError`].
pub fn parse(path: &str) -> Result<Route, PathError> {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let path = decoded.strip_prefix('/').ok_or(PathError::NotFound)?;
    let mut rest = path.split('/');
    let segments: [Option<&str>; MAX_SEGMENTS] = array::from_fn(|_| rest.next());
    if segments.contains(&Some("")) {
        return Err(PathError::NotFound);
    }
    match segments {
        [Some("test"), None, ..] => Ok(Route::Test),
        [Some("version"), Some(board), None, ..] => Ok(Route::Version { board: id::board(board)? }),
        [Some("scan"), None, ..] => Ok(Route::ScanAll),
        [Some("scan"), Some(board), None, ..] => Ok(Route::Scan { board: id::board(board)? }),
        [Some("read"), Some(kind), Some(board), Some(device), None, ..] => {
            read(kind, address(board, device)?)
        }
        [Some("read"), Some(kind), Some(board), Some(device), Some("info"), None, ..] => {
            read_asset(kind, address(board, device)?)
        }
        [Some("write"), Some(_), Some(_), Some(_), None, ..] => Ok(Route::Write),
        [Some("write"), Some(kind), Some(board), Some(device), Some("info"), Some(text), None] => {
            write_asset(kind, address(board, device)?, text)
        }
        [Some("power"), Some(command), Some(board), Some(device), None, ..] => {
            power(command, address(board, device)?)
        }
        _ => Err(PathError::NotFound),
    }
}

fn address(board: &str, device: &str) -> Result<DeviceAddress, PathError> {
    Ok(DeviceAddress { board: id::board(board)?, device: id::device(device)? })
}

fn read(kind: &str, device: DeviceAddress) -> Result<Route, PathError> {
    match kind.parse() {
        Ok(kind) => Ok(Route::Read { kind, device }),
        Err(_) => Err(PathError::UnknownKind { text: excerpt(kind), device }),
    }
}

fn read_asset(kind: &str, device: DeviceAddress) -> Result<Route, PathError> {
    require_power(kind, device)?;
    Ok(Route::ReadAsset { device })
}

fn write_asset(kind: &str, device: DeviceAddress, text: &str) -> Result<Route, PathError> {
    require_power(kind, device)?;
    let text: String = text.chars().take(MAX_TEXT).collect();
    if text.is_ascii() { Ok(Route::WriteAsset { device, text }) } else { Err(PathError::NotAscii { device }) }
}

fn power(command: &str, device: DeviceAddress) -> Result<Route, PathError> {
    if command.eq_ignore_ascii_case("status") {
        let command = PowerCommand::Status;
        return Ok(Route::Power { command, device });
    }
    match command.parse() {
        Ok(action) => Ok(Route::Power { command: PowerCommand::Change(action), device }),
        Err(_) => Err(PathError::UnknownCommand { text: excerpt(command), device }),
    }
}

/// Asset routes have always taken the exact word, unlike reads.
fn require_power(kind: &str, device: DeviceAddress) -> Result<(), PathError> {
    if kind == DeviceKind::Power.name() {
        return Ok(());
    }
    Err(PathError::NotPower { text: excerpt(kind), device })
}
