//! Privilege levels (IPMI 2.0 §6.8, table 6-1).

use std::fmt;

/// What a session may do. Greater includes lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Only to start a callback.
    Callback = 1,
    /// To read.
    User = 2,
    /// To control, but not to configure.
    Operator = 3,
    /// Everything.
    Administrator = 4,
    /// What the manufacturer decides.
    Oem = 5,
}

impl Privilege {
    /// The level with this number, 1 to 5.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Callback),
            2 => Some(Self::User),
            3 => Some(Self::Operator),
            4 => Some(Self::Administrator),
            5 => Some(Self::Oem),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The next greater level that a person can have.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Callback => Some(Self::User),
            Self::User => Some(Self::Operator),
            Self::Operator => Some(Self::Administrator),
            Self::Administrator | Self::Oem => None,
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Callback => "CALLBACK",
            Self::User => "USER",
            Self::Operator => "OPERATOR",
            Self::Administrator => "ADMINISTRATOR",
            Self::Oem => "OEM",
        })
    }
}
