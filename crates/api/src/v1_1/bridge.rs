//! The IPMI bridge: the board under which BMCs appear, one device for each.
//!
//! API 1.1 has always had this board, also where there is no BMC at all. What is behind it is a driver like every
//! other; here is only what clients expect of the board itself.

use opendcre_gateway::{GatewayError, Outcome, ScanReport};
use opendcre_model::{Board, BoardId, DriverError};

use super::path::Route;
use crate::error::ApiError;

/// The board. It is on no bus.
pub(super) const BOARD: BoardId = BoardId(0x4000_0000);

/// The firmware version of the board, whatever is behind it.
pub(super) const FIRMWARE: &str = "OpenDCRE IPMI Bridge 1.1.1";

/// What `error` means for `route`: where no driver holds the bridge, it is a board without devices.
pub(super) fn absent(route: &Route, error: GatewayError) -> Result<Outcome, ApiError> {
    match (route, error) {
        (Route::Scan { .. }, GatewayError::UnknownBoard(BOARD)) => Ok(Outcome::Scan(ScanReport::default())),
        (
            Route::Read { device, .. }
            | Route::ReadAsset { device }
            | Route::WriteAsset { device, .. }
            | Route::Power { device, .. },
            GatewayError::UnknownBoard(BOARD),
        ) => Err(ApiError::UnknownDevice(*device)),
        (_, error) => Err(ApiError::Gateway { subject: route.to_string(), error }),
    }
}

/// Why a scan failed that found nothing on the buses. The bridge is always there, and has never made up for them.
pub(super) fn failure(report: &ScanReport) -> Option<&DriverError> {
    let (_, error) = report.failures.first()?;
    report.boards.iter().all(|board| board.id == BOARD).then_some(error)
}

/// The boards of the buses, and the bridge.
pub(super) fn split(boards: &[Board]) -> (impl Iterator<Item = &Board>, Option<&Board>) {
    (boards.iter().filter(|board| board.id != BOARD), boards.iter().find(|board| board.id == BOARD))
}
