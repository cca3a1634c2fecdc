//! The sensors of a BMC as devices, and their readings.

use std::sync::Arc;

use opendcre_ipmi::event;
use opendcre_ipmi::sdr::Sensor;
use opendcre_ipmi::sensor::{
    self, Availability, BaseUnit, Interpretation, ModifierUse, Observation as Observed, ReadSensors, State,
    Units, Unread, Value,
};
use opendcre_model::{
    Capabilities, Capability, Context, Device, DeviceAddress, DeviceKind, DriverError, Fault, Health,
    Measurement, Number, Quality, Quantity, Reading,
};

use super::bmcs::Bmcs;
use super::error::Problem;
use super::knowledge::sensor_id;

/// A sensor as a device of its board.
pub(super) fn device(sensor: &Sensor) -> Device {
    Device {
        name: Some(sensor.name.clone()).filter(|name| !name.is_empty()),
        ..Device::new(sensor_id(sensor), kind(sensor), Capabilities::of(&[Capability::Reading]))
    }
}

/// What a sensor of this type is called here (IPMI 2.0 table 42-3).
const fn kind(sensor: &Sensor) -> DeviceKind {
    match sensor.interpretation.sensor_type {
        0x01 => DeviceKind::Temperature,
        0x02 => DeviceKind::Voltage,
        0x03 => DeviceKind::Current,
        0x04 => DeviceKind::FanSpeed,
        0x08 => DeviceKind::PowerSupply,
        _ => DeviceKind::Sensor,
    }
}

impl Bmcs {
    /// What a sensor says now.
    pub(super) async fn sensor_reading(
        &self,
        address: DeviceAddress,
        asked: DeviceKind,
        context: Context,
    ) -> Result<Reading, DriverError> {
        let DeviceAddress { board, device } = address;
        let profile = self.profile(board, context).await?;
        let Some(sensor) = profile.sensor(device) else {
            let message =
                format!("{}: there is no sensor {device}; search the board again", self.place(board));
            return Err(DriverError::new(Fault::Unsupported, message).with_code("unknown_device"));
        };
        expect_kind(address, kind(sensor), asked)?;
        let question = ReadSensors::new(Arc::from([sensor.clone()]), profile.quirks());
        let outcome = self.run(board, question, context).await?.pop().unwrap_or(Err(Unread::EventOnly));
        match outcome {
            Ok(observed) => Ok(self.reading_of_sensor(asked, sensor, &observed)),
            Err(Unread::Command(error)) => Err(self.error(board, Problem::Command(error)).into()),
            Err(unread @ (Unread::EventOnly | Unread::OtherOwner(_))) => {
                let message = format!("{}: {unread}", self.place(board));
                Err(DriverError::new(Fault::Unsupported, message))
            }
        }
    }

    fn reading_of_sensor(&self, kind: DeviceKind, sensor: &Sensor, observed: &Observed) -> Reading {
        Reading {
            kind,
            raw: Number::from(i64::from(observed.raw)),
            quality: quality(sensor, observed),
            measurements: observed.value.map(measurement).into_iter().collect(),
            health: judgement(sensor, observed).map(health).unwrap_or_default(),
            states: observed.states.iter().map(ToString::to_string).collect(),
            measured_at: self.clock.now(),
            source: self.name.clone(),
        }
    }
}

/// A device answers only to its own kind.
pub(super) fn expect_kind(
    device: DeviceAddress,
    actual: DeviceKind,
    asked: DeviceKind,
) -> Result<(), DriverError> {
    if actual == asked {
        return Ok(());
    }
    let message = format!("{device} is of kind {actual}, not {asked}; nothing was sent");
    Err(DriverError::new(Fault::Invalid, message).with_code("wrong_kind"))
}

/// A byte that the sensor's formula makes no number of lies where the sensor cannot measure.
fn quality(sensor: &Sensor, observed: &Observed) -> Quality {
    let has_numbers = sensor.interpretation.conversion.is_some();
    match observed.availability {
        Availability::Unavailable | Availability::ScanningDisabled => Quality::Unavailable,
        Availability::Available if has_numbers && observed.value.is_none() => Quality::OutOfRange,
        Availability::Available => Quality::Good,
    }
}

/// How bad it is: as the sensor says, else as its worst state is.
fn judgement(sensor: &Sensor, observed: &Observed) -> Option<sensor::Health> {
    let Interpretation { event_reading_type, sensor_type, .. } = sensor.interpretation;
    let severity = |state: &State| event::state_severity(event_reading_type, sensor_type, state.offset);
    observed.health.or_else(|| observed.states.iter().filter_map(severity).max())
}

pub(super) const fn health(health: sensor::Health) -> Health {
    match health {
        sensor::Health::Ok => Health::Ok,
        sensor::Health::NonCritical => Health::Warning,
        sensor::Health::Critical => Health::Critical,
        sensor::Health::NonRecoverable => Health::Failed,
    }
}

/// A value in the unit in which its quantity is always expressed (IPMI 2.0 table 43-15 has the numbers of units).
fn measurement(value: Value) -> Measurement {
    let Value { number, units } = value;
    let (quantity, value) = match plain(units) {
        Some(BaseUnit(1)) => (Quantity::TemperatureCelsius, number),
        Some(BaseUnit(2)) => (Quantity::TemperatureCelsius, (number - 32.0) / 1.8),
        Some(BaseUnit(3)) => (Quantity::TemperatureCelsius, number - 273.15),
        Some(BaseUnit(4)) => (Quantity::VoltageVolts, number),
        Some(BaseUnit(5)) => (Quantity::CurrentAmperes, number),
        Some(BaseUnit(6)) => (Quantity::PowerWatts, number),
        Some(BaseUnit(14)) => (Quantity::PressureKilopascals, number),
        Some(BaseUnit(18)) => (Quantity::SpeedRpm, number),
        _ => (Quantity::Other(units.symbol()), number),
    };
    Measurement { quantity, value }
}

/// The unit, if it is not part of a larger one.
fn plain(units: Units) -> Option<BaseUnit> {
    let is_plain = !units.percentage && units.rate == 0 && units.modifier_use == ModifierUse::None;
    is_plain.then_some(units.base)
}

#[cfg(test)]
mod tests {
    use opendcre_ipmi::sensor::AnalogFormat;

    use super::*;

    fn measured(units: Units) -> (Quantity, f64) {
        let Measurement { quantity, value } = measurement(Value { number: 100.0, units });
        (quantity, (value * 100.0).round() / 100.0)
    }

    #[test]
    fn a_quantity_is_always_in_the_same_unit() {
        let plain = |base| measured(Units::plain(AnalogFormat::Unsigned, BaseUnit(base)));
        assert_eq!(plain(1), (Quantity::TemperatureCelsius, 100.0));
        assert_eq!(plain(2), (Quantity::TemperatureCelsius, 37.78));
        assert_eq!(plain(3), (Quantity::TemperatureCelsius, -173.15));
        assert_eq!(plain(4), (Quantity::VoltageVolts, 100.0));
        assert_eq!(plain(5), (Quantity::CurrentAmperes, 100.0));
        assert_eq!(plain(6), (Quantity::PowerWatts, 100.0));
        assert_eq!(plain(14), (Quantity::PressureKilopascals, 100.0));
        assert_eq!(plain(18), (Quantity::SpeedRpm, 100.0));
        assert_eq!(plain(17), (Quantity::Other("CFM".into()), 100.0));
        assert_eq!(plain(0), (Quantity::Other("".into()), 100.0));
    }

    #[test]
    fn a_unit_that_is_part_of_another_is_not_taken_for_it() {
        assert_eq!(measured(Units::decode([0x01, 0, 0])), (Quantity::Other("%".into()), 100.0));
        assert_eq!(measured(Units::decode([0x01, 18, 0])), (Quantity::Other("% RPM".into()), 100.0));
        assert_eq!(measured(Units::decode([0x02, 6, 24])), (Quantity::Other("W/h".into()), 100.0));
        assert_eq!(measured(Units::decode([0x18, 1, 0])), (Quantity::Other("C/s".into()), 100.0));
    }
}
