//! What one answer of a device says about its health. It knows no thresholds and nothing of earlier answers.

use std::borrow::Cow;

use opendcre_model::{
    Electrical, Health, Measurement, Observation, PowerReport, PowerState, Quality, Quantity, Reading,
};

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
            Observation::Sensor(reading) => Some(reading.into()),
            Observation::Power(report) => Some(report.into()),
            _ => None,
        }
    }
}

impl<'a> From<&'a Reading> for Statement<'a> {
    fn from(reading: &'a Reading) -> Self {
        let (health, values) = match reading.quality {
            Quality::Good => (reading.health, Values::Measured(Cow::Borrowed(&reading.measurements))),
            Quality::OutOfRange => (reading.health, Values::Doubtful),
            Quality::Unavailable => (Health::Ok, Values::Absent),
        };
        Self { health, words: Cow::Borrowed(&reading.states), values }
    }
}

impl From<&PowerReport> for Statement<'_> {
    fn from(report: &PowerReport) -> Self {
        let is_bad = !report.power_ok && report.state == PowerState::On;
        let faults = [
            (report.over_current, Health::Critical, "over-current"),
            (report.under_voltage, Health::Critical, "under-voltage"),
            (is_bad, Health::Warning, "power is not good"),
        ];
        let faults = faults.into_iter().filter(|(is_so, ..)| *is_so);
        let health = faults.clone().map(|(_, health, _)| health).max().unwrap_or_default();
        let words = faults.map(|(.., word)| word.to_owned()).collect();
        let values = report
            .electrical
            .as_ref()
            .map_or(Cow::Borrowed(&[][..]), |electrical| measured(electrical).into());
        Self { health, words: Cow::Owned(words), values: Values::Measured(values) }
    }
}

fn measured(electrical: &Electrical) -> Vec<Measurement> {
    let values = [
        (Quantity::PowerWatts, electrical.input_power_watts),
        (Quantity::VoltageVolts, electrical.input_voltage_volts),
        (Quantity::CurrentAmperes, electrical.output_current_amperes),
    ];
    values.into_iter().map(|(quantity, value)| Measurement { quantity, value }).collect()
}
