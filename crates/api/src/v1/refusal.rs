//! Why a request of API 1.2 or 1.3 is refused before anything is sent.

use opendcre_gateway::LookupError;
use opendcre_model::{BoardId, DeviceId};
use thiserror::Error;

use super::id::BadId;

/// The most candidates that a message names.
const NAMED_CANDIDATES: usize = 16;

/// Why a request is refused. Nothing is sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// An identifier is not one.
    #[error("{0}")]
    Id(BadId),
    /// No board, or more than one, has this name.
    #[error("{0}; nothing was sent")]
    Lookup(LookupError),
    /// No board can have this id, or none has.
    #[error("there is no board {0}; a scan shows the boards that are there; nothing was sent")]
    NoBoard(BoardId),
    /// No rack has this name.
    #[error("there is no rack {0:?}; a scan of everything shows the racks; nothing was sent")]
    NoRack(String),
    /// The board does not have this device, or not of a kind that the command is for.
    #[error(
        "board {board} has no device {device:?} for {command}; a scan shows its devices; nothing was sent"
    )]
    NoDevice { board: BoardId, device: String, command: String },
    /// Several devices go by this name.
    #[error(
        "board {board} has several devices called {device:?} ({}); use the id of the one that is meant; nothing was sent",
        list(candidates)
    )]
    AmbiguousDevice { board: BoardId, device: String, candidates: Vec<DeviceId> },
    /// No kind of device has this name.
    #[error("{0:?} is not a device type; a scan shows the type of each device; nothing was sent")]
    UnknownKind(String),
    /// A word that means nothing here.
    #[error("{word:?} is not a {what}; use {choice}; nothing was sent")]
    UnknownWord { what: &'static str, word: String, choice: &'static str },
    /// What is named cannot do this.
    #[error("the command {command} is not supported by {by}; nothing was sent")]
    Unsupported { command: String, by: &'static str },
}

/// What sort of equipment a board is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A board on a bus.
    Bus,
    /// A server behind a management controller.
    Server,
}

impl Refusal {
    /// The stable machine-readable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Id(_) => "invalid_id",
            Self::Lookup(error) => error.code(),
            Self::NoBoard(_) => "unknown_board",
            Self::NoRack(_) => "unknown_rack",
            Self::NoDevice { .. } => "unknown_device",
            Self::AmbiguousDevice { .. } => "ambiguous_device",
            Self::UnknownKind(_) => "unknown_kind",
            Self::UnknownWord { .. } => "unknown_command",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

impl Owner {
    /// The words for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bus => "boards on a bus",
            Self::Server => "servers behind a BMC",
        }
    }
}

impl From<BadId> for Refusal {
    fn from(error: BadId) -> Self {
        Self::Id(error)
    }
}

fn list(ids: &[DeviceId]) -> String {
    let ids: Vec<String> = ids.iter().take(NAMED_CANDIDATES).map(DeviceId::to_string).collect();
    ids.join(", ")
}
