//! What a route takes: a command to the equipment, or an answer that is known already.
//!
//! Everything that can be refused without asking the equipment is refused here.

use hyper::body::Bytes;
use opendcre_gateway::Command;
use opendcre_model::{Action, BoardId, DeviceAddress, Query, Scope};

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
}

/// What `route` takes.
pub(super) fn plan(route: &Route) -> Result<Plan, ApiError> {
    match route {
        Route::Test => Ok(Plan::Tell(Bytes::from_static(br#"{"status":"ok"}"#))),
        Route::Version { board } => version(*board),
        Route::ScanAll => Ok(Plan::Ask(Command::Scan(Scope::All))),
        Route::Scan { board } => scan(*board),
        Route::Read { kind, device } => {
            let (device, kind) = (known(*device)?, *kind);
            Ok(ask(Query::Sensor { device, kind }))
        }
        Route::ReadAsset { device } => Ok(ask(Query::AssetText(known(*device)?))),
        Route::WriteAsset { device, text } => {
            let (device, text) = (known(*device)?, text.clone());
            Ok(change(Action::SetAssetText { device, text }))
        }
        Route::Write => Err(ApiError::NotImplemented),
        Route::Power { command, device } => Ok(power(*command, known(*device)?)),
    }
}

fn version(board: BoardId) -> Result<Plan, ApiError> {
    if board == bridge::BOARD {
        return reply::to_json(&body::version(bridge::FIRMWARE)).map(Plan::Tell);
    }
    Ok(ask(Query::Version(numbered(board)?)))
}

fn scan(board: BoardId) -> Result<Plan, ApiError> {
    if board.0 & ALL_BOARDS != 0 {
        return Ok(Plan::Ask(Command::Scan(Scope::All)));
    }
    Ok(Plan::Ask(Command::Scan(Scope::Board(numbered(board)?))))
}

const fn power(command: PowerCommand, device: DeviceAddress) -> Plan {
    match command {
        PowerCommand::Status => ask(Query::Power(device)),
        PowerCommand::Change(action) => change(Action::Power { device, action }),
    }
}

const fn ask(query: Query) -> Plan {
    Plan::Ask(Command::Query(query))
}

const fn change(action: Action) -> Plan {
    Plan::Ask(Command::Action(action))
}

/// Refuses devices of boards that cannot exist.
fn known(device: DeviceAddress) -> Result<DeviceAddress, ApiError> {
    numbered(device.board)?;
    Ok(device)
}

/// Refuses ids in which bits are set that mean something else than a board.
fn numbered(board: BoardId) -> Result<BoardId, ApiError> {
    if board > LAST_BOARD && board != bridge::BOARD {
        return Err(ApiError::UnknownBoard(board));
    }
    Ok(board)
}
