//! Reading sensors: the commands, and the arithmetic that turns raw bytes into numbers, states and health.
//!
//! What a BMC answers about a sensor is one raw byte and a few bits; what they mean stands in the sensor's record, which
//! [`crate::sdr`] reads. This module does not know how records are laid out.

mod conversion;
mod reading;
mod survey;
mod threshold;
mod unit;

pub use conversion::{Conversion, Factors, GetSensorReadingFactors, Linearization, ReadingFactors};
pub use reading::{Availability, GetSensorReading, Interpretation, Observation, SensorReading, State, Value};
pub use survey::{ReadSensors, Unread};
pub use threshold::{GetSensorThresholds, Health, Threshold, Thresholds};
pub use unit::{AnalogFormat, BaseUnit, ModifierUse, Units};
