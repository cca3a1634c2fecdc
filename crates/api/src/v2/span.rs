//! Times in queries: `500ms`, `5s`, `10m`, `1h`, `7d`, or seconds without a unit; and how long a request may wait.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The most digits of a number; what is longer is a mistake.
const MAX_DIGITS: usize = 9;

/// A time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// How long a request waits for something to happen: whole seconds, `DEFAULT` unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub(super) struct Wait<const DEFAULT: u64>(pub(super) Duration);

/// The longest that a request may wait, in seconds: less than clients and proxies usually do, which is 60 s.
const MAX_WAIT: u8 = 50;

impl<const DEFAULT: u64> Default for Wait<DEFAULT> {
    fn default() -> Self {
        Self(Duration::from_secs(DEFAULT))
    }
}

impl<const DEFAULT: u64> Serialize for Wait<DEFAULT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl<const DEFAULT: u64> TryFrom<u8> for Wait<DEFAULT> {
    type Error = String;

    fn try_from(seconds: u8) -> Result<Self, String> {
        if seconds > MAX_WAIT {
            return Err(format!("a request waits for 0 to {MAX_WAIT} s"));
        }
        Ok(Self(Duration::from_secs(seconds.into())))
    }
}

/// Reads a [`Span`] from its text.
struct SpanText;

impl Visitor<'_> for SpanText {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as 500ms, 5s, 10m or 1h")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        parse(text).map(Span).ok_or_else(|| {
            let text = opendcre_model::excerpt(text);
            E::custom(format_args!("{text:?} is not a time such as 500ms, 5s, 10m or 1h"))
        })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanText)
    }
}

/// The time that `text` says.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= MAX_DIGITS)?;
    match unit {
        "ms" => Some(Duration::from_millis(count)),
        "" | "s" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_secs(count * 60)),
        "h" => Some(Duration::from_secs(count * 3600)),
        "d" => Some(Duration::from_secs(count * 86_400)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_perhaps_a_unit() {
        for (text, milliseconds) in [
            ("0", 0),
            ("5", 5000),
            ("500ms", 500),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "-1", "1.5s", "1 s", "5S", "1w", "0000000005", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
