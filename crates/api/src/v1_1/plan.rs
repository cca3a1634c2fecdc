//! What a route takes: a command to the equipment, or an answer that is known already.
//!
//! Everything that can be refused without asking the equipment is refused here.

use hyper::body::Bytes;
use opendcre_gateway::Command;
use opendcre_model::{Action, BoardId, DeviceAddress, DeviceKind, DriverError, Fault, Query, Scope};

use super::path::{PowerCommand, Route};
use super::{body, bridge};
use crate::error::ApiError;
use crate::reply;

/// In a board id to scan: all boards of the buses.
const ALL_BOARDS: u32 = 0x8000_0000;

/// The highest number of a board on a bus.
const LAST_BOARD: BoardId = BoardId(0x00ff_ffff);

/// What a route takes.
#[derive(Debug, PartialEq)]
pub(super) enum Plan {
    /// Answer with this text.
    Tell(Bytes),
    /// Ask the gateway.
    Ask(Command),
    /// Tell which devices the IPMI bridge has.
    ListBridge,
}

/// What `route` takes.
pub(super) fn plan(route: &Route) -> Result<Plan, ApiError> {
    match route {
        Route::Test => Ok(Plan::Tell(Bytes::from_static(br#"{"status":"ok"}"#))),
        Route::Version { board } => version(*board),
        Route::ScanAll => Ok(Plan::Ask(Command::Scan(Scope::All))),
        Route::Scan { board } => scan(*board),
        Route::Read { device, .. } if device.board == bridge::BOARD => Err(no_readings(route)),
        Route::Read { kind, device } => {
            let (device, kind) = (place(*device)?, *kind);
            Ok(ask(Query::Sensor { device, kind }))
        }
        Route::ReadAsset { device } => Ok(ask(Query::AssetText(place(*device)?))),
        Route::WriteAsset { device, text } => {
            let (device, text) = (place(*device)?, text.clone());
            Ok(change(Action::SetAssetText { device, text }))
        }
        Route::Write => Err(ApiError::NotImplemented),
        Route::Power { command, device } => Ok(power(*command, place(*device)?)),
    }
}

fn version(board: BoardId) -> Result<Plan, ApiError> {
    if board == bridge::BOARD {
        return reply::to_json(&body::version(bridge::FIRMWARE)).map(Plan::Tell);
    }
    Ok(ask(Query::Version(numbered(board)?)))
}

fn scan(board: BoardId) -> Result<Plan, ApiError> {
    if board == bridge::BOARD {
        return Ok(Plan::ListBridge);
    }
    if board.0 & ALL_BOARDS != 0 {
        return Ok(Plan::Ask(Command::Scan(Scope::All)));
    }
    Ok(Plan::Ask(Command::Scan(Scope::Board(numbered(board)?))))
}

const fn power(command: PowerCommand, device: DeviceAddress) -> Plan {
    let kind = DeviceKind::Power;
    match command {
        PowerCommand::Status => ask(Query::Power { device, kind }),
        PowerCommand::Change(action) => change(Action::Power { device, kind, action }),
    }
}

const fn ask(query: Query) -> Plan {
    Plan::Ask(Command::Query(query))
}

const fn change(action: Action) -> Plan {
    Plan::Ask(Command::Action(action))
}

fn no_readings(route: &Route) -> ApiError {
    let error = DriverError::new(Fault::Unsupported, "BMCs have no readings in API 1.1; nothing was sent");
    ApiError::Gateway { subject: route.to_string(), error: error.into() }
}

/// Where a device is; refuses those of boards that cannot exist.
fn place(device: DeviceAddress) -> Result<DeviceAddress, ApiError> {
    numbered(device.board)?;
    Ok(bridge::behind(device))
}

/// Refuses ids in which bits are set that mean something else than a board.
fn numbered(board: BoardId) -> Result<BoardId, ApiError> {
    if board > LAST_BOARD && board != bridge::BOARD {
        return Err(ApiError::UnknownBoard(board));
    }
    Ok(board)
}
