//! Who may do what in a small room.

mod decide;
mod extent;

use std::collections::BTreeMap;
use std::sync::Arc;

use opendcre_model::{
    Board, BoardId, BoxFuture, Capabilities, Context, Device, DeviceAddress, DeviceId, DeviceKind, Driver,
    DriverError, Login, Observation, Query, SERVERS, Scope,
};

use super::*;
use crate::mount::{Annotation, Mount};
use crate::{Group, inventory::Inventory};

/// A driver that only says what the configuration holds.
struct Configured(Vec<Board>);

impl Driver for Configured {
    fn name(&self) -> &str {
        "ipmi"
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn configured(&self) -> Vec<Board> {
        self.0.clone()
    }

    fn discover(&self, _: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        unreachable!()
    }

    fn read(&self, _: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        unreachable!()
    }

    fn perform(
        &self,
        _: opendcre_model::Action,
        _: Context,
    ) -> BoxFuture<'_, Result<Observation, DriverError>> {
        unreachable!()
    }
}

const NOTHING: [u32; 0] = [];

fn id(number: u32) -> BoardId {
    BoardId(SERVERS.start().0 + number)
}

fn device(board: u32, device: u16) -> DeviceAddress {
    DeviceAddress { board: id(board), device: DeviceId(device) }
}

/// Six servers: `db-01` to `db-03` in `rack_1` with the label `stage=live`, `web-04` to `web-06` in `rack_2`. Each has a
/// power switch `0100` and a sensor `0001` that is called `CPU Temp`. Odd ones say that they are in the group `odd`, and
/// the group `late` is the last two.
fn room() -> Inventory {
    let board = |number: u32| Board {
        ip_addresses: vec![format!("10.1.0.{number}").parse().unwrap()],
        ..Board::new(
            id(number),
            vec![
                Device::new(DeviceId(0x0100), DeviceKind::Power, Capabilities::NONE),
                Device {
                    name: Some("CPU Temp".to_owned()),
                    ..Device::new(DeviceId(0x0001), DeviceKind::Temperature, Capabilities::NONE)
                },
            ],
        )
    };
    let annotation = |number: u32| {
        let is_db = number <= 3;
        let stage = BTreeMap::from([("stage".to_owned(), "live".to_owned())]);
        Annotation {
            board: id(number),
            rack: Some(if is_db { "rack_1" } else { "rack_2" }.to_owned()),
            name: Some(format!("{}-{number:02}", if is_db { "db" } else { "web" })),
            labels: if is_db { stage } else { BTreeMap::new() },
            groups: if number.is_multiple_of(2) { Vec::new() } else { vec!["odd".to_owned()] },
            ..Annotation::default()
        }
    };
    let mount = Mount {
        driver: Arc::new(Configured((1..=6).map(board).collect())),
        boards: SERVERS,
        rack: "rack_1".to_owned(),
        annotations: (1..=6).map(annotation).collect(),
        max_changes: 1,
    };
    let late = Group { name: "late".to_owned(), members: "web-[05-06]".to_owned() };
    let now = "2026-12-01T08:00:00Z".parse().unwrap();
    Inventory::new(&[mount], vec![late], Vec::new(), Vec::new(), now)
}

fn rule(role: &str, users: &[&str], extent: Extent) -> Rule {
    let users = users.iter().map(|user| (*user).to_owned()).collect();
    Rule { role: role.to_owned(), users, groups: Vec::new(), extent }
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap()
}

fn subject(login: Login, name: &str) -> Subject {
    Subject { name: name.to_owned(), login, provider: "corp".to_owned(), ..Subject::anonymous() }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn racks(list: &[&str]) -> Extent {
    Extent { racks: texts(list), ..Extent::default() }
}

/// The numbers of the boards that `subject` may do `verb` to.
fn boards(policy: &Policy, subject: &Subject, verb: Verb) -> Vec<u32> {
    let room = room();
    let reach = policy.reach(subject, verb, || &room);
    (1..=6).filter(|number| reach.has(id(*number))).collect()
}
