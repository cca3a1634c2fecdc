//! What a board says about itself when it is asked now: firmware version, asset, boot target, host.

use std::net::IpAddr;

use opendcre_gateway::{BoardRecord, Command, Outcome};
use opendcre_model::{
    AssetInfo, BoardAsset, BoardId, BootTarget, Capability, ChassisAsset, DeviceAddress, DeviceId, HostInfo,
    Observation, ProductAsset, Query,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::call::Call;
use super::nodes;
use super::route::{BoardPath, NoQuery};
use super::schema::{BoardIdText, BootTargetWord, DeviceIdText};
use crate::problem::{Code, Problem};

/// Which device is asked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct DeviceQuery {
    /// The id or name of the device to ask. Needed only where several could be asked.
    device: Option<String>,
}

/// The firmware of a board.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Version")]
pub(super) struct VersionBody {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// The version of its firmware, as it says it.
    firmware: String,
}

/// From where a server boots.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Boot")]
pub(super) struct BootBody {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    #[schemars(with = "DeviceIdText")]
    device: DeviceId,
    #[schemars(with = "BootTargetWord")]
    target: BootTarget,
    /// Every time from now on, not only the next time.
    persistent: bool,
    /// In the manner of UEFI, not of a PC BIOS.
    efi: bool,
}

/// How the host behind a board is reached.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Host")]
pub(super) struct HostBody {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// The device that told it; null if it stands in the configuration.
    #[schemars(with = "Option<DeviceIdText>")]
    device: Option<DeviceId>,
    hostnames: Vec<String>,
    /// Its addresses, and those of its management controller.
    ip_addresses: Vec<IpAddr>,
}

/// What a board says about itself and its parts. Empty text where it says nothing.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Asset")]
pub(super) struct AssetBody {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// The main board; null if no such fields are kept.
    board_info: Option<BoardInfo>,
    /// The case; null if no such fields are kept.
    chassis_info: Option<ChassisInfo>,
    /// The whole product; null if no such fields are kept.
    product_info: Option<ProductInfo>,
    /// The free text; null if none is kept, or several are: name the device then.
    asset_text: Option<String>,
    /// Where the board is managed over the network, if it is.
    management_address: Option<IpAddr>,
}

/// A main board.
#[derive(Serialize, JsonSchema)]
struct BoardInfo {
    manufacturer: String,
    part_number: String,
    product_name: String,
    serial_number: String,
}

/// A case.
#[derive(Serialize, JsonSchema)]
struct ChassisInfo {
    chassis_type: String,
    part_number: String,
    serial_number: String,
}

/// A product.
#[derive(Serialize, JsonSchema)]
struct ProductInfo {
    asset_tag: String,
    manufacturer: String,
    part_number: String,
    product_name: String,
    serial_number: String,
    version: String,
}

/// `GET /boards/{board}/version`.
pub(super) async fn version(call: Call, path: BoardPath, _: NoQuery) -> Result<Json<VersionBody>, Problem> {
    let board = call.view()?.lookup(&path.board)?;
    match ask(&call, Query::Version(board.id)).await? {
        Observation::Version(firmware) => Ok(Json(VersionBody { board: board.id, firmware })),
        _ => Err(malformed()),
    }
}

/// `GET /boards/{board}/boot`.
pub(super) async fn boot(call: Call, path: BoardPath, query: DeviceQuery) -> Result<Json<BootBody>, Problem> {
    let board = call.view()?.lookup(&path.board)?;
    let address = address(&board, &query, Capability::BootTarget)?;
    match ask(&call, Query::BootTarget(address)).await? {
        Observation::BootTarget(boot) => Ok(Json(BootBody {
            board: board.id,
            device: address.device,
            target: boot.target,
            persistent: boot.persistent,
            efi: boot.efi,
        })),
        _ => Err(malformed()),
    }
}

/// `GET /boards/{board}/host`: from the board itself if one of its devices knows, otherwise from the configuration.
pub(super) async fn host(call: Call, path: BoardPath, query: DeviceQuery) -> Result<Json<HostBody>, Problem> {
    let board = call.view()?.lookup(&path.board)?;
    let knows = board.devices.iter().any(|device| device.capabilities.has(Capability::HostInfo));
    if !knows && query.device.is_none() {
        let (hostnames, ip_addresses) = (board.hostnames.clone(), board.ip_addresses.clone());
        return Ok(Json(HostBody { board: board.id, device: None, hostnames, ip_addresses }));
    }
    let address = address(&board, &query, Capability::HostInfo)?;
    match ask(&call, Query::HostInfo(address)).await? {
        Observation::HostInfo(HostInfo { hostnames, ip_addresses }) => {
            Ok(Json(HostBody { board: board.id, device: Some(address.device), hostnames, ip_addresses }))
        }
        _ => Err(malformed()),
    }
}

/// `GET /boards/{board}/asset`: the fields and the free text, as far as one device each has them.
pub(super) async fn asset(
    call: Call,
    path: BoardPath,
    query: DeviceQuery,
) -> Result<Json<AssetBody>, Problem> {
    let board = call.view()?.lookup(&path.board)?;
    let fields = address(&board, &query, Capability::AssetInfo).map(Query::AssetInfo);
    let text = address(&board, &query, Capability::AssetText).map(Query::AssetText);
    let mut asset = AssetBody::nothing(board.id);
    match (fields, text) {
        (Ok(fields), Ok(text)) => {
            asset.add(ask(&call, fields).await?)?;
            asset.add(ask(&call, text).await?)?;
        }
        (Ok(only), Err(_)) | (Err(_), Ok(only)) => asset.add(ask(&call, only).await?)?,
        (Err(_), Err(problem)) => return Err(problem),
    }
    Ok(Json(asset))
}

/// The device of `board` that is asked.
fn address(
    board: &BoardRecord,
    query: &DeviceQuery,
    capability: Capability,
) -> Result<DeviceAddress, Problem> {
    let device = nodes::capable(board, query.device.as_deref(), capability)
        .map_err(|problem| if query.device.is_some() { problem.in_parameter("device") } else { problem })?;
    Ok(DeviceAddress { board: board.id, device: device.id })
}

/// What the equipment says now.
async fn ask(call: &Call, query: Query) -> Result<Observation, Problem> {
    match call.gateway().execute(&call.principal(), Command::Query(query)).await? {
        Outcome::Observation(observation) => Ok(observation),
        Outcome::Scan(_) => Err(malformed()),
    }
}

fn malformed() -> Problem {
    Problem::new(Code::MALFORMED, "the equipment answered something else than was asked")
}

impl AssetBody {
    const fn nothing(board: BoardId) -> Self {
        Self {
            board,
            board_info: None,
            chassis_info: None,
            product_info: None,
            asset_text: None,
            management_address: None,
        }
    }

    /// Adds what the equipment said.
    fn add(&mut self, observation: Observation) -> Result<(), Problem> {
        let address = match observation {
            Observation::AssetInfo(info) => {
                let AssetInfo { board, chassis, product, management_address } = *info;
                self.board_info = Some(board.into());
                self.chassis_info = Some(chassis.into());
                self.product_info = Some(product.into());
                management_address
            }
            Observation::AssetText { text, management_address } => {
                self.asset_text = Some(text);
                management_address
            }
            _ => return Err(malformed()),
        };
        self.management_address = self.management_address.or(address);
        Ok(())
    }
}

impl From<BoardAsset> for BoardInfo {
    fn from(board: BoardAsset) -> Self {
        let BoardAsset { manufacturer, part_number, product_name, serial_number } = board;
        Self { manufacturer, part_number, product_name, serial_number }
    }
}

impl From<ChassisAsset> for ChassisInfo {
    fn from(chassis: ChassisAsset) -> Self {
        let ChassisAsset { chassis_type, part_number, serial_number } = chassis;
        Self { chassis_type, part_number, serial_number }
    }
}

impl From<ProductAsset> for ProductInfo {
    fn from(product: ProductAsset) -> Self {
        let ProductAsset { asset_tag, manufacturer, part_number, product_name, serial_number, version } =
            product;
        Self { asset_tag, manufacturer, part_number, product_name, serial_number, version }
    }
}
