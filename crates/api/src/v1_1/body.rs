//! The JSON of API 1.1: key names, key order and number types are what clients have always received.

use std::net::IpAddr;

use hyper::body::Bytes;
use opendcre_gateway::Outcome;
use opendcre_model::{
    Board, BoardId, DeviceAddress, DeviceId, DeviceKind, Number, Observation, PowerReport, PowerState,
    Quantity, Reading,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::bridge;
use super::path::Route;
use crate::error::ApiError;
use crate::reply::to_json;

/// The release of the original that this generation is compatible with.
const RELEASE: &str = "1.1.1";

#[derive(Serialize)]
pub(super) struct VersionBody<'a> {
    firmware_version: &'a str,
    opendcre_version: &'static str,
    api_version: &'static str,
}

#[derive(Serialize)]
struct ScanBody {
    boards: Vec<BoardBody>,
}

#[derive(Serialize)]
struct BoardBody {
    board_id: BoardId,
    devices: Vec<DeviceBody>,
}

#[derive(Serialize)]
struct DeviceBody {
    device_id: DeviceId,
    device_type: &'static str,
}

#[derive(Serialize)]
struct RawBody {
    device_raw: Box<RawValue>,
}

#[derive(Serialize)]
struct ThermistorBody {
    device_raw: Box<RawValue>,
    temperature_c: f64,
}

#[derive(Serialize)]
struct AssetBody<'a> {
    board_id: BoardId,
    device_id: DeviceId,
    asset_info: &'a str,
    /// Only devices that are managed over the network have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bmc_ip: Option<IpAddr>,
}

/// With text and fractions for equipment that measures, with integer zeros for equipment that does not.
#[derive(Serialize)]
struct PowerBody<R, N> {
    pmbus_raw: R,
    power_status: PowerState,
    power_ok: bool,
    over_current: bool,
    under_voltage: bool,
    input_power: N,
    input_voltage: N,
    output_current: N,
}

/// The body for what came of `route`.
pub(super) fn render(route: &Route, outcome: &Outcome) -> Result<Bytes, ApiError> {
    let malformed = |problem: String| ApiError::Malformed { subject: route.to_string(), problem };
    match (route, outcome) {
        (Route::ScanAll | Route::Scan { board: bridge::BOARD }, Outcome::Scan(report)) => {
            to_json(&scan(&report.boards, true))
        }
        (Route::Scan { .. }, Outcome::Scan(report)) => to_json(&scan(&report.boards, false)),
        (_, Outcome::Observation(Observation::Version(text))) => to_json(&version(text)),
        (_, Outcome::Observation(Observation::Power(report))) => power(report),
        (
            Route::ReadAsset { device } | Route::WriteAsset { device, .. },
            Outcome::Observation(Observation::AssetText { text, management_address }),
        ) => to_json(&asset(*device, text, *management_address)),
        (Route::Read { kind, .. }, Outcome::Observation(Observation::Sensor(reading))) => {
            sensor(*kind, reading).map_err(malformed)
        }
        _ => Err(malformed("the equipment answered something else than was asked".to_owned())),
    }
}

pub(super) const fn version(firmware: &str) -> VersionBody<'_> {
    VersionBody { firmware_version: firmware, opendcre_version: RELEASE, api_version: "1.1" }
}

/// The boards of the buses, and the IPMI bridge after them where it belongs.
fn scan(boards: &[Board], with_bridge: bool) -> ScanBody {
    let (buses, bridge) = bridge::split(boards);
    let empty = BoardBody { board_id: bridge::BOARD, devices: Vec::new() };
    let bridge = with_bridge.then(|| bridge.map_or(empty, board));
    ScanBody { boards: buses.map(board).chain(bridge).collect() }
}

fn board(board: &Board) -> BoardBody {
    let devices = board
        .devices
        .iter()
        .map(|device| DeviceBody { device_id: device.id, device_type: kind_name(device.kind) });
    BoardBody { board_id: board.id, devices: devices.collect() }
}

const fn asset(device: DeviceAddress, text: &str, bmc_ip: Option<IpAddr>) -> AssetBody<'_> {
    AssetBody { board_id: device.board, device_id: device.device, asset_info: text, bmc_ip }
}

/// The error is the problem in words.
fn sensor(kind: DeviceKind, reading: &Reading) -> Result<Bytes, String> {
    let device_raw = integer(&reading.raw)?;
    let body = if kind == DeviceKind::Thermistor {
        let temperature = reading.value(Quantity::TemperatureCelsius);
        to_json(&ThermistorBody {
            device_raw,
            temperature_c: temperature
                .ok_or_else(|| format!("{} is outside the range of a thermistor", reading.raw))?,
        })
    } else {
        to_json(&RawBody { device_raw })
    };
    body.map_err(|error| error.to_string())
}

/// The digits as they came: they may be more than any machine integer holds.
fn integer(number: &Number) -> Result<Box<RawValue>, String> {
    match number {
        Number::Integer(digits) => RawValue::from_string(digits.clone()).map_err(|error| error.to_string()),
        Number::Decimal(value) => {
            Err(format!("the device answered {value}, but API 1.1 carries integers only"))
        }
    }
}

fn power(report: &PowerReport) -> Result<Bytes, ApiError> {
    match &report.electrical {
        Some(values) => to_json(&PowerBody {
            pmbus_raw: values.raw.as_str(),
            power_status: report.state,
            power_ok: report.power_ok,
            over_current: report.over_current,
            under_voltage: report.under_voltage,
            input_power: values.input_power_watts,
            input_voltage: values.input_voltage_volts,
            output_current: values.output_current_amperes,
        }),
        None => to_json(&PowerBody {
            pmbus_raw: 0,
            power_status: report.state,
            power_ok: report.power_ok,
            over_current: report.over_current,
            under_voltage: report.under_voltage,
            input_power: 0,
            input_voltage: 0,
            output_current: 0,
        }),
    }
}

/// The name in API 1.1, which knows fewer kinds and calls two of them by an older name.
const fn kind_name(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Thermistor => "thermistor",
        DeviceKind::Temperature => "temperature",
        DeviceKind::Current => "current",
        DeviceKind::Humidity => "humidity",
        DeviceKind::Led => "led",
        DeviceKind::Ipmb | DeviceKind::System => "ipmb",
        DeviceKind::Power => "power",
        DeviceKind::DoorLock | DeviceKind::FanSpeed => "door_lock",
        DeviceKind::Pressure => "pressure",
        DeviceKind::None
        | DeviceKind::Airflow
        | DeviceKind::PowerSupply
        | DeviceKind::VaporBattery
        | DeviceKind::VaporFan
        | DeviceKind::VaporLed
        | DeviceKind::VaporRectifier
        | DeviceKind::Voltage => "none",
    }
}
