//! Boards that exist only in memory, behind a real door: for what never asks the equipment.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use opendcre_gateway::{Annotation, AuditLog, Equipment, Gateway, Mount, Policy, Principal, Settings, View};
use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Capabilities, Capability, Context, Device, DeviceId, DeviceKind,
    Driver, DriverError, Fault, Health, Measurement, Number, Observation, Quality, Quantity, Query, Reading,
    SERVERS, Scope, Subject, WallClock,
};

/// The devices of each board.
const DEVICES: u16 = 20;

/// Boards that the configuration names. All their sensors show the same; nobody does anything else for them.
struct Configured(Vec<Board>);

pub(crate) struct SystemClock;

/// The name of a board, from number 1 on.
pub(crate) fn name(number: u32) -> String {
    format!("node{number:05}")
}

/// A door with so many boards behind it. Every second one has the label `feed` with the value `a`.
pub(crate) fn gateway(boards: u32) -> Gateway {
    let directory = tempfile::tempdir().expect("a directory");
    let audit =
        AuditLog::open(directory.path().join("audit.db"), Arc::new(SystemClock)).expect("an audit log");
    let mount = Mount {
        driver: Arc::new(Configured((1..=boards).map(board).collect())),
        boards: SERVERS,
        rack: "r".to_owned(),
        annotations: (1..=boards).map(annotation).collect(),
        max_changes: 1,
    };
    let equipment = Equipment { mounts: vec![mount], ..Equipment::default() };
    Gateway::new(equipment, audit.into(), Policy::open(), Arc::new(SystemClock), Settings::default())
}

/// What somebody sees who may see everything.
pub(crate) fn view(gateway: &Gateway) -> View {
    let subject = Arc::new(Subject::anonymous());
    let principal = Principal { subject, remote: "".into(), request_id: "".into() };
    gateway.view(principal).expect("an open door")
}

fn id(number: u32) -> BoardId {
    BoardId(SERVERS.start().0 + number)
}

fn board(number: u32) -> Board {
    let device = |id| Device {
        name: Some(format!("Sensor {id}")),
        ..Device::new(DeviceId(id), DeviceKind::Temperature, Capabilities::of(&[Capability::Reading]))
    };
    Board::new(id(number), (1..=DEVICES).map(device).collect())
}

fn annotation(number: u32) -> Annotation {
    let feed = if number.is_multiple_of(2) { "a" } else { "b" };
    Annotation {
        board: id(number),
        name: Some(name(number)),
        labels: BTreeMap::from([("feed".to_owned(), feed.to_owned())]),
        ..Annotation::default()
    }
}

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Configured {
    fn nobody<T: Send + 'static>() -> BoxFuture<'static, Result<T, DriverError>> {
        Box::pin(async { Err(DriverError::new(Fault::Gone, "nobody is there")) })
    }
}

impl Driver for Configured {
    fn name(&self) -> &str {
        "memory"
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn configured(&self) -> Vec<Board> {
        self.0.clone()
    }

    fn discover(&self, _: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Self::nobody()
    }

    fn read(&self, _: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        let value = Measurement { quantity: Quantity::TemperatureCelsius, value: 65.0 };
        let reading = Reading {
            kind: DeviceKind::Temperature,
            raw: Number::Decimal(65.0),
            measurements: vec![value],
            quality: Quality::Good,
            health: Health::Ok,
            states: Vec::new(),
            measured_at: SystemClock.now(),
            source: self.name().into(),
        };
        Box::pin(async { Ok(Observation::Sensor(reading)) })
    }

    fn perform(&self, _: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Self::nobody()
    }
}
