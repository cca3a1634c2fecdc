//! The few ways in which equipment fails.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// The class of a failure. Each maps once to the statuses of every API generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No complete answer came in time.
    Timeout,
    /// Answers came, but damaged on the way, and repeating did not help.
    Corrupt,
    /// The equipment answered that it will not do it.
    Refused,
    /// The equipment answered that this user may not do it.
    NotPermitted,
    /// Too much is waiting already; nothing was sent.
    Busy {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The equipment or its protocol cannot do this; nothing was sent.
    Unsupported,
    /// The request cannot be expressed in the protocol; nothing was sent.
    Invalid,
    /// An answer came that cannot be understood.
    Malformed,
    /// The wire itself is gone: an unplugged adapter, an unreachable host.
    Gone,
    /// A control command was sent and it is not known whether it took effect.
    Uncertain,
}

impl Fault {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Corrupt => "corrupt",
            Self::Refused => "refused",
            Self::NotPermitted => "not_permitted",
            Self::Busy { .. } => "busy",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Malformed => "malformed",
            Self::Gone => "gone",
            Self::Uncertain => "uncertain",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// A failure of equipment: its class, and what failed, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct DriverError {
    /// The class, which decides about statuses and repetitions.
    pub fault: Fault,
    /// The stable machine-readable code: that of the class, unless the protocol knows the reason more exactly.
    pub code: &'static str,
    /// One sentence for people, without a trailing stop.
    pub message: String,
}

impl DriverError {
    /// A failure of class `fault` that `message` explains.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, code: fault.code(), message: message.into() }
    }

    /// The same failure with a more exact reason. Codes are words joined by `_`, each described in
    /// `docs/status-codes.md`.
    #[must_use]
    pub const fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }
}
