//! What a sensor said, when, and how far it can be trusted.

use jiff::Timestamp;

use crate::{DeviceKind, Number};

/// A physical quantity together with the unit in which OpenDCRE always expresses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Degrees Celsius.
    TemperatureCelsius,
    /// Percent relative humidity.
    HumidityPercent,
    /// Kilopascals.
    PressureKilopascals,
    /// Revolutions per minute.
    SpeedRpm,
}

/// One converted value of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// When the answer arrived.
    pub measured_at: Timestamp,
    /// The name of the driver that asked.
    pub source: String,
}

impl Reading {
    /// The value of one quantity, if the sensor measures it.
    #[must_use]
    pub fn value(&self, quantity: Quantity) -> Option<f64> {
        self.measurements.iter().find(|m| m.quantity == quantity).map(|m| m.value)
    }
}
