//! Power of a device: what may be asked of it and what it reports.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Measurement, Quantity, excerpt};

/// A change of power. Asking for the state is a [`crate::Query`], not an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    /// Switch on.
    On,
    /// Switch off at once.
    Off,
    /// Switch off, then on again.
    Cycle,
    /// Restart the processors without taking power away.
    Reset,
    /// Ask the operating system to shut down and switch off.
    Soft,
    /// Interrupt the operating system for a diagnosis, which usually makes it write a dump and restart.
    #[serde(rename = "diag")]
    Diagnostic,
}

impl PowerAction {
    /// Every action.
    pub const ALL: [Self; 6] = [Self::On, Self::Off, Self::Cycle, Self::Reset, Self::Soft, Self::Diagnostic];

    /// The word for it, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Cycle => "cycle",
            Self::Reset => "reset",
            Self::Soft => "soft",
            Self::Diagnostic => "diag",
        }
    }
}

/// A word that is no power action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a power action; use on, off, cycle, reset, soft or diag")]
pub struct UnknownPowerAction(pub String);

impl fmt::Display for PowerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PowerAction {
    type Err = UnknownPowerAction;

    /// Reads the word in any case.
    fn from_str(text: &str) -> Result<Self, UnknownPowerAction> {
        let same_name = |action: &Self| action.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(same_name).ok_or_else(|| UnknownPowerAction(excerpt(text)))
    }
}

/// Whether a device has power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// The output is on.
    On,
    /// The output is off.
    Off,
}

impl PowerState {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for PowerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a device said about its power.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerReport {
    /// On or off.
    pub state: PowerState,
    /// The supply reports its output as good.
    pub power_ok: bool,
    /// The supply reports more current than it may deliver.
    pub over_current: bool,
    /// The supply reports less voltage than it needs.
    pub under_voltage: bool,
    /// The electrical values, where the equipment measures them.
    pub electrical: Option<Electrical>,
    /// When the answer arrived.
    pub measured_at: Timestamp,
    /// The name of the driver that asked.
    pub source: Arc<str>,
}

/// What a battery unit said about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct BatteryReport {
    /// What it is doing, in its own word, such as `charging`.
    pub status: String,
    /// Its charge in percent, as it says it.
    pub charge_percent: i64,
    /// When the answer arrived.
    pub measured_at: Timestamp,
    /// The name of the driver that asked.
    pub source: Arc<str>,
}

/// Measured input and output of a power device.
#[derive(Debug, Clone, PartialEq)]
pub struct Electrical {
    /// The answer as the device sent it.
    pub raw: String,
    /// Input power in watts.
    pub input_power_watts: f64,
    /// Input voltage in volts.
    pub input_voltage_volts: f64,
    /// Output current in amperes. Negative for an idle channel that reports a raw zero.
    pub output_current_amperes: f64,
}

impl Electrical {
    /// The values, each with what it measures.
    #[must_use]
    pub fn measurements(&self) -> Vec<Measurement> {
        let values = [
            (Quantity::PowerWatts, self.input_power_watts),
            (Quantity::VoltageVolts, self.input_voltage_volts),
            (Quantity::CurrentAmperes, self.output_current_amperes),
        ];
        values.into_iter().map(|(quantity, value)| Measurement { quantity, value }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back_to_its_action() {
        for action in PowerAction::ALL {
            assert_eq!(action.name().parse(), Ok(action));
            assert_eq!(action.name().to_uppercase().parse(), Ok(action));
        }
        assert_eq!("status".parse::<PowerAction>(), Err(UnknownPowerAction("status".into())));
    }
}
