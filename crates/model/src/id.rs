//! Identifiers of boards and devices as every API generation writes them: hexadecimal.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::excerpt;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text has no digits at all.
    #[error("an identifier needs at least one hexadecimal digit")]
    Empty,
    /// The text holds something that is not a hexadecimal digit.
    #[error("{0:?} is not a hexadecimal identifier")]
    NotHexadecimal(String),
    /// The number does not fit the identifier.
    #[error("{text} is larger than the largest identifier, {max:x}")]
    OutOfRange {
        /// The beginning of the text as given.
        text: String,
        /// The largest value that fits.
        max: u32,
    },
}

/// Reads hexadecimal text of any width, so `1`, `01` and `0001` name the same thing.
fn parse_hex(text: &str, max: u32) -> Result<u32, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(IdError::NotHexadecimal(excerpt(text)));
    }
    let out_of_range = || IdError::OutOfRange { text: excerpt(text), max };
    let digits = text.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    match u32::from_str_radix(digits, 16) {
        Ok(value) if value <= max => Ok(value),
        _ => Err(out_of_range()),
    }
}

/// A board: 32 bits, written as eight lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoardId(pub u32);

/// A device of a board: 16 bits, written as four lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(pub u16);

/// The boards that are servers behind a management controller (device bus description §5.1, version 1.3).
pub const SERVERS: RangeInclusive<BoardId> = BoardId(0x4000_0000)..=BoardId(0x4fff_ffff);

/// The power switch of a server.
pub const SERVER_POWER: DeviceId = DeviceId(0x0100);

/// The server itself, as a device.
pub const SERVER_SYSTEM: DeviceId = DeviceId(0x0200);

/// The lamp that shows which server it is.
pub const SERVER_LED: DeviceId = DeviceId(0x0300);

/// One device of one board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceAddress {
    /// The board that holds the device.
    pub board: BoardId,
    /// The device on that board.
    pub device: DeviceId,
}

/// The last hexadecimal digits of a number, in ASCII. Not by the general formatter: answers are full of identifiers, and it
/// pads digit by digit.
fn hexadecimal<const N: usize>(number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        let value = (rest & 0xf) as u8;
        *digit = if value < 10 { b'0' + value } else { b'a' - 10 + value };
        rest >>= 4;
    }
    digits
}

/// Digits are ASCII, and so are a text.
fn as_text(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

impl BoardId {
    /// As it is written, in ASCII.
    #[must_use]
    pub fn digits(self) -> [u8; 8] {
        hexadecimal(self.0)
    }
}

impl DeviceId {
    /// As it is written, in ASCII.
    #[must_use]
    pub fn digits(self) -> [u8; 4] {
        hexadecimal(self.0.into())
    }
}

impl fmt::Display for BoardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(as_text(&self.digits()))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(as_text(&self.digits()))
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {} of board {}", self.device, self.board)
    }
}

impl FromStr for BoardId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex(text, u32::MAX).map(Self)
    }
}

impl FromStr for DeviceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let value = parse_hex(text, u32::from(u16::MAX))?;
        let out_of_range = |_| IdError::OutOfRange { text: excerpt(text), max: u32::from(u16::MAX) };
        u16::try_from(value).map(Self).map_err(out_of_range)
    }
}

/// Identifiers travel through JSON and TOML as text, the way people write them.
macro_rules! serialize_as_text {
    ($id:ty) => {
        impl Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(as_text(&self.digits()))
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serialize_as_text!(BoardId);
serialize_as_text!(DeviceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_width_and_case_names_the_same_board() {
        for text in ["a", "A", "0a", "0000000a", "000000000000000A"] {
            assert_eq!(text.parse(), Ok(BoardId(10)), "{text}");
        }
        assert_eq!(BoardId(10).to_string(), "0000000a");
        assert_eq!(DeviceId(0x1ff).to_string(), "01ff");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!("ffffffff".parse(), Ok(BoardId(u32::MAX)));
        assert!(matches!("100000000".parse::<BoardId>(), Err(IdError::OutOfRange { .. })));
        assert!(matches!("10000".parse::<DeviceId>(), Err(IdError::OutOfRange { max: 0xffff, .. })));
        assert_eq!("".parse::<BoardId>(), Err(IdError::Empty));
        for text in ["g", "-1", "+1", "0x1", " 1", "1 ", "é"] {
            assert!(matches!(text.parse::<BoardId>(), Err(IdError::NotHexadecimal(_))), "{text}");
        }
    }
}
