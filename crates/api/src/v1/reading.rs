//! The JSON of one reading, in API 1.2 and 1.3.

use hyper::body::Bytes;
use opendcre_model::{DeviceKind, DriverError, Fault, Health, Quality, Quantity, Reading};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Generation;
use super::call::Call;
use super::number::integer;
use super::refusal::Owner;
use crate::error::ApiError;
use crate::reply::to_json;

/// What API 1.3 adds to every reading of a server.
#[derive(Serialize)]
struct Condition<'a> {
    health: Health,
    states: &'a [String],
}

#[derive(Serialize)]
struct TemperatureBody<'a> {
    temperature_c: Option<f64>,
    #[serde(flatten)]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
struct SpeedBody<'a> {
    speed_rpm: Option<f64>,
    #[serde(flatten)]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
struct VoltageBody<'a> {
    voltage: Option<f64>,
    #[serde(flatten)]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
struct CelsiusBody {
    temperature_c: f64,
}

#[derive(Serialize)]
struct HumidityBody {
    humidity: f64,
    temperature_c: f64,
}

#[derive(Serialize)]
struct PressureBody {
    pressure_kpa: f64,
}

#[derive(Serialize)]
struct FanBody {
    speed_rpm: Box<RawValue>,
    /// Since API 1.3, where it never says anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    fan_mode: Option<&'static str>,
}

#[derive(Serialize)]
struct RawBody {
    device_raw: Box<RawValue>,
}

/// The body for a reading that was asked for as one of `kind`.
pub(super) fn body(
    call: &Call<'_>,
    owner: Owner,
    kind: DeviceKind,
    reading: &Reading,
) -> Result<Bytes, ApiError> {
    match owner {
        Owner::Server => of_server(call, kind, reading),
        Owner::Bus => of_bus(call, kind, reading),
    }
}

/// A sensor that has no value now is `null` in API 1.2 and a failure in API 1.3.
fn of_server(call: &Call<'_>, kind: DeviceKind, reading: &Reading) -> Result<Bytes, ApiError> {
    let is_unavailable = reading.quality == Quality::Unavailable;
    if is_unavailable && call.generation == Generation::V1_3 {
        let message = "the sensor has no value now, usually because the server is off";
        let error = DriverError::new(Fault::Refused, message).with_code("unavailable");
        return Err(call.failure(error.into()));
    }
    let has_condition = call.generation == Generation::V1_3;
    let condition = has_condition.then(|| Condition { health: reading.health, states: &reading.states });
    let value = |quantity| {
        if is_unavailable {
            return Ok(None);
        }
        reading.value(&quantity).map(Some).ok_or_else(|| no_value(call, kind, reading))
    };
    match kind {
        DeviceKind::Temperature => {
            to_json(&TemperatureBody { temperature_c: value(Quantity::TemperatureCelsius)?, condition })
        }
        DeviceKind::FanSpeed => to_json(&SpeedBody { speed_rpm: value(Quantity::SpeedRpm)?, condition }),
        DeviceKind::Voltage => to_json(&VoltageBody { voltage: value(Quantity::VoltageVolts)?, condition }),
        DeviceKind::PowerSupply => to_json(&condition),
        _ => Err(call.another_answer()),
    }
}

fn of_bus(call: &Call<'_>, kind: DeviceKind, reading: &Reading) -> Result<Bytes, ApiError> {
    let value = |quantity| reading.value(&quantity).ok_or_else(|| no_value(call, kind, reading));
    let raw = || integer(&reading.raw).map_err(|problem| call.malformed(problem));
    match (kind, call.generation) {
        (DeviceKind::Thermistor | DeviceKind::Temperature, _) => {
            to_json(&CelsiusBody { temperature_c: value(Quantity::TemperatureCelsius)? })
        }
        (DeviceKind::Humidity, _) => to_json(&HumidityBody {
            humidity: value(Quantity::HumidityPercent)?,
            temperature_c: value(Quantity::TemperatureCelsius)?,
        }),
        (DeviceKind::Pressure, Generation::V1_3) => {
            to_json(&PressureBody { pressure_kpa: value(Quantity::PressureKilopascals)? })
        }
        (DeviceKind::FanSpeed, Generation::V1_2) => to_json(&FanBody { speed_rpm: raw()?, fan_mode: None }),
        (DeviceKind::FanSpeed | DeviceKind::VaporFan, Generation::V1_3) => {
            to_json(&FanBody { speed_rpm: raw()?, fan_mode: Some("auto") })
        }
        _ => to_json(&RawBody { device_raw: raw()? }),
    }
}

fn no_value(call: &Call<'_>, kind: DeviceKind, reading: &Reading) -> ApiError {
    call.malformed(format!("{} is no value of a {kind} device", reading.raw))
}
