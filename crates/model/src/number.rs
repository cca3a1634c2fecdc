//! Numbers as equipment sends them: decimal text of any length.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::excerpt;

/// Why a text is not a number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a decimal number")]
pub struct NumberError(pub String);

/// A number that keeps every digit it arrived with.
///
/// Device answers may be longer than any machine integer, and API clients have always received them
/// unshortened. The text is normalised (no blanks, no plus sign, no leading zeros), so that it is also a valid
/// JSON number.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// A signed integer of any length, as normalised decimal text.
    Integer(String),
    /// A number with a fraction or exponent. Always finite.
    Decimal(f64),
}

impl Number {
    /// The value as a floating-point number; exact up to 2^53, nearest above. Infinite only for integers beyond
    /// the range of `f64`.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        match self {
            // Normalised digits always parse: `FromStr` is the only way in.
            Self::Integer(digits) => digits.parse().unwrap_or(f64::NAN),
            Self::Decimal(value) => *value,
        }
    }

    /// The value, if it is an integer that fits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(digits) => digits.parse().ok(),
            Self::Decimal(_) => None,
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Integer(value.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(digits) => f.write_str(digits),
            Self::Decimal(value) => value.fmt(f),
        }
    }
}

/// Brings `[+-]digits` into its one canonical form, or says that it is not of that form.
fn normalise_integer(text: &str) -> Option<String> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    match (significant, negative) {
        ("", _) => Some("0".to_owned()),
        (_, true) => Some(format!("-{significant}")),
        (_, false) => Some(significant.to_owned()),
    }
}

impl FromStr for Number {
    type Err = NumberError;

    /// Reads a decimal integer of any length or a finite decimal fraction, with optional surrounding blanks.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let not_a_number = || NumberError(excerpt(text));
        let trimmed = text.trim();
        if let Some(digits) = normalise_integer(trimmed) {
            return Ok(Self::Integer(digits));
        }
        // Rust also reads "inf" and "nan", which no sensor may report.
        match trimmed.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Self::Decimal(value)),
            _ => Err(not_a_number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_every_digit() {
        let long = "123456789012345678901234567890";
        for (text, expected) in
            [("656", "656"), (" 656\n", "656"), ("+7", "7"), ("-0042", "-42"), ("-0", "0"), (long, long)]
        {
            assert_eq!(text.parse::<Number>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn fractions_are_decimals_and_the_rest_is_refused() {
        assert_eq!("21.5".parse(), Ok(Number::Decimal(21.5)));
        for text in ["", " ", "-", "+", "garbage", "inf", "NaN", "1e999", "0x10", "1_000", "--1", "+-1"] {
            assert_eq!(text.parse::<Number>(), Err(NumberError(text.into())), "{text:?}");
        }
    }
}
