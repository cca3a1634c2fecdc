//! The time of one point. It knows neither series nor values.

use std::time::Duration;

use serde::Deserialize;

use crate::v2::span;

/// How many points a series has at most if nobody has said how long a step is.
const USUAL_POINTS: u32 = 300;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Steps that people can think in, in seconds.
const ROUND: [u64; 17] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
];

/// The time of one point; zero for the samples themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Step(pub(super) Duration);

impl Step {
    /// The shortest one that makes not too many points of so much time.
    pub(super) fn fit_for(time: Duration) -> Self {
        let least = time / USUAL_POINTS;
        let round = ROUND.into_iter().map(Duration::from_secs).find(|round| *round >= least);
        Self(round.unwrap_or_else(|| in_whole(least, DAY)))
    }
}

/// So much time, or a little more, that is whole multiples of `unit` seconds.
fn in_whole(time: Duration, unit: u64) -> Duration {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    Duration::from_secs(seconds.div_ceil(unit).saturating_mul(unit))
}

impl TryFrom<String> for Step {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "raw" {
            return Ok(Self(Duration::ZERO));
        }
        let step = span::parse(&text).filter(|step| !step.is_zero()).ok_or_else(|| {
            let text = opendcre_model::excerpt(&text);
            format!("{text:?} is no step such as 30s, 5m or 1h, nor raw for every sample")
        })?;
        // As the history does it: it has kept minutes and hours.
        Ok(Self(match step.as_secs() {
            HOUR.. => in_whole(step, HOUR),
            MINUTE.. => in_whole(step, MINUTE),
            _ => step,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_time_or_every_sample() {
        for (text, milliseconds) in [
            ("raw", 0),
            ("500ms", 500),
            ("59s", 59_000),
            ("61s", 120_000),
            ("90m", 7_200_000),
            ("1d", 86_400_000),
        ] {
            let step = Step::try_from(text.to_owned());
            assert_eq!(step, Ok(Step(Duration::from_millis(milliseconds))), "{text}");
        }
        for text in ["", "0", "0ms", "-1s", "Raw", "1.5s"] {
            assert!(Step::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn there_are_about_300_points_of_any_time() {
        for (seconds, step) in [
            (1, 1),
            (300, 1),
            (301, 2),
            (HOUR, 15),
            (DAY, 5 * MINUTE),
            (7 * DAY, HOUR),
            (300 * DAY, DAY),
            (301 * DAY, 2 * DAY),
            (5 * 365 * DAY, 7 * DAY),
        ] {
            assert_eq!(Step::fit_for(Duration::from_secs(seconds)).0.as_secs(), step, "{seconds}");
        }
    }
}
