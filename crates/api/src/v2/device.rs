//! Devices: what boards hold, and what can be asked of it.

use std::sync::Arc;

use opendcre_gateway::{BoardRecord, View};
use opendcre_model::{
    BoardId, Capabilities, Capability, ChassisLocation, Depth, Device, DeviceAddress, DeviceId, DeviceKind,
    Health, Horizontal, SERVERS, Vertical,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{One, Show};
use super::call::Call;
use super::listing::{Item, Key};
use super::nodes;
use super::route::{BoardPath, DevicePath, NoPath, NoQuery};
use super::schema::{
    BoardIdText, CapabilityWord, DepthWord, DeviceIdText, HealthWord, HorizontalWord, KindWord, NodesText,
    VerticalWord,
};
use crate::problem::Problem;

/// Which devices are listed. All conditions must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct DeviceQuery {
    /// Devices of the boards of this node range.
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
    /// Devices of this kind.
    #[schemars(with = "Option<KindWord>")]
    kind: Option<DeviceKind>,
    /// Devices that can be asked for this.
    #[schemars(with = "Option<CapabilityWord>")]
    capability: Option<Capability>,
}

/// A device of a board.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Device")]
pub(super) struct DeviceBody<'a> {
    #[schemars(with = "DeviceIdText")]
    id: DeviceId,
    #[schemars(with = "KindWord")]
    kind: DeviceKind,
    /// What the board calls it, such as the name of a sensor; null for devices on a bus.
    name: Option<&'a str>,
    /// What can be asked of it.
    #[schemars(with = "Vec<CapabilityWord>")]
    capabilities: Capabilities,
    /// How it is, by what it said last and the thresholds of the configuration; null before its first answer.
    #[schemars(with = "Option<HealthWord>")]
    health: Option<Health>,
    /// Where in the chassis it is, as its id says; null where ids do not say it.
    location: Option<LocationBody>,
}

/// A place in a chassis.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Location")]
struct LocationBody {
    /// Between front and rear.
    #[schemars(with = "DepthWord")]
    depth: Depth,
    /// Between left and right.
    #[schemars(with = "HorizontalWord")]
    horizontal: Horizontal,
    /// Between top and bottom.
    #[schemars(with = "VerticalWord")]
    vertical: Vertical,
    /// The micro-server to which it belongs, 0 to 31; null if it belongs to none.
    server_node: Option<u8>,
}

/// A device, with the board that holds it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PlacedDevice")]
pub(super) struct PlacedDeviceBody<'a> {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// What the board is called.
    board_name: &'a str,
    /// The rack that holds the board.
    rack: &'a str,
    #[serde(flatten)]
    device: DeviceBody<'a>,
}

/// A device of a listing.
pub(super) struct DeviceItem {
    board: Arc<BoardRecord>,
    device: Device,
    view: Arc<View>,
}

/// `GET /devices`.
pub(super) async fn list(call: Call, _: NoPath, query: DeviceQuery) -> Result<Vec<DeviceItem>, Problem> {
    let view = Arc::new(call.view()?);
    let boards = nodes::select(&call, query.nodes.as_deref())?;
    let is_meant = |device: &Device| {
        query.kind.is_none_or(|kind| kind == device.kind)
            && query.capability.is_none_or(|capability| device.capabilities.has(capability))
    };
    let devices = boards.iter().flat_map(|board| {
        board
            .devices
            .iter()
            .filter(|device| is_meant(device))
            .map(|device| DeviceItem::new(&view, board, device))
    });
    Ok(devices.collect())
}

/// `GET /boards/{board}/devices`.
pub(super) async fn list_of_board(
    call: Call,
    path: BoardPath,
    _: NoQuery,
) -> Result<Vec<DeviceItem>, Problem> {
    let view = Arc::new(call.view()?);
    let board = view.lookup(&path.board)?;
    Ok(board.devices.iter().map(|device| DeviceItem::new(&view, &board, device)).collect())
}

/// `GET /boards/{board}/devices/{device}`.
pub(super) async fn get(call: Call, path: DevicePath, _: NoQuery) -> Result<One<DeviceItem>, Problem> {
    let view = Arc::new(call.view()?);
    let board = view.lookup(&path.board)?;
    let device = nodes::device(&board, &path.device)?;
    Ok(One(DeviceItem::new(&view, &board, device)))
}

impl<'a> DeviceBody<'a> {
    /// What is shown of `device` of `board`.
    pub(super) fn of(view: &View, board: &BoardRecord, device: &'a Device) -> Self {
        // Only on a bus does an id name a place.
        let location = (!SERVERS.contains(&board.id)).then(|| ChassisLocation::of(device.id).into());
        Self {
            id: device.id,
            kind: device.kind,
            name: device.name.as_deref(),
            capabilities: device.capabilities,
            health: view.device_health(DeviceAddress { board: board.id, device: device.id }),
            location,
        }
    }
}

impl DeviceItem {
    fn new(view: &Arc<View>, board: &Arc<BoardRecord>, device: &Device) -> Self {
        Self { board: Arc::clone(board), device: device.clone(), view: Arc::clone(view) }
    }

    fn health(&self) -> Option<Health> {
        self.view.device_health(DeviceAddress { board: self.board.id, device: self.device.id })
    }
}

impl Show for DeviceItem {
    type Body<'a> = PlacedDeviceBody<'a>;

    fn body(&self) -> PlacedDeviceBody<'_> {
        PlacedDeviceBody {
            board: self.board.id,
            board_name: &self.board.name,
            rack: &self.board.rack,
            device: DeviceBody::of(&self.view, &self.board, &self.device),
        }
    }

    fn volatile(&self) -> u64 {
        self.health().map_or(0, |health| 1 + health as u64)
    }
}

impl Item for DeviceItem {
    const SORT: &'static [&'static str] = &["board", "board_name", "rack", "id", "kind", "name", "health"];

    fn key(&self, field: &str) -> Key {
        match field {
            "board" => Key::Number(self.board.id.0.into()),
            "board_name" => self.board.name.as_str().into(),
            "rack" => self.board.rack.as_str().into(),
            "id" => Key::Number(self.device.id.0.into()),
            "kind" => self.device.kind.name().into(),
            "name" => self.device.name.as_deref().into(),
            "health" => self.health().map_or(Key::Nothing, |health| Key::Number(health as i64)),
            _ => Key::Nothing,
        }
    }

    fn id(&self) -> Key {
        Key::Number(i64::from(self.board.id.0) << 16 | i64::from(self.device.id.0))
    }
}

impl From<ChassisLocation> for LocationBody {
    fn from(location: ChassisLocation) -> Self {
        let ChassisLocation { depth, horizontal, vertical, server_node } = location;
        Self { depth, horizontal, vertical, server_node }
    }
}
