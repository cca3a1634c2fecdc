//! Option values that need more than a type's own `FromStr`.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use jiff::fmt::friendly::SpanParser;
use opendcre_model::{BoardId, DeviceId, IdError};

/// The shortest and longest duration that any option takes.
const DURATION_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);

/// Reads a duration such as `500ms`, `5s` or `1m30s`, from a millisecond to a day.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| "not a duration; write it like 500ms, 5s or 1m30s".to_owned())?;
    if DURATION_RANGE.contains(&duration) {
        Ok(duration)
    } else {
        Err("a duration must lie between 1ms and 24h".to_owned())
    }
}

/// The characters of an asset text that a device keeps.
const MAX_ASSET_TEXT: usize = 127;

/// Reads the id of a board, with or without `0x`.
pub(super) fn board_id(text: &str) -> Result<BoardId, IdError> {
    without_prefix(text).parse()
}

/// Reads the id of a device, with or without `0x`.
pub(super) fn device_id(text: &str) -> Result<DeviceId, IdError> {
    without_prefix(text).parse()
}

fn without_prefix(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}

/// Takes a text that a device can store and that can travel as a segment of a URL path.
///
/// The server cuts a longer text without a word, so it is refused here.
///
/// `.` and `..` cannot: URLs resolve them away even when they are percent-encoded. Nor can `/`: the API decodes
/// a path before it splits it.
pub(super) fn asset_text(text: &str) -> Result<String, String> {
    match text {
        "" => Err("the text must not be empty".to_owned()),
        "." | ".." => Err("the API cannot carry this text".to_owned()),
        _ if !text.is_ascii() => Err("the text must be ASCII".to_owned()),
        _ if text.len() > MAX_ASSET_TEXT => {
            Err(format!("the text has {} characters, but a device keeps {MAX_ASSET_TEXT}", text.len()))
        }
        _ if text.contains('/') => Err("the API cannot carry a text with a / in it".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// What an emulated bus does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FaultKind {
    /// An answer is lost
    Drop,
    /// A byte of an answer is changed
    Corrupt,
    /// An answer comes late
    Delay,
    /// An answer comes twice
    Duplicate,
    /// Stray bytes come before an answer
    Noise,
    /// An answer breaks off
    Truncate,
    /// The bus falls silent for a while
    Silence,
}

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRate {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The share of answers that it happens to, from 0 to 1.
    pub rate: f64,
}

impl FromStr for FaultRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rate) = text
            .split_once('=')
            .ok_or_else(|| "write a fault as KIND=RATE, for example drop=0.05".to_owned())?;
        let kind = FaultKind::from_str(kind, true).map_err(|_| unknown_fault(kind))?;
        match rate.parse() {
            Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(Self { kind, rate }),
            _ => Err(format!("{rate:?} is not a rate between 0 and 1")),
        }
    }
}

fn unknown_fault(kind: &str) -> String {
    let names: Vec<_> = FaultKind::value_variants()
        .iter()
        .filter_map(ValueEnum::to_possible_value)
        .map(|value| value.get_name().to_owned())
        .collect();
    format!("{kind:?} is not a fault; use {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_bounds() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["", "5", "-5s", "soon", "1 fortnight"] {
            assert!(duration(text).unwrap_err().contains("not a duration"), "{text:?}");
        }
        for text in ["0s", "1us", "25h", "9999999h"] {
            assert!(duration(text).unwrap_err().contains("between"), "{text:?}");
        }
    }

    #[test]
    fn ids_may_be_written_as_numbers_of_a_program() {
        for text in ["1f", "0x1f", "0X1F", "0x001f"] {
            assert_eq!(board_id(text), Ok(BoardId(0x1f)), "{text}");
            assert_eq!(device_id(text), Ok(DeviceId(0x1f)), "{text}");
        }
        for text in ["", "0x", "0x0x1", "-1", "xyz"] {
            assert!(board_id(text).is_err() && device_id(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_that_a_device_would_not_keep_are_refused() {
        let longest = "x".repeat(127);
        assert_eq!(asset_text(&longest), Ok(longest.clone()));
        assert!(asset_text(&format!("{longest}x")).unwrap_err().contains("128 characters"));
        assert!(asset_text("Gerät").unwrap_err().contains("ASCII"));
    }

    #[test]
    fn texts_that_a_path_would_swallow_are_refused() {
        assert_eq!(asset_text("rack 7, 12% ..."), Ok("rack 7, 12% ...".to_owned()));
        for text in ["", ".", "..", "/", "a/b"] {
            assert!(asset_text(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_fault_has_a_kind_and_a_rate() {
        let drop = FaultRate { kind: FaultKind::Drop, rate: 0.05 };
        assert_eq!("drop=0.05".parse(), Ok(drop));
        assert_eq!("silence=1".parse::<FaultRate>().unwrap().kind, FaultKind::Silence);
        insta::assert_snapshot!(
            "fire=0.5".parse::<FaultRate>().unwrap_err(),
            @r#""fire" is not a fault; use drop, corrupt, delay, duplicate, noise, truncate, silence"#
        );
        for text in ["drop", "drop=", "drop=1.5", "drop=-0.1", "drop=NaN", "=0.5"] {
            assert!(text.parse::<FaultRate>().is_err(), "{text:?}");
        }
    }
}
