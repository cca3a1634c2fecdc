//! Why a command was not carried out.

use opendcre_model::{BoardId, DeviceAddress, DriverError, Fault};
use thiserror::Error;

use crate::{AuditError, BoardState, CredentialError, EventError, HistoryError};

/// Why a command was not carried out. Except for [`GatewayError::Driver`], no equipment was changed.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// No driver may hold this board; nothing was sent.
    #[error("no bus and no configured server is board {0}; correct the id, or the configuration")]
    UnknownBoard(BoardId),
    /// The board has no such device, or not for whoever asks; nothing was sent.
    #[error("there is no {0}; the devices of a board are shown with it; nothing was sent")]
    UnknownDevice(DeviceAddress),
    /// Several drivers hold a board of this name, so it is unclear which one is meant.
    #[error(
        "board {board} answers on several buses ({}); give each bus its own range of boards in the configuration",
        buses.join(", ")
    )]
    AmbiguousBoard {
        /// The name that is not unique.
        board: BoardId,
        /// The drivers that reported it.
        buses: Vec<String>,
    },
    /// Another machine answers where this board was, so nothing was sent.
    #[error(
        "board {0} is not where it was: another machine answers there, or none does; nothing was sent; it is found again \
         when its own identity answers at an address of the configuration"
    )]
    Displaced(BoardId),
    /// The board is not missing, so that it would be found again at once.
    #[error("{0} is not missing but {state}; only a board that is missing can be forgotten", state = .1.name())]
    NotMissing(String, BoardState),
    /// Policy does not permit it; nothing was sent.
    #[error("{principal} may not do this: {reason}; nothing was sent")]
    Forbidden {
        /// Who asked.
        principal: String,
        /// Why not.
        reason: &'static str,
    },
    /// What they have logged in with does not hold any more, or nobody knows; nothing was sent.
    #[error("{0}; nothing was sent")]
    Credential(CredentialError),
    /// The intent of a change could not be recorded, so nothing was sent.
    #[error("nothing was changed, because the change cannot be audited: {0}")]
    AuditUnavailable(AuditError),
    /// The audit log cannot be read.
    #[error("{0}")]
    AuditUnreadable(AuditError),
    /// The service is configured not to keep this.
    #[error("this service keeps no {0}")]
    NotKept(&'static str),
    /// The history cannot be read.
    #[error("{0}")]
    HistoryUnreadable(HistoryError),
    /// The events cannot be read.
    #[error("{0}")]
    EventsUnreadable(EventError),
    /// The service is stopping; nothing was sent.
    #[error("the service is shutting down; ask again when it is back")]
    ShuttingDown,
    /// The driver could not do it; its fault says whether anything may have changed.
    #[error("{0}")]
    Driver(DriverError),
}

impl GatewayError {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownBoard(_) => "unknown_board",
            Self::UnknownDevice(_) => "unknown_device",
            Self::AmbiguousBoard { .. } => "ambiguous_board",
            Self::Displaced(_) => "displaced",
            Self::NotMissing(..) => "not_missing",
            Self::Forbidden { .. } => "forbidden",
            Self::Credential(error) => error.code(),
            Self::AuditUnavailable(_) | Self::AuditUnreadable(_) => "audit_unavailable",
            Self::NotKept(_) => "not_kept",
            Self::HistoryUnreadable(HistoryError::TooMuch { .. }) => "too_many_points",
            Self::HistoryUnreadable(_) => "history_unavailable",
            Self::EventsUnreadable(_) => "events_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::Driver(error) => error.code,
        }
    }

    /// The fault of the driver, if it was the driver that failed.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        match self {
            Self::Driver(error) => Some(error.fault),
            _ => None,
        }
    }
}

impl From<DriverError> for GatewayError {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}
