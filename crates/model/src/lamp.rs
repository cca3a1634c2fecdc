//! The lamp of a chamber, which several racks share (device bus description §7.6).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a chamber lamp is told to show. What is not set stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChamberLedSetting {
    /// The rack that asks, as its id is written.
    pub rack: String,
    /// On or off.
    pub on: Option<bool>,
    /// The colour.
    pub color: Option<Rgb>,
    /// Blinking or steady.
    pub blink: Option<bool>,
}

/// What a chamber lamp shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChamberLedState {
    /// On or off.
    pub on: bool,
    /// The colour, in the words of the board: six hexadecimal digits where it knows one.
    pub color: String,
    /// Blinking or steady.
    pub blink: bool,
}

/// A colour of light: red, green, blue. Written as six lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rgb(pub [u8; 3]);

/// A text that is no colour.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a colour has six hexadecimal digits, such as ff8800")]
pub struct ColorError;

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "{red:02x}{green:02x}{blue:02x}")
    }
}

impl FromStr for Rgb {
    type Err = ColorError;

    fn from_str(text: &str) -> Result<Self, ColorError> {
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ColorError);
        }
        let value = u32::from_str_radix(text, 16).map_err(|_| ColorError)?;
        let [_, red, green, blue] = value.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl TryFrom<String> for Rgb {
    type Error = ColorError;

    fn try_from(text: String) -> Result<Self, ColorError> {
        text.parse()
    }
}

impl From<Rgb> for String {
    fn from(color: Rgb) -> Self {
        color.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_has_six_digits() {
        assert_eq!("FF8800".parse(), Ok(Rgb([255, 136, 0])));
        assert_eq!(Rgb([255, 136, 0]).to_string(), "ff8800");
        for text in ["", "ff880", "ff88001", "+f8800", "gg8800", "é8800"] {
            assert_eq!(text.parse::<Rgb>(), Err(ColorError), "{text}");
        }
    }
}
