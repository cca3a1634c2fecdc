//! A room with one bus that says what a test wants, and the API in front of it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use jiff::Timestamp;
use opendcre_api::{Api, Entrance, Limits};
use opendcre_auth::Authenticator;
use opendcre_gateway::{
    Annotation, AuditLog, Command, Defect, Equipment, Gateway, Mount, Policy, Principal, Settings,
};
use opendcre_model::{
    Action, AssetInfo, Board, BoardAsset, BoardId, BootOverride, BootTarget, BoxFuture, Capabilities,
    ChassisAsset, Context, Device, DeviceAddress, DeviceId, DeviceKind, Driver, DriverError, Electrical,
    Fault, Health, LinkStatistics, Measurement, Number, Observation, PowerReport, PowerState, ProductAsset,
    Quality, Quantity, Query, Reading, SERVER_LED, SERVER_POWER, SERVER_SYSTEM, SERVERS, Scope, WallClock,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore};

pub(crate) const BASE: &str = "/opendcre/1.1";

/// The boards of a bus.
const BUS_BOARDS: RangeInclusive<BoardId> = BoardId(0)..=BoardId(0x00ff_ffff);

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
    /// The boards that the configuration names; none on a bus that can be searched.
    configured: Vec<Board>,
    /// What every query and change answers.
    pub(crate) answer: Mutex<Observation>,
    /// What single queries answer instead.
    pub(crate) answers: Mutex<Vec<(Query, Result<Observation, DriverError>)>>,
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
    fn new(name: &'static str, configured: Vec<Board>) -> Self {
        Self {
            name,
            boards: Mutex::new(configured.clone()),
            configured,
            answers: Mutex::default(),
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

    /// Makes one query answer something else.
    pub(crate) fn answers_to(&self, query: Query, answer: Result<Observation, DriverError>) {
        self.answers.lock().unwrap().insert(0, (query, answer));
    }

    fn answer_to(&self, query: &Query) -> Result<Observation, DriverError> {
        let answers = self.answers.lock().unwrap();
        let own = answers.iter().find(|(other, _)| other == query).map(|(_, answer)| answer.clone());
        own.unwrap_or_else(|| Ok(self.answer.lock().unwrap().clone()))
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

    fn configured(&self) -> Vec<Board> {
        self.configured.clone()
    }

    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        let boards = self.boards.lock().unwrap().clone();
        Box::pin(self.note(Call::Discover(scope), boards))
    }

    fn read(&self, query: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        let answer = self.answer_to(&query);
        Box::pin(async move { self.note(Call::Read(query), ()).await.and(answer) })
    }

    fn perform(&self, action: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(self.note(Call::Perform(action), answer))
    }
}

pub(crate) struct FixedClock;

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

    /// Asserts a failure in the form of API 1.2 and 1.3, whose bodies have these keys, and gives its message.
    pub(crate) fn old_failure(&self, keys: &[&str], status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
        assert_eq!(self.header("x-opendcre-code"), Some(code), "{self:?}");
        let body = self.json();
        let body = body.as_object().unwrap();
        assert!(body.keys().eq(keys), "{self:?}");
        assert!(body.get("http_code").is_none_or(|told| *told == status), "{self:?}");
        body["message"].as_str().unwrap().to_owned()
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

    /// A room with the bus `hat`, and these servers behind `second`.
    pub(crate) fn with_servers(servers: Vec<Board>) -> Self {
        Self::build(2, servers, Vec::new(), Limits::default())
    }

    /// Lets everything be looked for, so that the inventory knows it, and forgets that anybody asked.
    pub(crate) async fn look_around(&self) {
        let nobody = Principal {
            subject: opendcre_model::Subject::anonymous().into(),
            remote: "".into(),
            request_id: "".into(),
        };
        self.api.gateway().execute(&nobody, Command::Refresh(Scope::All)).await.unwrap();
        self.forget_calls();
    }

    pub(crate) fn forget_calls(&self) {
        self.bus.calls.lock().unwrap().clear();
        self.second.calls.lock().unwrap().clear();
    }

    /// What both wires were asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        [self.bus.calls(), self.second.calls()].concat()
    }

    /// A room with `hat`, where something else is not served at all.
    pub(crate) fn with_a_defect(defect: Defect) -> Self {
        Self::build(1, Vec::new(), vec![defect], Limits::default())
    }

    pub(crate) fn with(buses: usize, limits: Limits) -> Self {
        Self::build(buses, Vec::new(), Vec::new(), limits)
    }

    /// The first `drivers` of `hat` in the rack `rack_1` and `loft` in the rack `rack_2`.
    fn build(drivers: usize, servers: Vec<Board>, defects: Vec<Defect>, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditLog::open(folder.path().join("audit.db"), Arc::new(FixedClock)).unwrap();
        let range = if servers.is_empty() { BUS_BOARDS } else { SERVERS };
        let (bus, second) = (FakeBus::new("hat", Vec::new()), FakeBus::new("loft", servers));
        let (bus, second) = (Arc::new(bus), Arc::new(second));
        let mounts = vec![mount(&bus, BUS_BOARDS, "rack_1"), mount(&second, range, "rack_2")];
        let mounts = mounts.into_iter().take(drivers).collect();
        let equipment = Equipment { mounts, defects, ..Equipment::default() };
        let gateway =
            Gateway::new(equipment, audit.into(), Policy::open(), Arc::new(FixedClock), Settings::default());
        let entrance = Entrance::new(Arc::new(Authenticator::open(Arc::new(FixedClock))));
        Self { api: Api::new(gateway, entrance, &FixedClock, limits), bus, second, _folder: folder }
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

fn mount(driver: &Arc<FakeBus>, boards: RangeInclusive<BoardId>, rack: &str) -> Mount {
    let keeps_id = |board: &Board| Annotation { board: board.id, keeps_id: true, ..Annotation::default() };
    Mount {
        annotations: driver.configured.iter().map(keeps_id).collect(),
        driver: Arc::<FakeBus>::clone(driver),
        boards,
        rack: rack.to_owned(),
        max_changes: 64,
    }
}

/// A device in the vocabulary of the house.
pub(crate) const fn device(board: u32, device: u16) -> DeviceAddress {
    DeviceAddress { board: BoardId(board), device: DeviceId(device) }
}

/// A reading of a server's sensor.
pub(crate) fn server_reading(
    kind: DeviceKind,
    value: Option<(Quantity, f64)>,
    quality: Quality,
) -> Observation {
    let measurements = value.into_iter().map(|(quantity, value)| Measurement { quantity, value }).collect();
    Observation::Sensor(Reading {
        kind,
        raw: Number::from(41),
        measurements,
        quality,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: now(),
        source: "loft".into(),
    })
}

/// The humidity of the example of the device bus description, §10.3.
pub(crate) fn humidity() -> Observation {
    let values = [(Quantity::HumidityPercent, 38.43), (Quantity::TemperatureCelsius, 16.24)];
    measured(DeviceKind::Humidity, Number::from(1_486_313_281), &values)
}

/// A good reading of a bus.
pub(crate) fn measured(kind: DeviceKind, raw: Number, values: &[(Quantity, f64)]) -> Observation {
    let Observation::Sensor(reading) = reading(kind, raw, None) else { unreachable!() };
    let measurement =
        |(quantity, value): &(Quantity, f64)| Measurement { quantity: quantity.clone(), value: *value };
    Observation::Sensor(Reading { measurements: values.iter().map(measurement).collect(), ..reading })
}

pub(crate) fn asset_info(management_address: Option<&str>) -> Observation {
    let text = str::to_owned;
    Observation::AssetInfo(Box::new(AssetInfo {
        board: BoardAsset {
            manufacturer: text("Acme"),
            part_number: text("B-1"),
            product_name: text("Main board"),
            serial_number: text("S01"),
        },
        chassis: ChassisAsset {
            chassis_type: text("Rack Mount Chassis"),
            part_number: text("C-1"),
            serial_number: text("S02"),
        },
        product: ProductAsset {
            asset_tag: text("A7"),
            manufacturer: text("Acme"),
            part_number: text("P-1"),
            product_name: text("Node"),
            serial_number: text("S03"),
            version: String::new(),
        },
        management_address: management_address.map(|address| address.parse().unwrap()),
    }))
}

/// What [`asset_info`] looks like, after the address.
pub(crate) const ASSET: &str = concat!(
    r#""board_info":{"manufacturer":"Acme","part_number":"B-1","product_name":"Main board","serial_number":"S01"},"#,
    r#""chassis_info":{"chassis_type":"Rack Mount Chassis","part_number":"C-1","serial_number":"S02"},"#,
    r#""product_info":{"asset_tag":"A7","manufacturer":"Acme","part_number":"P-1","product_name":"Node","#,
    r#""serial_number":"S03","version":""}}"#,
);

/// What `power(Some(electrical()))` looks like.
pub(crate) const MEASURED: &str = concat!(
    r#"{"pmbus_raw":"0,12000,2400,3356","power_status":"on","power_ok":true,"over_current":false,"#,
    r#""under_voltage":false,"input_power":198.57686579513486,"input_voltage":12.500651075576853,"#,
    r#""output_current":15.879801734820322}"#,
);

pub(crate) const fn boot(target: BootTarget) -> BootOverride {
    BootOverride { target, persistent: false, efi: false }
}

pub(crate) fn remote() -> SocketAddr {
    "192.0.2.7:4711".parse().unwrap()
}

pub(crate) fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(path).body(Full::default()).unwrap()
}

pub(crate) fn board(id: u32, devices: &[(u16, DeviceKind)]) -> Board {
    let device = |(id, kind): &(u16, DeviceKind)| Device::new(DeviceId(*id), *kind, Capabilities::NONE);
    Board::new(BoardId(id), devices.iter().map(device).collect())
}

/// A server with its fixed devices and these sensors.
pub(crate) fn server(id: u32, hostname: &str, address: &str, sensors: &[(u16, DeviceKind, &str)]) -> Board {
    let fixed = [
        (SERVER_POWER.0, DeviceKind::Power, "power"),
        (SERVER_SYSTEM.0, DeviceKind::System, "system"),
        (SERVER_LED.0, DeviceKind::Led, "led"),
    ];
    let device = |(id, kind, name): &(u16, DeviceKind, &str)| Device {
        name: Some((*name).to_owned()),
        ..Device::new(DeviceId(*id), *kind, Capabilities::NONE)
    };
    Board {
        devices: fixed.iter().chain(sensors).map(device).collect(),
        hostnames: [hostname].into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        ip_addresses: vec![address.parse().unwrap()],
        ..Board::new(BoardId(id), Vec::new())
    }
}

pub(crate) fn reading(kind: DeviceKind, raw: Number, celsius: Option<f64>) -> Observation {
    let measurement = celsius.map(|value| Measurement { quantity: Quantity::TemperatureCelsius, value });
    Observation::Sensor(Reading {
        kind,
        raw,
        measurements: measurement.into_iter().collect(),
        quality: Quality::Good,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: now(),
        source: "hat".into(),
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
        source: "hat".into(),
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
