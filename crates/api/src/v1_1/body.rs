//! The JSON of API 1.1: key names, key order and number types are what clients have always received.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Bytes;
use opendcre_gateway::{BoardRecord, Outcome};
use opendcre_model::{BoardId, DeviceAddress, DeviceId, DeviceKind, Observation, Quantity, Reading};
use serde::Serialize;
use serde_json::value::RawValue;

use super::bridge;
use super::path::Route;
use crate::error::ApiError;
use crate::reply::to_json;
use crate::v1::number::integer;
use crate::v1::power;

/// The release of the original that this generation is compatible with.
const RELEASE: &str = "1.1.1";

/// What stands for the answer of a device that has none.
const UNMEASURED: u8 = 0;

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

/// The body for what came of `route`.
pub(super) fn render(route: &Route, outcome: &Outcome) -> Result<Bytes, ApiError> {
    let malformed = |problem: String| ApiError::Malformed { subject: route.to_string(), problem };
    match (route, outcome) {
        (Route::ScanAll, Outcome::Scan(report)) => to_json(&scan(&report.boards, true)),
        (Route::Scan { .. }, Outcome::Scan(report)) => to_json(&scan(&report.boards, false)),
        (_, Outcome::Observation(Observation::Version(text))) => to_json(&version(text)),
        (_, Outcome::Observation(Observation::Power(report))) => power::body(report, UNMEASURED),
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

/// The IPMI bridge alone.
pub(super) fn bridge_only(boards: &[Arc<BoardRecord>]) -> Result<Bytes, ApiError> {
    to_json(&ScanBody { boards: vec![bridge_board(boards)] })
}

/// The boards of the buses, and the IPMI bridge after them where it belongs.
fn scan(boards: &[Arc<BoardRecord>], with_bridge: bool) -> ScanBody {
    let buses = boards.iter().filter(|record| !bridge::is_server(record)).map(|record| board(record));
    let bridge = with_bridge.then(|| bridge_board(boards));
    ScanBody { boards: buses.chain(bridge).collect() }
}

fn board(record: &BoardRecord) -> BoardBody {
    let devices = record
        .devices
        .iter()
        .map(|device| DeviceBody { device_id: device.id, device_type: kind_name(device.kind) });
    BoardBody { board_id: record.id, devices: devices.collect() }
}

fn bridge_board(boards: &[Arc<BoardRecord>]) -> BoardBody {
    let device_type = DeviceKind::Power.name();
    let device = |device_id| DeviceBody { device_id, device_type };
    let devices = bridge::devices(boards).into_iter().map(device).collect();
    BoardBody { board_id: bridge::BOARD, devices }
}

const fn asset(device: DeviceAddress, text: &str, bmc_ip: Option<IpAddr>) -> AssetBody<'_> {
    AssetBody { board_id: device.board, device_id: device.device, asset_info: text, bmc_ip }
}

/// The error is the problem in words.
fn sensor(kind: DeviceKind, reading: &Reading) -> Result<Bytes, String> {
    let device_raw = integer(&reading.raw)?;
    let body = if kind == DeviceKind::Thermistor {
        let temperature = reading.value(&Quantity::TemperatureCelsius);
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
        | DeviceKind::Sensor
        | DeviceKind::VaporBattery
        | DeviceKind::VaporFan
        | DeviceKind::VaporLed
        | DeviceKind::VaporRectifier
        | DeviceKind::Voltage => "none",
    }
}
