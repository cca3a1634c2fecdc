//! The JSON of API 1.2 and 1.3, except for scans and readings: key names, key order and number types are what clients
//! have always received.

use std::net::IpAddr;

use hyper::body::Bytes;
use opendcre_gateway::Command;
use opendcre_model::{
    Action, AssetInfo, BatteryReport, BoardAsset, BootOverride, BootTarget, ChamberLedState, ChassisAsset,
    ChassisLocation, Depth, DeviceId, DeviceKind, Horizontal, Observation, PowerReport, PowerState,
    ProductAsset, Query, Vertical,
};
use serde::Serialize;

use super::call::Call;
use super::refusal::Owner;
use super::{Generation, power, reading};
use crate::error::ApiError;
use crate::reply::to_json;

/// The firmware version of every server: that of the part of the original that spoke to them.
pub(super) const SERVER_FIRMWARE: &str = "OpenDCRE IPMI Bridge v2.0";

/// What stands for the answer of a device that has none.
const UNMEASURED: &str = "0,0,0,0";

/// What is not known, where a text is expected.
const UNKNOWN: &str = "unknown";

#[derive(Serialize)]
struct VersionBody2<'a> {
    firmware_version: &'a str,
    opendcre_version: &'static str,
    api_version: &'static str,
}

#[derive(Serialize)]
struct VersionBody3<'a> {
    api_version: &'static str,
    opendcre_version: &'static str,
    firmware_version: &'a str,
}

#[derive(Serialize)]
struct BatteryBody<'a> {
    battery_status: &'a str,
    battery_charge_percent: i64,
}

#[derive(Serialize)]
struct ServerPowerBody {
    power_status: PowerState,
    power_ok: bool,
    over_current: bool,
    input_power: Watts,
}

/// A number, or the word for not knowing it.
#[derive(Serialize)]
#[serde(untagged)]
enum Watts {
    Known(f64),
    Unknown(&'static str),
}

#[derive(Serialize)]
struct AssetBody<'a> {
    /// Only servers have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bmc_ip: Option<IpAddr>,
    board_info: &'a BoardAsset,
    chassis_info: &'a ChassisAsset,
    product_info: &'a ProductAsset,
}

#[derive(Serialize)]
struct BootTargetBody {
    /// Nothing for targets that these generations have no word for.
    target: Option<&'static str>,
}

#[derive(Serialize)]
struct LocationBody {
    physical_location: PhysicalBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    chassis_location: Option<ChassisBody>,
}

/// Where the board is in its rack. Nobody has ever known.
#[derive(Serialize)]
struct PhysicalBody {
    horizontal: &'static str,
    vertical: &'static str,
    depth: &'static str,
}

#[derive(Serialize)]
struct ChassisBody {
    depth: Depth,
    horiz_pos: Horizontal,
    vert_pos: Vertical,
    server_node: ServerNode,
}

/// A number, or the word for not knowing it.
#[derive(Serialize)]
#[serde(untagged)]
enum ServerNode {
    Known(u8),
    Unknown(&'static str),
}

#[derive(Serialize)]
struct LedBody {
    led_state: PowerState,
    /// Only for servers, and only in API 1.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    led_color: Option<&'static str>,
}

#[derive(Serialize)]
struct ChamberLedBody<'a> {
    led_state: PowerState,
    led_color: &'a str,
    blink_state: &'static str,
}

#[derive(Serialize)]
struct HostInfoBody<'a> {
    hostnames: Vec<String>,
    ip_addresses: &'a [IpAddr],
}

/// The body for what came of `command`.
pub(super) fn observation(
    call: &Call<'_>,
    owner: Owner,
    command: &Command,
    observation: &Observation,
) -> Result<Bytes, ApiError> {
    match (command, observation) {
        (Command::Query(Query::Version(_)), Observation::Version(text)) => version(call.generation, text),
        (Command::Query(Query::Sensor { kind, .. }), Observation::Sensor(reading)) => {
            reading::body(call, owner, *kind, reading)
        }
        (Command::Action(Action::SetFanSpeed { .. }), Observation::Sensor(reading)) => {
            reading::body(call, owner, DeviceKind::FanSpeed, reading)
        }
        (
            Command::Query(Query::Power { .. }) | Command::Action(Action::Power { .. }),
            Observation::Power(report),
        ) => power::body(report, UNMEASURED),
        // Boards that may answer like this exist since API 1.3.
        (
            Command::Query(Query::Power { .. }) | Command::Action(Action::Power { .. }),
            Observation::Battery(report),
        ) if call.generation == Generation::V1_3 => battery(report),
        (Command::Query(Query::AssetInfo(_)), Observation::AssetInfo(asset)) => asset_info(asset),
        (
            Command::Query(Query::BootTarget(_)) | Command::Action(Action::SetBootTarget { .. }),
            Observation::BootTarget(boot),
        ) => boot_target(*boot),
        (Command::Query(Query::Led(_)) | Command::Action(Action::SetLed { .. }), Observation::Led { on }) => {
            led(call.generation, owner, *on)
        }
        (Command::Action(Action::SetChamberLed { .. }), Observation::ChamberLed(state)) => chamber_led(state),
        (Command::Query(Query::HostInfo(_)), Observation::HostInfo(host)) => {
            to_json(&HostInfoBody { hostnames: host.hostnames.clone(), ip_addresses: &host.ip_addresses })
        }
        _ => Err(call.another_answer()),
    }
}

pub(super) fn version(generation: Generation, firmware: &str) -> Result<Bytes, ApiError> {
    let (opendcre_version, api_version) = (generation.release(), generation.api_version());
    match generation {
        Generation::V1_2 => {
            to_json(&VersionBody2 { firmware_version: firmware, opendcre_version, api_version })
        }
        Generation::V1_3 => {
            to_json(&VersionBody3 { api_version, opendcre_version, firmware_version: firmware })
        }
    }
}

/// The four keys that API 1.3 has for servers.
pub(super) fn server_power(report: &PowerReport, watts: Option<f64>) -> Result<Bytes, ApiError> {
    to_json(&ServerPowerBody {
        power_status: report.state,
        power_ok: report.power_ok,
        over_current: report.over_current,
        input_power: watts.map_or(Watts::Unknown(UNKNOWN), Watts::Known),
    })
}

/// What is computed from the id of a device. No equipment is asked.
pub(super) fn location(device: Option<DeviceId>) -> Result<Bytes, ApiError> {
    let physical_location = PhysicalBody { horizontal: UNKNOWN, vertical: UNKNOWN, depth: UNKNOWN };
    to_json(&LocationBody { physical_location, chassis_location: device.map(chassis_location) })
}

/// The names and addresses of a server.
pub(super) fn host_info(hostnames: &[String], ip_addresses: &[IpAddr]) -> Result<Bytes, ApiError> {
    to_json(&HostInfoBody { hostnames: host_names(hostnames, ip_addresses), ip_addresses })
}

/// The names of a server. One without a name has always gone by its addresses.
pub(super) fn host_names(hostnames: &[String], ip_addresses: &[IpAddr]) -> Vec<String> {
    if hostnames.is_empty() {
        return ip_addresses.iter().map(IpAddr::to_string).collect();
    }
    hostnames.to_vec()
}

/// The kinds of sensors that a server has in a generation.
pub(super) const fn server_sensors(generation: Generation) -> &'static [DeviceKind] {
    match generation {
        Generation::V1_2 => &[DeviceKind::Temperature, DeviceKind::FanSpeed],
        Generation::V1_3 => {
            &[DeviceKind::Temperature, DeviceKind::FanSpeed, DeviceKind::Voltage, DeviceKind::PowerSupply]
        }
    }
}

fn battery(report: &BatteryReport) -> Result<Bytes, ApiError> {
    to_json(&BatteryBody { battery_status: &report.status, battery_charge_percent: report.charge_percent })
}

fn asset_info(asset: &AssetInfo) -> Result<Bytes, ApiError> {
    to_json(&AssetBody {
        bmc_ip: asset.management_address,
        board_info: &asset.board,
        chassis_info: &asset.chassis,
        product_info: &asset.product,
    })
}

fn boot_target(boot: BootOverride) -> Result<Bytes, ApiError> {
    let target = match boot.target {
        BootTarget::NoOverride => Some("no_override"),
        BootTarget::Pxe => Some("pxe"),
        BootTarget::Disk => Some("hdd"),
        _ => None,
    };
    to_json(&BootTargetBody { target })
}

fn chassis_location(device: DeviceId) -> ChassisBody {
    let location = ChassisLocation::of(device);
    ChassisBody {
        depth: location.depth,
        horiz_pos: location.horizontal,
        vert_pos: location.vertical,
        server_node: location.server_node.map_or(ServerNode::Unknown(UNKNOWN), ServerNode::Known),
    }
}

fn led(generation: Generation, owner: Owner, on: bool) -> Result<Bytes, ApiError> {
    let has_color = generation == Generation::V1_2 && owner == Owner::Server;
    to_json(&LedBody { led_state: on_or_off(on), led_color: has_color.then_some(UNKNOWN) })
}

fn chamber_led(state: &ChamberLedState) -> Result<Bytes, ApiError> {
    to_json(&ChamberLedBody {
        led_state: on_or_off(state.on),
        led_color: &state.color,
        blink_state: if state.blink { "blink" } else { "steady" },
    })
}

/// Lamps use the words of power.
const fn on_or_off(on: bool) -> PowerState {
    if on { PowerState::On } else { PowerState::Off }
}
