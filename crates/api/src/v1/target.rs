//! Which board and which device a request means: ids, and in API 1.3 also names and addresses. It asks nobody: what
//! the inventory does not know of a bus is left to the gateway, which searches the buses.

use std::sync::Arc;

use opendcre_gateway::{BoardRecord, BoardState, LookupError, View};
use opendcre_model::{BoardId, Device, DeviceAddress, DeviceId, DeviceKind, SERVERS, excerpt};

use super::Generation;
use super::id;
use super::refusal::{Owner, Refusal};

/// The highest number of a board on a bus.
const LAST_BUS_BOARD: BoardId = BoardId(0x00ff_ffff);

/// A board that a request means.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) board: BoardId,
    pub(super) owner: Owner,
    /// What is known of it; servers are always known.
    record: Option<Arc<BoardRecord>>,
    generation: Generation,
}

impl Target {
    /// The board that `text` means in `generation`.
    pub(super) fn find(view: &View, generation: Generation, text: &str) -> Result<Self, Refusal> {
        let board = match generation {
            Generation::V1_2 => id::board(text)?,
            Generation::V1_3 => match view.lookup(text) {
                Ok(record) => record.id,
                Err(LookupError::Unknown(name)) => {
                    id::board(text).map_err(|_| Refusal::Lookup(LookupError::Unknown(name)))?
                }
                Err(error @ LookupError::Ambiguous { .. }) => return Err(Refusal::Lookup(error)),
            },
        };
        let record = view.board(board);
        let is_server = SERVERS.contains(&board);
        // Whoever sees only a part of the boards may not ask the buses for others.
        let may_be_there = !is_server && board <= LAST_BUS_BOARD && view.is_complete();
        let is_possible = record.is_some() || may_be_there;
        if !is_possible {
            return Err(Refusal::NoBoard(board));
        }
        let owner = if is_server { Owner::Server } else { Owner::Bus };
        Ok(Self { board, owner, record, generation })
    }

    /// What is known of a server.
    pub(super) fn server(&self) -> Option<&BoardRecord> {
        self.record.as_deref().filter(|_| self.owner == Owner::Server)
    }

    /// The device that `text` means for `command`, which is one for devices of these kinds.
    ///
    /// On a bus every id goes: the equipment knows best. A server has told what it holds.
    pub(super) fn device(
        &self,
        text: &str,
        kinds: &[DeviceKind],
        command: &str,
    ) -> Result<DeviceAddress, Refusal> {
        let id = id::device(text);
        let device = match self.server() {
            None => id?,
            Some(server) => match id {
                Ok(id) if !is_explored(server) || devices(server, kinds).any(|device| device.id == id) => id,
                _ if self.generation == Generation::V1_3 => named(server, text, kinds, command)?,
                id => return Err(id.map_or_else(Refusal::from, |_| no_device(server, text, command))),
            },
        };
        Ok(DeviceAddress { board: self.board, device })
    }

    /// The id that `text` means, whether there is such a device or not.
    pub(super) fn place(&self, text: &str) -> Result<DeviceId, Refusal> {
        match (id::device(text), self.server(), self.generation) {
            (Ok(id), ..) => Ok(id),
            (Err(_), Some(server), Generation::V1_3) => named(server, text, DeviceKind::ALL, "location"),
            (Err(error), ..) => Err(error.into()),
        }
    }

    /// What kind the inventory knows a device to be.
    pub(super) fn known_kind(&self, device: DeviceId) -> Option<DeviceKind> {
        Some(self.record.as_ref()?.device(device)?.kind)
    }
}

/// Whether a server has told all its devices.
fn is_explored(server: &BoardRecord) -> bool {
    server.state == BoardState::Present && !server.devices.is_empty()
}

fn devices<'a>(server: &'a BoardRecord, kinds: &'a [DeviceKind]) -> impl Iterator<Item = &'a Device> {
    server.devices.iter().filter(|device| kinds.contains(&device.kind))
}

/// The one device of these kinds that is called so, in any case.
fn named(server: &BoardRecord, name: &str, kinds: &[DeviceKind], command: &str) -> Result<DeviceId, Refusal> {
    let lower = name.to_lowercase();
    let is_called = |device: &&Device| device.name.as_ref().is_some_and(|name| name.to_lowercase() == lower);
    let candidates: Vec<DeviceId> =
        devices(server, kinds).filter(is_called).map(|device| device.id).collect();
    match *candidates {
        [] => Err(no_device(server, name, command)),
        [only] => Ok(only),
        _ => Err(Refusal::AmbiguousDevice { board: server.id, device: excerpt(name), candidates }),
    }
}

fn no_device(server: &BoardRecord, device: &str, command: &str) -> Refusal {
    Refusal::NoDevice { board: server.id, device: excerpt(device), command: command.to_owned() }
}
