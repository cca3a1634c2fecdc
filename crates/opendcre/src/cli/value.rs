//! Option values that need more than a type's own `FromStr`.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use jiff::fmt::friendly::SpanParser;

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

/// Takes a text that can travel as a segment of a URL path.
///
/// `.` and `..` cannot: URLs resolve them away even when they are percent-encoded. Nor can `/`: the API decodes
/// a path before it splits it.
pub(super) fn asset_text(text: &str) -> Result<String, String> {
    match text {
        "" => Err("the text must not be empty".to_owned()),
        "." | ".." => Err("the API cannot carry this text".to_owned()),
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
