//! The thresholds in the configuration: which values are not normal. It does not know the devices that they select.

use opendcre_gateway::{self as gateway, ThresholdError};
use opendcre_model::{DeviceKind, Quantity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;

/// The most thresholds, each of which is looked through when a board changes.
const MOST: usize = 1_000;

/// What is measured in a unit of its own.
const QUANTITIES: [Quantity; 7] = [
    Quantity::TemperatureCelsius,
    Quantity::HumidityPercent,
    Quantity::PressureKilopascals,
    Quantity::SpeedRpm,
    Quantity::VoltageVolts,
    Quantity::CurrentAmperes,
    Quantity::PowerWatts,
];

/// The word for every other quantity, which only its unit tells.
const OTHER: &str = "value";

/// What values of a quantity are not normal. What is given of racks, boards, kinds and devices must all be fulfilled;
/// nothing given is everywhere. The first threshold that fits a device and a quantity counts alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Racks; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<String>,
    /// Boards: ids, names, host names or IP addresses; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<String>,
    /// Kinds of devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Devices: ids, names or kinds; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// What is measured: `temperature`, `humidity`, `pressure`, `speed`, `voltage`, `current`, `power`, or `value` for
    /// anything else.
    pub quantity: String,
    /// The unit of a `value`, as the readings have it; without it, those without a unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Values above it are worth a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_above: Option<f64>,
    /// Values below it are worth a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_below: Option<f64>,
    /// Values above it are critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_above: Option<f64>,
    /// Values below it are critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_below: Option<f64>,
    /// By how much more than this a value must come back across a limit before it is normal again.
    #[serde(default)]
    pub hysteresis: f64,
}

/// Everything that is wrong with the tables.
pub(super) fn check(thresholds: &[Threshold], findings: &mut Findings) {
    if thresholds.len() > MOST {
        findings.add("threshold", format!("there are {} of them; use at most {MOST}", thresholds.len()));
    }
    for (index, threshold) in thresholds.iter().enumerate() {
        threshold.check(&format!("threshold.{index}"), findings);
    }
}

impl Threshold {
    /// The threshold that is meant; nothing if a word in it is unknown, which no configuration has that was checked.
    #[must_use]
    pub fn meaning(&self) -> Option<gateway::Threshold> {
        let kinds = self.kinds.iter().map(|kind| kind.parse().ok()).collect::<Option<Vec<DeviceKind>>>()?;
        Some(gateway::Threshold {
            racks: self.racks.clone(),
            boards: self.boards.clone(),
            kinds,
            devices: self.devices.clone(),
            quantity: self.quantity()?,
            warning_above: self.warning_above,
            warning_below: self.warning_below,
            critical_above: self.critical_above,
            critical_below: self.critical_below,
            hysteresis: self.hysteresis,
        })
    }

    fn quantity(&self) -> Option<Quantity> {
        if self.quantity == OTHER {
            return Some(Quantity::Other(self.unit.clone().unwrap_or_default().into()));
        }
        QUANTITIES.into_iter().find(|quantity| quantity.name() == self.quantity)
    }

    fn check(&self, path: &str, findings: &mut Findings) {
        for kind in &self.kinds {
            if let Err(error) = kind.parse::<DeviceKind>() {
                findings.add(format!("{path}.kinds"), format!("{error}; use one of those that a scan shows"));
            }
        }
        if self.quantity().is_none() {
            let known: Vec<&str> = QUANTITIES.iter().map(Quantity::name).chain([OTHER]).collect();
            let message = format!("{:?} is no quantity; use {}", self.quantity, known.join(", "));
            findings.add(format!("{path}.quantity"), message);
        }
        if self.unit.is_some() && self.quantity != OTHER {
            let message = format!("only \"{OTHER}\" has a unit to choose; leave it out");
            findings.add(format!("{path}.unit"), message);
        }
        if let Some(Err(error)) = self.meaning().as_ref().map(gateway::Threshold::check) {
            findings.add(place(path, &error), error.to_string());
        }
    }
}

/// The key that is at fault.
fn place(path: &str, error: &ThresholdError) -> String {
    match error {
        ThresholdError::NoLimits => path.to_owned(),
        ThresholdError::BadPattern { list: key, .. }
        | ThresholdError::BadNumber { field: key }
        | ThresholdError::BadOrder { field: key, .. } => format!("{path}.{key}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::config::tests::problems;

    const WARM: &str = "[[threshold]]\nquantity = 'temperature'\nwarning_above = 30\n";

    #[test]
    fn a_threshold_needs_a_quantity_and_a_limit() {
        let config = Config::parse(&format!("{WARM}kinds = ['Temperature']")).unwrap();
        let threshold = config.threshold[0].meaning().unwrap();
        assert_eq!((threshold.warning_above, threshold.hysteresis), (Some(30.0), 0.0));
        assert_eq!(threshold.quantity, opendcre_model::Quantity::TemperatureCelsius);
        assert_eq!(threshold.kinds, [opendcre_model::DeviceKind::Temperature]);

        let other =
            Config::parse("[[threshold]]\nquantity = 'value'\nunit = 'CFM'\ncritical_below = 4").unwrap();
        let quantity = opendcre_model::Quantity::Other("CFM".into());
        assert_eq!(other.threshold[0].meaning().unwrap().quantity, quantity);
    }

    #[test]
    fn a_threshold_that_makes_no_sense_is_refused() {
        for (text, expected) in [
            ("[[threshold]]\nquantity = 'power'", "1: threshold: has no limits; write at least one of"),
            (
                "[[threshold]]\nquantity = 'heat'\nwarning_above = 1",
                "2: threshold.quantity: \"heat\" is no quantity",
            ),
            ("[[threshold]]\nwarning_above = 1", "1: threshold: missing field `quantity`"),
            (
                "[threshold]\nquantity = 'power'",
                "1: threshold: invalid type: map, expected a table for each threshold",
            ),
            (&format!("{WARM}unit = 'K'"), "4: threshold.unit: only \"value\" has a unit"),
            (&format!("{WARM}kinds = ['sofa']"), "4: threshold.kinds: \"sofa\" is not a device kind"),
            (
                &format!("{WARM}hysteresis = -1"),
                "4: threshold.hysteresis: will not do; write a finite number",
            ),
            (&format!("{WARM}critical_above = nan"), "4: threshold.critical_above: will not do"),
            (
                &format!("{WARM}critical_above = 29"),
                "4: threshold.critical_above: must not be below warning_above",
            ),
            (&format!("{WARM}boards = ['']"), "4: threshold.boards: the pattern \"\" will not do"),
        ] {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(expected), "{text}: {found:?}");
        }
    }
}
