//! A room with one bus that says what a test wants, and the API in front of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use jiff::Timestamp;
use opendcre_api::{Api, Limits};
use opendcre_gateway::{AuditLog, Defect, Gateway, Mount, Settings};
use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Context, Device, DeviceId, DeviceKind, Driver, DriverError,
    Electrical, Fault, LinkStatistics, Measurement, Number, Observation, PowerReport, PowerState, Quality,
    Quantity, Query, Reading, Scope, WallClock,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore};

pub(crate) const BASE: &str = "/opendcre/1.1";

/// The first and the last board of a bus.
const BUS_BOARDS: (u32, u32) = (0, 0x00ff_ffff);

/// What the bus was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    Discover(Scope),
    Read(Query),
    Perform(Action),
}

pub(crate) struct FakeBus {
    name: &'static str,
    pub(crate) boards: Mutex<Vec<Board>>,
    /// What every query and change answers.
    pub(crate) answer: Mutex<Observation>,
    /// Why everything fails, if it does.
    pub(crate) failure: Mutex<Option<DriverError>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) links: Mutex<Vec<LinkStatistics>>,
    /// Told about every call.
    pub(crate) called: Notify,
    /// Every call takes a permit.
    pub(crate) permits: Semaphore,
}

impl FakeBus {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            boards: Mutex::default(),
            answer: Mutex::new(Observation::Version("PLC fw 3.2".to_owned())),
            failure: Mutex::default(),
            calls: Mutex::default(),
            links: Mutex::default(),
            called: Notify::new(),
            permits: Semaphore::new(100),
        }
    }

    async fn note<T>(&self, call: Call, answer: T) -> Result<T, DriverError> {
        self.calls.lock().unwrap().push(call);
        self.called.notify_one();
        self.permits.acquire().await.unwrap().forget();
        match self.failure.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn fail(&self, fault: Fault) {
        let error = DriverError::new(fault, "no answer within 250 ms; check that the board has power");
        *self.failure.lock().unwrap() = Some(error);
    }

    pub(crate) fn answers(&self, answer: Observation) {
        *self.answer.lock().unwrap() = answer;
    }
}

impl Driver for FakeBus {
    fn name(&self) -> &str {
        self.name
    }

    fn health(&self) -> Result<(), DriverError> {
        self.failure.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn statistics(&self) -> Vec<LinkStatistics> {
        self.links.lock().unwrap().clone()
    }

    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        let boards = self.boards.lock().unwrap().clone();
        Box::pin(self.note(Call::Discover(scope), boards))
    }

    fn read(&self, query: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(self.note(Call::Read(query), answer))
    }

    fn perform(&self, action: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(self.note(Call::Perform(action), answer))
    }
}

struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-12-01T10:00:00Z".parse().unwrap()
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts a failure in the form that every failure has, and gives its message.
    pub(crate) fn failure(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let body = self.json();
        assert_eq!(body["code"], code, "{self:?}");
        assert_eq!(body["http_code"], status);
        assert_eq!(body.as_object().unwrap().len(), 3);
        body["message"].as_str().unwrap().to_owned()
    }
}

pub(crate) struct Room {
    pub(crate) api: Api,
    pub(crate) bus: Arc<FakeBus>,
    pub(crate) second: Arc<FakeBus>,
    _folder: TempDir,
}

impl Room {
    /// A room with one bus, `hat`.
    pub(crate) fn new() -> Self {
        Self::with(1, Limits::default())
    }

    /// A room with `hat` and `loft`.
    pub(crate) fn with_two_buses() -> Self {
        Self::with(2, Limits::default())
    }

    /// A room with the bus `hat`, and the board of the BMCs behind `second`.
    pub(crate) fn with_bridge() -> Self {
        let second = [(0x4000_0000, 0x4000_0000)];
        Self::build(&[&[BUS_BOARDS], second.as_slice()].concat(), Vec::new(), Limits::default())
    }

    /// A room with `hat`, where something else is not served at all.
    pub(crate) fn with_a_defect(defect: Defect) -> Self {
        Self::build(&[BUS_BOARDS], vec![defect], Limits::default())
    }

    pub(crate) fn with(buses: usize, limits: Limits) -> Self {
        Self::build(&vec![BUS_BOARDS; buses], Vec::new(), limits)
    }

    /// One driver for each range of boards.
    fn build(ranges: &[(u32, u32)], defects: Vec<Defect>, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditLog::open(folder.path().join("audit.jsonl")).unwrap();
        let (bus, second) = (Arc::new(FakeBus::new("hat")), Arc::new(FakeBus::new("loft")));
        let mount = |(bus, (first, last)): (&Arc<FakeBus>, &(u32, u32))| Mount {
            driver: Arc::<FakeBus>::clone(bus),
            boards: BoardId(*first)..=BoardId(*last),
            max_changes: 64,
        };
        let mounts = [&bus, &second].into_iter().zip(ranges).map(mount).collect();
        let gateway = Gateway::new(mounts, defects, audit, Arc::new(FixedClock), Settings::default());
        Self { api: Api::new(gateway, &FixedClock, limits), bus, second, _folder: folder }
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.api.respond(request, remote()).await.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(text.to_vec()).unwrap() }
    }

    /// Sends `method` to `path` of API 1.1.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(request(method, &format!("{BASE}{path}"))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }
}

pub(crate) fn remote() -> SocketAddr {
    "192.0.2.7:4711".parse().unwrap()
}

pub(crate) fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(path).body(Full::default()).unwrap()
}

pub(crate) fn board(id: u32, devices: &[(u16, DeviceKind)]) -> Board {
    let device = |(id, kind): &(u16, DeviceKind)| Device { id: DeviceId(*id), kind: *kind };
    Board { id: BoardId(id), devices: devices.iter().map(device).collect() }
}

pub(crate) fn reading(kind: DeviceKind, raw: Number, celsius: Option<f64>) -> Observation {
    let measurement = celsius.map(|value| Measurement { quantity: Quantity::TemperatureCelsius, value });
    Observation::Sensor(Reading {
        kind,
        raw,
        measurements: measurement.into_iter().collect(),
        quality: Quality::Good,
        measured_at: now(),
        source: "hat".to_owned(),
    })
}

pub(crate) fn power(electrical: Option<Electrical>) -> Observation {
    Observation::Power(PowerReport {
        state: PowerState::On,
        power_ok: true,
        over_current: false,
        under_voltage: false,
        electrical,
        measured_at: now(),
        source: "hat".to_owned(),
    })
}

pub(crate) fn asset_text(text: &str) -> Observation {
    Observation::AssetText { text: text.to_owned(), management_address: None }
}

pub(crate) fn electrical() -> Electrical {
    Electrical {
        raw: "0,12000,2400,3356".to_owned(),
        input_power_watts: 198.576_865_795_134_86,
        input_voltage_volts: 12.500_651_075_576_853,
        output_current_amperes: 15.879_801_734_820_322,
    }
}

pub(crate) const BUSY: Fault = Fault::Busy { retry_after: Duration::from_millis(1200) };
