//! A room of which one half is within reach, and somebody with a role there in front of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::header::ALLOW;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use jiff::Timestamp;
use opendcre_api::{Api, Entrance, Limits};
use opendcre_auth::Authenticator;
use opendcre_gateway::{
    Annotation, AuditLog, Command, Equipment, EventLog, EventSettings, Gateway, Group, History,
    HistorySettings, JobAction, JobId, Mount, Order, Policy, PolicySettings, Principal, Records, Rule,
    Settings,
};
use opendcre_model::{
    Action, Board, BoardId, BootOverride, BootTarget, BoxFuture, Capabilities, Capability, ChamberLedState,
    Context, Device, DeviceId, DeviceKind, Driver, DriverError, EventLogPage, Extent, Grant, Health,
    HostInfo, LogCursor, Login, Measurement, Number, Observation, PowerAction, PowerReport, PowerState,
    Quality, Quantity, Query, Reading, Scope, Subject, WallClock,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::table::Row;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Asked {
    /// Something within reach.
    Within,
    /// Something outside of it.
    Outside,
}

/// Equipment that answers at once what it is asked.
struct Wire {
    name: &'static str,
    boards: Vec<Board>,
    is_configured: bool,
    calls: Mutex<usize>,
}

pub(crate) struct Room {
    pub(crate) api: Api,
    wires: [Arc<Wire>; 2],
    /// Jobs of somebody else: one within reach, one outside of it.
    jobs: [JobId; 2],
    _folder: TempDir,
}

impl Wire {
    fn count(&self) {
        *self.calls.lock().unwrap() += 1;
    }
}

impl Driver for Wire {
    fn name(&self) -> &str {
        self.name
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn configured(&self) -> Vec<Board> {
        if self.is_configured { self.boards.clone() } else { Vec::new() }
    }

    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        self.count();
        let mut boards = self.boards.clone();
        boards.retain(|board| scope == Scope::All || scope == Scope::Board(board.id));
        Box::pin(async { Ok(boards) })
    }

    fn read(&self, query: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        self.count();
        let observation = match query {
            Query::Version(_) => Observation::Version("1.0".to_owned()),
            Query::Sensor { kind, .. } => reading(kind),
            Query::Power { .. } => power(),
            Query::AssetText(_) => asset_text("row 7".to_owned()),
            Query::AssetInfo(_) => Observation::AssetInfo(Box::default()),
            Query::BootTarget(_) => Observation::BootTarget(pxe()),
            Query::HostInfo(_) => {
                Observation::HostInfo(HostInfo { hostnames: Vec::new(), ip_addresses: Vec::new() })
            }
            Query::Led(_) => Observation::Led { on: true },
            Query::EventLog { after, .. } => empty_log(after),
        };
        Box::pin(async { Ok(observation) })
    }

    fn perform(&self, action: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        self.count();
        let observation = match action {
            Action::Power { .. } => power(),
            Action::SetLed { on, .. } => Observation::Led { on },
            Action::SetChamberLed { .. } => Observation::ChamberLed(ChamberLedState {
                on: true,
                color: "ff8800".to_owned(),
                blink: false,
            }),
            Action::SetBootTarget { boot, .. } => Observation::BootTarget(boot),
            Action::SetAssetText { text, .. } => asset_text(text),
            Action::SetFanSpeed { .. } => reading(DeviceKind::FanSpeed),
            _ => Observation::Done,
        };
        Box::pin(async { Ok(observation) })
    }
}

fn empty_log(cursor: LogCursor) -> Observation {
    Observation::EventLog(Box::new(EventLogPage {
        entries: Vec::new(),
        cursor,
        was_cleared: false,
        was_overwritten: false,
        more: false,
        used_percent: Some(0),
        overflow: false,
        unreadable: Vec::new(),
    }))
}

fn asset_text(text: String) -> Observation {
    Observation::AssetText { text, management_address: None }
}

const fn pxe() -> BootOverride {
    BootOverride { target: BootTarget::Pxe, persistent: false, efi: false }
}

fn reading(kind: DeviceKind) -> Observation {
    let quantity = match kind {
        DeviceKind::FanSpeed => Quantity::SpeedRpm,
        DeviceKind::Power => Quantity::PowerWatts,
        _ => Quantity::TemperatureCelsius,
    };
    Observation::Sensor(Reading {
        kind,
        raw: Number::from(656),
        measurements: vec![Measurement { quantity, value: 24.5 }],
        quality: Quality::Good,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: now(),
        source: "wire".into(),
    })
}

fn power() -> Observation {
    Observation::Power(PowerReport {
        state: PowerState::On,
        power_ok: true,
        over_current: false,
        under_voltage: false,
        electrical: None,
        measured_at: now(),
        source: "wire".into(),
    })
}

struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

fn now() -> Timestamp {
    "2026-12-01T10:00:00Z".parse().unwrap()
}

pub(crate) fn remote() -> SocketAddr {
    "192.0.2.7:4711".parse().unwrap()
}

fn bus_board(id: u32) -> Board {
    use Capability::{
        AssetText, AssetTextControl, ChamberLed, FanControl, Led, PowerControl, PowerState, Reading,
    };
    let device = |id, kind, capabilities: &[Capability]| {
        Device::new(DeviceId(id), kind, Capabilities::of(capabilities))
    };
    let devices = vec![
        device(0x4001, DeviceKind::Thermistor, &[Reading]),
        device(0x4002, DeviceKind::Power, &[PowerState, PowerControl, AssetText, AssetTextControl]),
        device(0x4003, DeviceKind::Led, &[Led]),
        device(0x4004, DeviceKind::FanSpeed, &[Reading, FanControl]),
        device(
            0x4005,
            DeviceKind::System,
            &[Capability::AssetInfo, Capability::BootTarget, Capability::HostInfo],
        ),
        device(0x4006, DeviceKind::VaporLed, &[ChamberLed]),
    ];
    Board::new(BoardId(id), devices)
}

fn server(number: u32) -> Board {
    use Capability::{BootTarget, HostInfo, Identify, Led, PowerControl, Reading};
    let device = |id, kind, name: &str, capabilities: &[Capability]| Device {
        name: Some(name.to_owned()),
        ..Device::new(DeviceId(id), kind, Capabilities::of(capabilities))
    };
    let devices = vec![
        device(0x0100, DeviceKind::Power, "power", &[Capability::PowerState, PowerControl]),
        device(0x0200, DeviceKind::System, "system", &[Capability::AssetInfo, BootTarget, HostInfo]),
        device(0x0300, DeviceKind::Led, "led", &[Led, Identify]),
        device(0x0030, DeviceKind::Temperature, "CPU1 Temp", &[Reading]),
    ];
    Board::new(BoardId(0x4000_0000 | number), devices)
}

fn mount(wire: &Arc<Wire>, boards: std::ops::RangeInclusive<BoardId>) -> Mount {
    let annotations = wire.boards.iter().zip(["rack_1", "rack_2"]).map(|(board, rack)| Annotation {
        board: board.id,
        rack: Some(rack.to_owned()),
        ..Annotation::default()
    });
    Mount {
        driver: Arc::<Wire>::clone(wire),
        boards,
        rack: "rack_1".to_owned(),
        annotations: annotations.collect(),
        max_changes: 64,
    }
}

impl Room {
    /// A room where whoever asks has `role` in `rack_1`, or none at all.
    pub(crate) async fn of(role: Option<&str>) -> Self {
        let extent = Extent { racks: vec!["rack_1".to_owned()], ..Extent::default() };
        let rule = |role: &str| Rule {
            role: role.to_owned(),
            users: vec!["anonymous:*".to_owned()],
            groups: Vec::new(),
            extent: extent.clone(),
        };
        Self::with(role.map(rule).into_iter().collect()).await
    }

    /// A room with these rules.
    pub(crate) async fn with(rules: Vec<Rule>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditLog::open(folder.path().join("audit.db"), Arc::new(FixedClock)).unwrap();
        let wire = |name, boards, is_configured| {
            Arc::new(Wire { name, boards, is_configured, calls: Mutex::default() })
        };
        let wires = [
            wire("hat", vec![bus_board(0x11), bus_board(0x12)], false),
            wire("ipmi", vec![server(1), server(2)], true),
        ];
        let group = |name: &str, rack: &str| Group { name: name.to_owned(), members: rack.to_owned() };
        let equipment = Equipment {
            mounts: vec![
                mount(&wires[0], BoardId(0)..=BoardId(0x00ff_ffff)),
                mount(&wires[1], BoardId(0x4000_0001)..=BoardId(0x4fff_ffff)),
            ],
            groups: vec![group("near", "rack_1"), group("far", "rack_2")],
            defects: Vec::new(),
            ..Equipment::default()
        };
        let policy = Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap();
        let (clock, settings) = (Arc::new(FixedClock), Settings::default());
        let events = EventLog::open(
            folder.path().join("events.db"),
            EventSettings::default(),
            Arc::clone(&clock) as _,
        );
        let history = History::open(
            folder.path().join("history.db"),
            HistorySettings::default(),
            Arc::clone(&clock) as _,
        );
        let (events, history) = (Some(events.unwrap().0), Some(history.unwrap().0));
        let records = Records { audit, store: None, history, events };
        let gateway = Gateway::new(equipment, records, policy, clock, settings);
        gateway.execute(&owner(), Command::Refresh(Scope::All)).await.unwrap();
        let jobs = [ordered(&gateway, 0x11).await, ordered(&gateway, 0x12).await];
        let entrance = Entrance::new(Arc::new(Authenticator::open(Arc::new(FixedClock))));
        let api = Api::new(gateway, entrance, &FixedClock, Limits::default());
        Self { api, wires, jobs, _folder: folder }
    }

    /// The status of the answer to a request for the route of a row.
    pub(crate) async fn status(&self, method: &Method, row: &Row, asked: Asked) -> u16 {
        let path = self.fill(&row.path, asked);
        let body = if *method == Method::POST { body(&row.path, asked) } else { None };
        self.ask(method, &path, body).await.0
    }

    /// The methods that the path of a row takes, as the service says.
    pub(crate) async fn allowed(&self, row: &Row) -> Vec<Method> {
        let path = self.fill(&row.path, Asked::Within);
        let request = Request::options(path).body(Full::<Bytes>::default()).unwrap();
        let reply = self.api.respond(request, remote()).await;
        let methods = reply.headers()[ALLOW].to_str().unwrap().split(", ");
        methods.map(|method| method.parse().unwrap()).collect()
    }

    /// The status and the body of the answer to a request.
    pub(crate) async fn ask(&self, method: &Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let reply = self.api.respond(request.body(Full::from(body)).unwrap(), remote()).await;
        let status = reply.status().as_u16();
        let text = reply.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&text).unwrap_or_default())
    }

    /// How often equipment was asked.
    pub(crate) fn calls(&self) -> usize {
        self.wires.iter().map(|wire| *wire.calls.lock().unwrap()).sum()
    }

    pub(crate) fn forget_calls(&self) {
        self.wires.iter().for_each(|wire| *wire.calls.lock().unwrap() = 0);
    }

    fn fill(&self, path: &str, asked: Asked) -> String {
        let [near, far] = self.jobs.map(|job| job.to_string());
        let values = match asked {
            Asked::Within => ["00000011", "40000001", "rack_1", "near", &near],
            Asked::Outside => ["00000012", "40000002", "rack_2", "far", &far],
        };
        let names = ["{board}", "{server}", "{rack}", "{group}", "{job}"];
        names.into_iter().zip(values).fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    }
}

/// Somebody who may do everything.
fn owner() -> Principal {
    let grants = vec![Grant { role: "admin".to_owned(), extent: Extent::default() }];
    let subject = Subject { name: "owner".to_owned(), login: Login::Token, grants, ..Subject::anonymous() };
    Principal { subject: subject.into(), remote: "".into(), request_id: "".into() }
}

/// A job that switches a board of the bus.
async fn ordered(gateway: &Gateway, board: u32) -> JobId {
    let board = gateway.view(owner()).unwrap().board(BoardId(board)).unwrap();
    let device = board.device(DeviceId(0x4002)).unwrap();
    let order = Order::change(&JobAction::Power(PowerAction::On), [(&*board, device)], json!({}));
    gateway.submit(&owner(), order, None).await.unwrap().job.id
}

/// What an order says.
fn body(path: &str, asked: Asked) -> Option<Value> {
    let (board, server) = match asked {
        Asked::Within => ("00000011", "40000001"),
        Asked::Outside => ("00000012", "40000002"),
    };
    Some(match path.strip_prefix("/opendcre/2/")? {
        "power" => json!({ "nodes": board, "action": "on" }),
        "boot" => json!({ "nodes": server, "target": "pxe" }),
        "led" => json!({ "nodes": server, "on": true }),
        "identify" => json!({ "nodes": server, "on": true }),
        "fan" => json!({ "nodes": board, "rpm": 4000 }),
        "asset" => json!({ "nodes": board, "text": "row 8" }),
        "scan" => json!({ "nodes": board }),
        _ => json!({}),
    })
}
