//! The JSON of a scan, in API 1.2 and 1.3. Only boards that are there are shown; the racks of the others are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Bytes;
use opendcre_gateway::{BoardRecord, BoardState};
use opendcre_model::{BoardId, Device, DeviceId, DeviceKind, SERVERS};
use serde::Serialize;

use super::Generation;
use super::body::{host_names, server_sensors};
use crate::error::ApiError;
use crate::reply::to_json;

/// The rack in which the original showed the boards of all buses.
const BUS_RACK: &str = "vapor_plc_rack";

#[derive(Serialize)]
struct RacksBody<'a> {
    racks: Vec<RackBody<'a>>,
}

#[derive(Serialize)]
struct RackBody<'a> {
    rack_id: &'a str,
    boards: Vec<BoardBody<'a>>,
}

#[derive(Serialize)]
struct BoardsBody<'a> {
    boards: Vec<BoardBody<'a>>,
}

#[derive(Serialize)]
struct BoardBody<'a> {
    board_id: BoardId,
    /// Only for servers, and since API 1.3; the addresses, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    hostnames: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_addresses: Option<&'a [IpAddr]>,
    devices: Vec<DeviceBody<'a>>,
}

#[derive(Serialize)]
struct DeviceBody<'a> {
    device_id: DeviceId,
    device_type: &'static str,
    /// Only for what a server holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_info: Option<&'a str>,
}

/// Whether a scan shows a board.
pub(super) fn is_shown(board: &BoardRecord) -> bool {
    board.state == BoardState::Present
}

/// The boards of the buses as they came, then the servers by their ids.
pub(super) fn boards(generation: Generation, boards: &[Arc<BoardRecord>]) -> Result<Bytes, ApiError> {
    let (mut servers, mut all): (Vec<&BoardRecord>, Vec<&BoardRecord>) =
        boards.iter().map(AsRef::as_ref).filter(|board| is_shown(board)).partition(|board| is_server(board));
    servers.sort_by_key(|server| server.id);
    all.extend(servers);
    to_json(&BoardsBody { boards: all.into_iter().map(|record| board(generation, record)).collect() })
}

/// The racks by their names, each with its boards in the given order.
pub(super) fn racks(generation: Generation, boards: &[Arc<BoardRecord>]) -> Result<Bytes, ApiError> {
    let mut racks: BTreeMap<&str, Vec<BoardBody<'_>>> = BTreeMap::new();
    for record in boards {
        let rack = racks.entry(&record.rack).or_default();
        rack.extend(is_shown(record).then(|| board(generation, record)));
    }
    let racks = racks.into_iter().map(|(rack_id, boards)| RackBody { rack_id, boards }).collect();
    to_json(&RacksBody { racks })
}

/// One rack; nothing if there is none of this name. The name that the original gave the rack of all buses still means
/// their boards, wherever they are.
pub(super) fn rack(
    generation: Generation,
    boards: &[Arc<BoardRecord>],
    name: &str,
) -> Option<Result<Bytes, ApiError>> {
    let has_rack = boards.iter().any(|record| record.rack == name);
    if !has_rack && name != BUS_RACK {
        return None;
    }
    let is_in = |record: &&Arc<BoardRecord>| if has_rack { record.rack == name } else { !is_server(record) };
    let shown = boards.iter().filter(is_in).filter(|record| is_shown(record));
    let rack = RackBody { rack_id: name, boards: shown.map(|record| board(generation, record)).collect() };
    Some(to_json(&RacksBody { racks: vec![rack] }))
}

fn is_server(record: &BoardRecord) -> bool {
    SERVERS.contains(&record.id)
}

fn board(generation: Generation, record: &BoardRecord) -> BoardBody<'_> {
    let (board_id, devices) = (record.id, record.devices.iter());
    if !is_server(record) {
        let devices = devices.map(|device| bus_device(generation, device)).collect();
        return BoardBody { board_id, hostnames: None, ip_addresses: None, devices };
    }
    let devices = devices.filter_map(|device| server_device(generation, device)).collect();
    let has_names = generation == Generation::V1_3;
    BoardBody {
        board_id,
        hostnames: has_names.then(|| host_names(&record.hostnames, &record.ip_addresses)),
        ip_addresses: has_names.then_some(&record.ip_addresses),
        devices,
    }
}

const fn bus_device(generation: Generation, device: &Device) -> DeviceBody<'_> {
    DeviceBody { device_id: device.id, device_type: bus_kind(generation, device.kind), device_info: None }
}

/// A device of a server, as far as the generation has a use for it.
fn server_device(generation: Generation, device: &Device) -> Option<DeviceBody<'_>> {
    let is_sensor = server_sensors(generation).contains(&device.kind);
    let is_fixed = matches!(device.kind, DeviceKind::Power | DeviceKind::System | DeviceKind::Led);
    let device_type = device.kind.name();
    let name = device.name.as_deref().unwrap_or(device_type);
    (is_sensor || is_fixed).then(|| DeviceBody {
        device_id: device.id,
        device_type,
        device_info: (is_sensor || generation == Generation::V1_3).then_some(name),
    })
}

/// The name of a kind in a generation. What it does not know is `none`, as every unknown code on the bus has always been.
const fn bus_kind(generation: Generation, kind: DeviceKind) -> &'static str {
    match (kind, generation) {
        (DeviceKind::Ipmb, _) => DeviceKind::System.name(),
        (DeviceKind::DoorLock, _) => DeviceKind::FanSpeed.name(),
        (DeviceKind::Sensor | DeviceKind::Voltage, _)
        | (
            DeviceKind::Airflow
            | DeviceKind::PowerSupply
            | DeviceKind::VaporBattery
            | DeviceKind::VaporFan
            | DeviceKind::VaporLed
            | DeviceKind::VaporRectifier,
            Generation::V1_2,
        ) => DeviceKind::None.name(),
        (kind, _) => kind.name(),
    }
}
