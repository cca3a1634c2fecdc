//! What the data of an answer says, in the words of the house. Knows nothing of addresses, and of requests only the
//! form of the answers to them.

use jiff::Timestamp;
use opendcre_devicebus::reply::{self, PowerAnswer, ReplyError};
use opendcre_devicebus::{BootTarget as BusBootTarget, Protocol, conversion};
use opendcre_model::{
    BatteryReport, BootOverride, BootTarget, ChamberLedState, DeviceKind, Electrical, Health, Measurement,
    Number, Observation, PowerReport, Quality, Quantity, Reading,
};

/// Who answered, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) source: &'a str,
    pub(super) measured_at: Timestamp,
    pub(super) protocol: Protocol,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Version,
    /// The value of a sensor of this kind.
    Reading(DeviceKind),
    Power,
    AssetText,
    AssetInfo,
    BootTarget,
    HostInfo,
    Led,
    ChamberLed,
}

impl Form {
    /// What an answer of this form says.
    pub(super) fn observe(self, data: &[u8], origin: Origin<'_>) -> Result<Observation, ReplyError> {
        Ok(match self {
            Self::Version => Observation::Version(reply::text(data)?),
            Self::Reading(kind) => Observation::Sensor(reading(kind, data, origin)?),
            Self::Power => power(data, origin)?,
            Self::AssetText => Observation::AssetText { text: reply::text(data)?, management_address: None },
            Self::AssetInfo => Observation::AssetInfo(Box::new(reply::asset_info(data)?)),
            Self::BootTarget => Observation::BootTarget(boot_override(reply::boot_target(data)?)),
            Self::HostInfo => Observation::HostInfo(reply::host_info(data)?),
            Self::Led => Observation::Led { on: reply::led(data)? },
            Self::ChamberLed => {
                let reply::ChamberLedState { on, color, blinking } = reply::chamber_led(data)?;
                Observation::ChamberLed(ChamberLedState { on, color, blink: blinking })
            }
        })
    }
}

fn power(data: &[u8], origin: Origin<'_>) -> Result<Observation, ReplyError> {
    let Origin { source, measured_at, protocol } = origin;
    Ok(match reply::power_answer(data, protocol)? {
        PowerAnswer::Battery(battery) => Observation::Battery(BatteryReport {
            status: battery.state,
            charge_percent: battery.charge_percent,
            measured_at,
            source: source.into(),
        }),
        PowerAnswer::Status(status) => Observation::Power(PowerReport {
            state: status.state(),
            power_ok: status.power_ok(),
            over_current: status.over_current(),
            under_voltage: status.under_voltage(),
            electrical: Some(Electrical {
                raw: reply::text(data)?,
                input_power_watts: conversion::input_power_watts(status.power),
                input_voltage_volts: conversion::input_voltage_volts(status.voltage),
                output_current_amperes: conversion::output_current_amperes(status.current),
            }),
            measured_at,
            source: source.into(),
        }),
    })
}

/// The bus knows targets for the next time only, and no UEFI.
const fn boot_override(target: BusBootTarget) -> BootOverride {
    let target = match target {
        BusBootTarget::NoOverride => BootTarget::NoOverride,
        BusBootTarget::Hdd => BootTarget::Disk,
        BusBootTarget::Pxe => BootTarget::Pxe,
    };
    BootOverride { target, persistent: false, efi: false }
}

fn reading(kind: DeviceKind, data: &[u8], origin: Origin<'_>) -> Result<Reading, ReplyError> {
    let raw = match kind {
        DeviceKind::Temperature | DeviceKind::Pressure => reply::number(data)?,
        _ => reply::integer(data)?,
    };
    let measurements = measurements(kind, &raw);
    let quality = if measurements.is_some() { Quality::Good } else { Quality::OutOfRange };
    Ok(Reading {
        kind,
        raw,
        measurements: measurements.unwrap_or_default(),
        quality,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: origin.measured_at,
        source: origin.source.into(),
    })
}

/// The converted values (§10), or `None` if the sensor cannot have meant that number.
fn measurements(kind: DeviceKind, raw: &Number) -> Option<Vec<Measurement>> {
    let one = |quantity, value: f64| value.is_finite().then(|| vec![Measurement { quantity, value }]);
    match kind {
        DeviceKind::Thermistor => {
            let celsius = conversion::thermistor_celsius(raw.to_i64()?).ok()?;
            one(Quantity::TemperatureCelsius, celsius)
        }
        DeviceKind::Humidity => {
            let conversion::Humidity { percent, celsius } = conversion::humidity(raw.to_i64()?).ok()?;
            Some(vec![
                Measurement { quantity: Quantity::HumidityPercent, value: percent },
                Measurement { quantity: Quantity::TemperatureCelsius, value: celsius },
            ])
        }
        DeviceKind::Temperature => one(Quantity::TemperatureCelsius, raw.to_f64()),
        DeviceKind::Pressure => one(Quantity::PressureKilopascals, raw.to_f64()),
        DeviceKind::FanSpeed | DeviceKind::VaporFan => one(Quantity::SpeedRpm, raw.to_f64()),
        _ => Some(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(form: Form, protocol: Protocol, data: &[u8]) -> Result<Observation, ReplyError> {
        let origin = Origin { source: "test", measured_at: Timestamp::constant(1_450_000_000, 0), protocol };
        form.observe(data, origin)
    }

    fn reading(kind: DeviceKind, data: &[u8]) -> Result<Reading, ReplyError> {
        match observe(Form::Reading(kind), Protocol::V1_3, data)? {
            Observation::Sensor(reading) => Ok(reading),
            other => panic!("not a reading: {other:?}"),
        }
    }

    #[test]
    fn fractions_are_for_temperature_and_pressure() {
        use DeviceKind::{FanSpeed, Pressure, Temperature, Thermistor};
        let value = |kind, quantity| reading(kind, b"30.03").map(|reading| reading.value(&quantity));
        assert_eq!(value(Temperature, Quantity::TemperatureCelsius), Ok(Some(30.03)));
        assert_eq!(value(Pressure, Quantity::PressureKilopascals), Ok(Some(30.03)));
        for kind in [FanSpeed, Thermistor, DeviceKind::Current, DeviceKind::Humidity] {
            assert!(matches!(reading(kind, b"30.03"), Err(ReplyError::Form { .. })), "{kind}");
        }
        assert_eq!(reading(FanSpeed, b"0420").unwrap().value(&Quantity::SpeedRpm), Some(420.0));
        let long = reading(Thermistor, b"99999999999999999999").unwrap();
        assert_eq!((long.quality, long.raw.to_string().len()), (Quality::OutOfRange, 20));
    }

    #[test]
    fn a_battery_unit_is_no_switch() {
        let Ok(Observation::Battery(battery)) = observe(Form::Power, Protocol::V1_3, b"charging,88") else {
            panic!("not a battery");
        };
        assert_eq!((battery.status.as_str(), battery.charge_percent), ("charging", 88));
        assert_eq!(&*battery.source, "test");
        assert!(observe(Form::Power, Protocol::V1_2, b"charging,88").is_err());
        let Ok(Observation::Power(report)) = observe(Form::Power, Protocol::V1_2, b"0,1,2,3,4") else {
            panic!("not a switch");
        };
        assert_eq!(report.electrical.unwrap().raw, "0,1,2,3,4");
    }

    #[test]
    fn boot_targets_and_lamps_have_their_words() {
        let boot = |data: &[u8]| match observe(Form::BootTarget, Protocol::V1_3, data) {
            Ok(Observation::BootTarget(BootOverride { target, persistent: false, efi: false })) => {
                Some(target)
            }
            _ => None,
        };
        assert_eq!(boot(b"B0"), Some(BootTarget::NoOverride));
        assert_eq!(boot(b"B1"), Some(BootTarget::Disk));
        assert_eq!(boot(b"B2"), Some(BootTarget::Pxe));
        assert_eq!(boot(b"B?"), None);
        assert_eq!(observe(Form::Led, Protocol::V1_2, b"1"), Ok(Observation::Led { on: true }));
        assert_eq!(observe(Form::Led, Protocol::V1_2, b"0"), Ok(Observation::Led { on: false }));
        assert!(observe(Form::Led, Protocol::V1_2, b"2").is_err());
        let lamp = ChamberLedState { on: true, color: "ff8800".into(), blink: false };
        let observed = observe(Form::ChamberLed, Protocol::V1_3, b"1,ff8800,0");
        assert_eq!(observed, Ok(Observation::ChamberLed(lamp)));
    }
}
