//! What a path of API 1.2 or 1.3 asks for, before anybody looks at the values in it.
//!
//! The shape of a path alone says which methods it takes, so that a wrong method is told apart from a wrong value.

use std::fmt;

use opendcre_model::excerpt;

use crate::method::Methods;

/// The words for power in the place of which the older form of a power path has the board or the rack.
const POWER_WORDS: [&str; 4] = ["on", "off", "cycle", STATUS];

/// The word that only asks for the power.
const STATUS: &str = "status";

/// A request whose values are still text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request<'a> {
    Test,
    PlcConfig,
    Version { board: &'a str },
    ScanAll,
    ScanForce,
    ScanRack { rack: &'a str },
    ScanBoard { board: &'a str },
    Read { kind: &'a str, device: Address<'a> },
    Power { kind: Option<&'a str>, device: Address<'a>, command: Option<&'a str> },
    Asset { device: Address<'a> },
    BootTarget { device: Address<'a>, target: Option<&'a str> },
    Location { board: &'a str, device: Option<&'a str> },
    Led { device: Address<'a>, state: Option<&'a str>, color: Option<&'a str> },
    ChamberLed { rack: &'a str, device: Address<'a>, state: &'a str, color: &'a str, blink: &'a str },
    Fan { device: Address<'a>, rpm: Option<&'a str> },
    HostInfo { device: Address<'a> },
}

/// The board and the device of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address<'a> {
    pub(crate) board: &'a str,
    pub(crate) device: &'a str,
}

impl Request<'_> {
    /// The methods that the request may be sent with. Control by GET is what clients have always used; POST is the
    /// better way.
    pub(super) const fn methods(&self) -> Methods {
        let is_plain = matches!(self, Self::Test | Self::PlcConfig);
        if is_plain || self.is_control() { Methods::ReadAndPost } else { Methods::Read }
    }

    /// Whether the request changes equipment. A word that nobody knows counts as one that does.
    pub(super) const fn is_control(&self) -> bool {
        match self {
            Self::Power { command: Some(word), .. } => !word.eq_ignore_ascii_case(STATUS),
            Self::BootTarget { target, .. } => target.is_some(),
            Self::Led { state, .. } => state.is_some(),
            Self::ChamberLed { .. } => true,
            Self::Fan { rpm, .. } => rpm.is_some(),
            _ => false,
        }
    }
}

/// The board and the device of a path.
pub(crate) const fn at<'a>(board: &'a str, device: &'a str) -> Address<'a> {
    Address { board, device }
}

/// Whether a segment is a word for power, in any case.
pub(crate) fn is_power_word(segment: &str) -> bool {
    POWER_WORDS.iter().any(|word| word.eq_ignore_ascii_case(segment))
}

/// Says what was asked, in the words of the client, for messages about what came of it.
impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test => f.write_str("test"),
            Self::PlcConfig => f.write_str("plc_config"),
            Self::Version { board } => write!(f, "version of board {}", excerpt(board)),
            Self::ScanAll | Self::ScanForce => f.write_str("scan of all boards"),
            Self::ScanRack { rack } => write!(f, "scan of rack {}", excerpt(rack)),
            Self::ScanBoard { board } => write!(f, "scan of board {}", excerpt(board)),
            Self::Read { kind, device } => write!(f, "{} reading of {device}", excerpt(kind)),
            Self::Power { device, command, .. } => {
                write!(f, "power {} of {device}", excerpt(command.unwrap_or(STATUS)))
            }
            Self::Asset { device } => write!(f, "asset information of {device}"),
            Self::BootTarget { device, .. } => write!(f, "boot target of {device}"),
            Self::Location { board, .. } => write!(f, "location of board {}", excerpt(board)),
            Self::Led { device, .. } => write!(f, "led of {device}"),
            Self::ChamberLed { device, .. } => write!(f, "chamber led of {device}"),
            Self::Fan { device, .. } => write!(f, "fan of {device}"),
            Self::HostInfo { device } => write!(f, "host information of {device}"),
        }
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {} of board {}", excerpt(self.device), excerpt(self.board))
    }
}
