//! What one answer of a device says about its health. It knows no thresholds and nothing of earlier answers.

use std::borrow::Cow;

use opendcre_model::{Health, Measurement, Observation, PowerReport, PowerState, Quality, Reading};

/// What one answer says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement<'a> {
    /// What the equipment thinks of it itself.
    pub(super) health: Health,
    /// Its words for that.
    pub(super) words: Cow<'a, [String]>,
    /// The values to compare with thresholds.
    pub(super) values: Values<'a>,
}

/// The values of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values<'a> {
    /// There are these.
    Measured(Cow<'a, [Measurement]>),
    /// There may be one, but it cannot be trusted.
    Doubtful,
    /// There is nothing to measure now.
    Absent,
}

impl<'a> Statement<'a> {
    /// What `observation` says; nothing if it is not about health.
    pub(super) fn of(observation: &'a Observation) -> Option<Self> {
        match observation {
            Observation::Sensor(reading) => Some(of_reading(reading, observation.measurements())),
            Observation::Power(report) => Some(of_power(report, observation.measurements())),
            _ => None,
        }
    }
}

fn of_reading<'a>(reading: &'a Reading, measured: Cow<'a, [Measurement]>) -> Statement<'a> {
    let (health, values) = match reading.quality {
        Quality::Good => (reading.health, Values::Measured(measured)),
        Quality::OutOfRange => (reading.health, Values::Doubtful),
        Quality::Unavailable => (Health::Ok, Values::Absent),
    };
    Statement { health, words: Cow::Borrowed(&reading.states), values }
}

fn of_power<'a>(report: &PowerReport, measured: Cow<'a, [Measurement]>) -> Statement<'a> {
    let is_bad = !report.power_ok && report.state == PowerState::On;
    let faults = [
        (report.over_current, Health::Critical, "over-current"),
        (report.under_voltage, Health::Critical, "under-voltage"),
        (is_bad, Health::Warning, "power is not good"),
    ];
    let faults = faults.into_iter().filter(|(is_so, ..)| *is_so);
    let health = faults.clone().map(|(_, health, _)| health).max().unwrap_or_default();
    let words = faults.map(|(.., word)| word.to_owned()).collect();
    Statement { health, words: Cow::Owned(words), values: Values::Measured(measured) }
}
