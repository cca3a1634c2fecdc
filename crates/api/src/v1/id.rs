//! Identifiers as the generations 1.x read them: hexadecimal of any width, with the decorations that the original's
//! number parser let pass.

use std::str::FromStr;

use opendcre_model::{BoardId, DeviceId, IdError, excerpt};
use thiserror::Error;

/// A text that is no identifier. Nothing is sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} id {text:?} is {problem}; use 0 to {highest}; nothing was sent")]
pub struct BadId {
    /// What is identified.
    what: &'static str,
    /// The identifier, shortened.
    text: String,
    /// What is wrong with it.
    problem: &'static str,
    /// The highest identifier of anything on a bus.
    highest: &'static str,
}

/// The problem with a text that is no number.
const MALFORMED: &str = "not a hexadecimal number";
/// The problem with a number that does not fit.
const OUT_OF_RANGE: &str = "out of range";

/// Reads a board id of up to 32 bits; boards on a bus have 24, so that is what people are told.
pub(crate) fn board(text: &str) -> Result<BoardId, BadId> {
    parse("board", text, "ffffff")
}

/// Reads a device id.
pub(crate) fn device(text: &str) -> Result<DeviceId, BadId> {
    parse("device", text, "ffff")
}

/// Reads an id with optional white space around it, a sign, a leading `0x` and a trailing `L`.
fn parse<T: FromStr<Err = IdError>>(
    what: &'static str,
    text: &str,
    highest: &'static str,
) -> Result<T, BadId> {
    let bad = |problem| BadId { what, text: excerpt(text), problem, highest };
    let (negative, number) = split_sign(text.trim());
    let digits = strip_decorations(number);
    match digits.parse() {
        Ok(_) if negative && digits.contains(|digit| digit != '0') => Err(bad(OUT_OF_RANGE)),
        Ok(id) => Ok(id),
        Err(IdError::OutOfRange { .. }) => Err(bad(OUT_OF_RANGE)),
        Err(IdError::Empty | IdError::NotHexadecimal(_)) => Err(bad(MALFORMED)),
    }
}

/// Whether the number is negative, and the number without its sign.
fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn strip_decorations(number: &str) -> &str {
    let prefixless = number.strip_prefix("0x").or_else(|| number.strip_prefix("0X"));
    let digits = prefixless.unwrap_or(number);
    digits.strip_suffix(['L', 'l']).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decorated_numbers_are_read() {
        for text in ["1f", "1F", "001f", "0x1f", "0X1F", "+1f", "1fL", "1fl", " 1f\t", " +0x001fL "] {
            assert_eq!(board(text), Ok(BoardId(0x1f)), "{text:?}");
            assert_eq!(device(text), Ok(DeviceId(0x1f)), "{text:?}");
        }
        assert_eq!(board("-0"), Ok(BoardId(0)));
        assert_eq!(board("ffffffff"), Ok(BoardId(u32::MAX)));
        assert_eq!(device("ffff"), Ok(DeviceId(u16::MAX)));
    }

    #[test]
    fn what_does_not_fit_is_out_of_range() {
        let long = "1".repeat(10_000);
        for text in ["-1", "-0x0fL", "100000000", &long] {
            assert_eq!(board(text).unwrap_err().problem, OUT_OF_RANGE, "{text:?}");
            assert_eq!(device(text).unwrap_err().problem, OUT_OF_RANGE, "{text:?}");
        }
        assert_eq!(device("10000").unwrap_err().problem, OUT_OF_RANGE);
        assert!(board(&long).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn what_is_no_number_is_malformed() {
        for text in
            ["g", "", " ", "+", "-", "0x", "L", "0xL", "--1", "+-1", "1 1", "1_0", "0x0x1", "1LL", "é", "1.0"]
        {
            assert_eq!(board(text).unwrap_err().problem, MALFORMED, "{text:?}");
        }
    }
}
