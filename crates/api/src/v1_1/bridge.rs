//! The IPMI bridge: the board under which BMCs appear, one device for each.
//!
//! API 1.1 has always had this board, also where there is no BMC at all. Everything else in the house knows every
//! server as a board of its own; here, and nowhere else, one is made into the other.

use std::sync::Arc;

use opendcre_gateway::{BoardRecord, GatewayError, ScanReport};
use opendcre_model::{BoardId, DeviceAddress, DeviceId, DriverError, SERVER_POWER, SERVERS};

use super::path::Route;
use crate::error::ApiError;

/// The board. It is on no bus.
pub(super) const BOARD: BoardId = BoardId(0x4000_0000);

/// The firmware version of the board, whatever is behind it.
pub(super) const FIRMWARE: &str = "OpenDCRE IPMI Bridge 1.1.1";

/// Where a device really is: a device of the bridge is the power switch of a server.
pub(super) fn behind(device: DeviceAddress) -> DeviceAddress {
    if device.board != BOARD {
        return device;
    }
    let board = BoardId(BOARD.0 | u32::from(device.device.0));
    DeviceAddress { board, device: SERVER_POWER }
}

/// The devices of the bridge: all servers that have an id here, whether they have ever answered or not.
pub(super) fn devices(boards: &[Arc<BoardRecord>]) -> Vec<DeviceId> {
    let number = |board: &BoardRecord| u16::try_from(board.id.0 - BOARD.0).ok();
    let servers = boards.iter().filter(|board| is_server(board));
    let mut devices: Vec<DeviceId> = servers.filter_map(|board| number(board)).map(DeviceId).collect();
    devices.sort();
    devices
}

/// Whether a board is a server, and so no board of its own in this generation.
pub(super) fn is_server(board: &BoardRecord) -> bool {
    SERVERS.contains(&board.id)
}

/// What `error` means for `route`: a server that is not there is a device that the bridge does not have.
pub(super) fn explain(route: &Route, error: GatewayError) -> ApiError {
    match (route, error) {
        (
            Route::Read { device, .. }
            | Route::ReadAsset { device }
            | Route::WriteAsset { device, .. }
            | Route::Power { device, .. },
            GatewayError::UnknownBoard(_),
        ) if device.board == BOARD => ApiError::UnknownDevice(*device),
        (_, error) => ApiError::Gateway { subject: route.to_string(), error },
    }
}

/// Why a scan failed that found nothing on the buses. The bridge is always there, and has never made up for them.
pub(super) fn failure(report: &ScanReport) -> Option<&DriverError> {
    let (_, error) = report.failures.first()?;
    report.boards.iter().all(|board| is_server(board)).then_some(error)
}
