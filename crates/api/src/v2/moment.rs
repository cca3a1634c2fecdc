//! Moments in queries: a time as in RFC 3339, `now`, or how long ago it was. It has no clock.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::span;

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Moment {
    /// This one.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// The moment itself, if it is `now`.
    pub(super) fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => now.saturating_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let moment = match text.strip_prefix('-') {
            Some(span) => span::parse(span).map(Self::Ago),
            None if text == "now" => Some(Self::Ago(Duration::ZERO)),
            None => text.parse().ok().map(Self::At),
        };
        moment.ok_or_else(|| {
            let text = opendcre_model::excerpt(&text);
            format!("{text:?} is no moment such as 2026-11-01T12:00:00Z, -24h or now")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Moment, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_moment_is_a_time_or_some_time_ago() {
        let now: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
        for (text, time) in [
            ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"),
            ("2026-11-01T12:00:00+02:00", "2026-11-01T10:00:00Z"),
            ("now", "2026-11-02T12:00:00Z"),
            ("-90s", "2026-11-02T11:58:30Z"),
            ("-24h", "2026-11-01T12:00:00Z"),
            ("-7d", "2026-10-26T12:00:00Z"),
        ] {
            assert_eq!(read(text).unwrap().seen_from(now), time.parse().unwrap(), "{text}");
        }
        assert_eq!(read("-999999999d").unwrap().seen_from(now), Timestamp::MIN);
        for text in ["", "-", "--1h", "24h", "yesterday", "2026-11-01", "-1x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
