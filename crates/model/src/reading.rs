//! What a sensor said, when, and how far it can be trusted.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DeviceKind, Number};

/// A physical quantity together with the unit in which OpenDCRE always expresses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Degrees Celsius.
    TemperatureCelsius,
    /// Percent relative humidity.
    HumidityPercent,
    /// Kilopascals.
    PressureKilopascals,
    /// Revolutions per minute.
    SpeedRpm,
    /// Volts.
    VoltageVolts,
    /// Amperes.
    CurrentAmperes,
    /// Watts.
    PowerWatts,
    /// Anything else, in the unit with this symbol; empty for a plain number.
    Other(Cow<'static, str>),
}

/// One converted value of a reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What was measured, and its unit.
    pub quantity: Quantity,
    /// The value in the unit of the quantity. Always finite.
    pub value: f64,
}

/// How far a value can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quality {
    /// The device answered and the value lies within what the sensor can measure.
    Good,
    /// The device answered, but the value lies outside the sensor's range.
    OutOfRange,
    /// The sensor has no value now, usually because the server is off.
    Unavailable,
}

/// What a sensor's value means for the equipment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing is wrong, or the sensor has no thresholds.
    #[default]
    Ok,
    /// Outside what is normal (non-critical).
    Warning,
    /// Outside what is safe.
    Critical,
    /// Outside what the equipment survives (non-recoverable).
    Failed,
}

/// The answer of one sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The kind that was asked for.
    pub kind: DeviceKind,
    /// The number as the device sent it.
    pub raw: Number,
    /// The converted values; empty for kinds without a known conversion.
    pub measurements: Vec<Measurement>,
    /// How far the value can be trusted.
    pub quality: Quality,
    /// What the value means, as far as the equipment says it. Of a reading that is [`Quality::Unavailable`] it says nothing:
    /// without a value there is nothing to judge.
    pub health: Health,
    /// What else the sensor reports, in words.
    pub states: Vec<String>,
    /// When the answer arrived.
    pub measured_at: Timestamp,
    /// The name of the driver that asked.
    pub source: Arc<str>,
}

impl Reading {
    /// The value of one quantity, if the sensor measures it.
    #[must_use]
    pub fn value(&self, quantity: &Quantity) -> Option<f64> {
        self.measurements.iter().find(|m| m.quantity == *quantity).map(|m| m.value)
    }
}

impl Quantity {
    /// What is measured, in one word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TemperatureCelsius => "temperature",
            Self::HumidityPercent => "humidity",
            Self::PressureKilopascals => "pressure",
            Self::SpeedRpm => "speed",
            Self::VoltageVolts => "voltage",
            Self::CurrentAmperes => "current",
            Self::PowerWatts => "power",
            Self::Other(_) => "value",
        }
    }

    /// The symbol of its unit; empty for a plain number.
    #[must_use]
    pub fn unit(&self) -> &str {
        match self {
            Self::TemperatureCelsius => "°C",
            Self::HumidityPercent => "%",
            Self::PressureKilopascals => "kPa",
            Self::SpeedRpm => "rpm",
            Self::VoltageVolts => "V",
            Self::CurrentAmperes => "A",
            Self::PowerWatts => "W",
            Self::Other(symbol) => symbol,
        }
    }
}

impl Quality {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::OutOfRange => "out_of_range",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Health {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
