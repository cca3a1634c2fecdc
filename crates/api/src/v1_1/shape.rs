//! The shape of a path: which route it takes, before anybody looks at the values in it.
//!
//! The shape alone says which methods a path takes, so that a wrong method is told apart from a wrong value.
//! Everything must match exactly: no trailing slash, no empty segment.

use opendcre_model::{DeviceAddress, DeviceKind, PowerAction, excerpt};

use super::path::{PathError, PowerCommand, Route};
use crate::method::Methods;
use crate::route::dispatch;
use crate::v1::id;

/// The characters of an asset text that are kept; the rest has always been cut off without complaint.
const MAX_TEXT: usize = 127;

/// A route whose values are still text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'a> {
    Test,
    Version { board: &'a str },
    ScanAll,
    Scan { board: &'a str },
    Read { kind: &'a str, device: Address<'a> },
    ReadAsset { kind: &'a str, device: Address<'a> },
    WriteAsset { kind: &'a str, device: Address<'a>, text: &'a str },
    Write,
    Power { command: &'a str, device: Address<'a> },
}

/// The board and the device of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address<'a>(&'a str, &'a str);

dispatch! {
    /// The shape of a path that is decoded and has lost the base of the API.
    fn shape -> Shape<'_> {
        ["test"] => Shape::Test,
        ["version", board] => Shape::Version { board },
        ["scan"] => Shape::ScanAll,
        ["scan", board] => Shape::Scan { board },
        ["read", kind, board, device] => Shape::Read { kind, device: Address(board, device) },
        ["read", kind, board, device, "info"] => Shape::ReadAsset { kind, device: Address(board, device) },
        ["write", _, _, _] => Shape::Write,
        ["write", kind, board, device, "info", text] => {
            Shape::WriteAsset { kind, device: Address(board, device), text }
        },
        ["power", command, board, device] => Shape::Power { command, device: Address(board, device) },
    }
}

impl<'a> Shape<'a> {
    /// The shape of a path that is decoded and has lost the base of the API.
    pub(super) fn of(path: &'a str) -> Result<Self, PathError> {
        shape(path).ok_or(PathError::NotFound)
    }

    /// The methods that the route takes. Control by GET is what 1.1 has always had; POST is the better way.
    pub(super) const fn methods(self) -> Methods {
        if self.is_control() || matches!(self, Self::Test) { Methods::ReadAndPost } else { Methods::Read }
    }

    /// Whether the route changes equipment. A power command that nobody knows counts as one that does.
    pub(super) const fn is_control(self) -> bool {
        match self {
            Self::WriteAsset { .. } => true,
            Self::Power { command, .. } => !is_status(command),
            _ => false,
        }
    }

    /// The route with its values read.
    pub(super) fn route(self) -> Result<Route, PathError> {
        match self {
            Self::Test => Ok(Route::Test),
            Self::Version { board } => Ok(Route::Version { board: id::board(board)? }),
            Self::ScanAll => Ok(Route::ScanAll),
            Self::Scan { board } => Ok(Route::Scan { board: id::board(board)? }),
            Self::Read { kind, device } => read(kind, device.read()?),
            Self::ReadAsset { kind, device } => read_asset(kind, device.read()?),
            Self::WriteAsset { kind, device, text } => write_asset(kind, device.read()?, text),
            Self::Write => Ok(Route::Write),
            Self::Power { command, device } => power(command, device.read()?),
        }
    }
}

impl Address<'_> {
    fn read(self) -> Result<DeviceAddress, PathError> {
        let Self(board, device) = self;
        Ok(DeviceAddress { board: id::board(board)?, device: id::device(device)? })
    }
}

const fn is_status(command: &str) -> bool {
    command.eq_ignore_ascii_case("status")
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
    if is_status(command) {
        let command = PowerCommand::Status;
        return Ok(Route::Power { command, device });
    }
    match command.parse() {
        Ok(action @ (PowerAction::On | PowerAction::Off | PowerAction::Cycle)) => {
            Ok(Route::Power { command: PowerCommand::Change(action), device })
        }
        // This generation has never had any other.
        Ok(PowerAction::Reset | PowerAction::Soft | PowerAction::Diagnostic) | Err(_) => {
            Err(PathError::UnknownCommand { text: excerpt(command), device })
        }
    }
}

/// Asset routes have always taken the exact word, unlike reads.
fn require_power(kind: &str, device: DeviceAddress) -> Result<(), PathError> {
    if kind == DeviceKind::Power.name() {
        return Ok(());
    }
    Err(PathError::NotPower { text: excerpt(kind), device })
}
