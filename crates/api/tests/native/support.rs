//! A room with a bus and two servers that say what a test wants, and API 2 in front of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock, Mutex};

use boon::{Compiler, Draft, Schemas};
use flate2::read::GzDecoder;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes};
use jiff::Timestamp;
use opendcre_api::{Api, Entrance, Limits};
use opendcre_auth::Authenticator;
use opendcre_gateway::{
    Annotation, AuditLog, Command, CredentialError, Credentials, Defect, Equipment, EventLog, EventSettings,
    Gateway, Group, History, HistorySettings, Mount, Policy, Principal, Records, Settings,
};
use opendcre_model::{
    Action, AssetInfo, Board, BoardId, BootOverride, BootTarget, BoxFuture, Capabilities, Capability,
    Context, Device, DeviceId, DeviceKind, Driver, DriverError, Electrical, EventLogPage, Health, HostInfo,
    Identity, LinkStatistics, LogCursor, Measurement, Number, Observation, PowerReport, PowerState, Quality,
    Quantity, Query, Reading, Scope, Subject, WallClock,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

pub(crate) const BASE: &str = "/opendcre/2";

/// What a driver was asked, in the order of the questions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    Discover(Scope),
    Read(Query),
    Perform(Action),
}

/// Equipment that answers at once, unless it is told to fail or to wait.
pub(crate) struct Wire {
    name: &'static str,
    is_configured: bool,
    pub(crate) boards: Mutex<Vec<Board>>,
    /// What it answers to these questions, instead of what it usually does.
    pub(crate) answers: Mutex<HashMap<Query, Result<Observation, DriverError>>>,
    /// Why everything fails, if it does.
    pub(crate) failure: Mutex<Option<DriverError>>,
    pub(crate) links: Mutex<Vec<LinkStatistics>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    /// Every question takes a permit.
    pub(crate) permits: Semaphore,
}

impl Wire {
    fn new(name: &'static str, is_configured: bool, boards: Vec<Board>) -> Arc<Self> {
        Arc::new(Self {
            name,
            is_configured,
            boards: Mutex::new(boards),
            answers: Mutex::default(),
            failure: Mutex::default(),
            links: Mutex::default(),
            calls: Mutex::default(),
            permits: Semaphore::new(Semaphore::MAX_PERMITS / 2),
        })
    }

    async fn take_turn(&self, call: Call) -> Result<(), DriverError> {
        self.calls.lock().unwrap().push(call);
        self.permits.acquire().await.unwrap().forget();
        self.failure.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    /// Forgets the questions so far, and tells them.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    pub(crate) fn answer(&self, query: Query, answer: Result<Observation, DriverError>) {
        self.answers.lock().unwrap().insert(query, answer);
    }

    pub(crate) fn fail(&self, error: Option<DriverError>) {
        *self.failure.lock().unwrap() = error;
    }
}

impl Driver for Wire {
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
        if self.is_configured { self.boards.lock().unwrap().clone() } else { Vec::new() }
    }

    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Box::pin(async move {
            self.take_turn(Call::Discover(scope)).await?;
            let mut boards = self.boards.lock().unwrap().clone();
            boards.retain(|board| scope == Scope::All || scope == Scope::Board(board.id));
            Ok(boards)
        })
    }

    fn read(&self, query: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async move {
            self.take_turn(Call::Read(query)).await?;
            let prepared = self.answers.lock().unwrap().get(&query).cloned();
            prepared.unwrap_or_else(|| Ok(usual(query)))
        })
    }

    fn perform(&self, action: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async move {
            self.take_turn(Call::Perform(action.clone())).await?;
            Ok(match action {
                Action::Power { .. } => power(),
                Action::SetLed { on, .. } => Observation::Led { on },
                Action::SetBootTarget { boot, .. } => Observation::BootTarget(boot),
                Action::SetAssetText { text, .. } => {
                    Observation::AssetText { text, management_address: None }
                }
                _ => Observation::Done,
            })
        })
    }
}

/// What equipment that works answers.
fn usual(query: Query) -> Observation {
    match query {
        Query::Version(_) => Observation::Version("PLC fw 3.2".to_owned()),
        Query::Sensor { kind, .. } => reading(kind, 24.5, Health::Ok),
        Query::Power { .. } => power(),
        Query::AssetText(_) => Observation::AssetText { text: "row 7".to_owned(), management_address: None },
        Query::AssetInfo(_) => Observation::AssetInfo(Box::new(AssetInfo {
            management_address: Some("10.1.0.32".parse().unwrap()),
            ..AssetInfo::default()
        })),
        Query::BootTarget(_) => {
            Observation::BootTarget(BootOverride { target: BootTarget::Pxe, persistent: false, efi: true })
        }
        Query::HostInfo(_) => Observation::HostInfo(HostInfo {
            hostnames: vec!["web-01.example".to_owned()],
            ip_addresses: vec!["10.1.0.32".parse().unwrap()],
        }),
        Query::Led(_) => Observation::Led { on: true },
        Query::EventLog { after, .. } => empty_log(after),
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

pub(crate) fn reading(kind: DeviceKind, celsius: f64, health: Health) -> Observation {
    let measurement = Measurement { quantity: Quantity::TemperatureCelsius, value: celsius };
    Observation::Sensor(Reading {
        kind,
        raw: Number::from(656),
        measurements: vec![measurement],
        quality: Quality::Good,
        health,
        states: Vec::new(),
        measured_at: now(),
        source: "wire".into(),
    })
}

pub(crate) fn power() -> Observation {
    Observation::Power(power_report(PowerState::On))
}

pub(crate) fn power_report(state: PowerState) -> PowerReport {
    PowerReport {
        state,
        power_ok: true,
        over_current: true,
        under_voltage: false,
        electrical: Some(Electrical {
            raw: "0,12000,2400,3356".to_owned(),
            input_power_watts: 198.5,
            input_voltage_volts: 12.5,
            output_current_amperes: 15.875,
        }),
        measured_at: now(),
        source: "wire".into(),
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

pub(crate) fn remote() -> SocketAddr {
    "192.0.2.7:4711".parse().unwrap()
}

pub(crate) fn device(id: u16, kind: DeviceKind, name: Option<&str>, capabilities: &[Capability]) -> Device {
    Device {
        name: name.map(str::to_owned),
        ..Device::new(DeviceId(id), kind, Capabilities::of(capabilities))
    }
}

/// A board of the bus: a thermistor at the front, a power switch and a lamp.
pub(crate) fn bus_board(id: u32) -> Board {
    use Capability::{AssetText, AssetTextControl, Led, PowerControl, PowerState, Reading};
    let devices = vec![
        device(0x4001, DeviceKind::Thermistor, None, &[Reading]),
        device(0x4002, DeviceKind::Power, None, &[PowerState, PowerControl, AssetText, AssetTextControl]),
        device(0x4003, DeviceKind::Led, None, &[Led]),
    ];
    Board::new(BoardId(id), devices)
}

/// A server: what each has, and a sensor.
fn server(number: u32) -> Board {
    use Capability::{
        AssetInfo, AssetText, BootTarget, HostInfo, Identify, Led, PowerControl, PowerState, Reading,
    };
    let devices = vec![
        device(0x0100, DeviceKind::Power, Some("power"), &[PowerState, PowerControl, AssetText]),
        device(0x0200, DeviceKind::System, Some("system"), &[AssetInfo, BootTarget, HostInfo]),
        device(0x0300, DeviceKind::Led, Some("led"), &[Led, Identify]),
        device(0x0030, DeviceKind::Temperature, Some("CPU1 Temp"), &[Reading]),
    ];
    Board {
        identity: Some(Identity(format!("uuid:{number:08x}"))),
        firmware: Some("1.74".to_owned()),
        ip_addresses: vec![format!("10.1.0.{}", 31 + number).parse().unwrap()],
        ..Board::new(BoardId(0x4000_0000 | number), devices)
    }
}

pub(crate) struct Room {
    pub(crate) api: Api,
    pub(crate) bus: Arc<Wire>,
    pub(crate) bmcs: Arc<Wire>,
    /// What happens and what is measured is kept in these, in a room that is observed.
    pub(crate) events: Option<EventLog>,
    pub(crate) history: Option<History>,
    _folder: TempDir,
}

/// Whether logins still hold.
#[derive(Default)]
pub(crate) struct Logins(pub(crate) AtomicBool);

impl Credentials for Logins {
    fn confirm<'a>(&'a self, _: &'a Subject) -> BoxFuture<'a, Result<(), CredentialError>> {
        let is_void = self.0.load(Relaxed);
        let reason = "the token was revoked".to_owned();
        Box::pin(async move { if is_void { Err(CredentialError::Void { reason }) } else { Ok(()) } })
    }

    fn bearer<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Subject, CredentialError>> {
        Box::pin(async { Ok(Subject::anonymous()) })
    }
}

impl Room {
    /// A room whose boards have been found: `00000011` and `00000012` on the bus in rack_1, and the servers `web-01` and
    /// `web-02` in rack_2.
    pub(crate) async fn new() -> Self {
        let room = Self::unseen(Limits::default(), Settings::default());
        room.refresh().await;
        room
    }

    /// The same room before anybody has looked into it.
    pub(crate) fn unseen(limits: Limits, settings: Settings) -> Self {
        Self::with(limits, settings, None, Arc::default())
    }

    /// The same room, where what happens and what is measured is kept, after everything was found.
    pub(crate) async fn observed(events: EventSettings, logins: Arc<Logins>) -> Self {
        let room = Self::with(Limits::default(), Settings::default(), Some(events), logins);
        room.refresh().await;
        room
    }

    /// The same, within other limits.
    pub(crate) async fn observed_within(limits: Limits, events: EventSettings) -> Self {
        let room = Self::with(limits, Settings::default(), Some(events), Arc::default());
        room.refresh().await;
        room
    }

    fn with(limits: Limits, settings: Settings, events: Option<EventSettings>, logins: Arc<Logins>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditLog::open(folder.path().join("audit.db"), Arc::new(FixedClock)).unwrap();
        let clock = || Arc::new(FixedClock);
        let (events, history) = events
            .map(|settings| {
                let events = EventLog::open(folder.path().join("events.db"), settings, clock()).unwrap().0;
                let path = folder.path().join("history.db");
                (events, History::open(path, HistorySettings::default(), clock()).unwrap().0)
            })
            .unzip();
        let records = Records { audit, store: None, history: history.clone(), events: events.clone() };
        let bus = Wire::new("hat", false, vec![bus_board(0x11), bus_board(0x12)]);
        let bmcs = Wire::new("ipmi", true, vec![server(1), server(2)]);
        let hat = Mount {
            driver: Arc::<Wire>::clone(&bus),
            boards: BoardId(0)..=BoardId(0x00ff_ffff),
            rack: "rack_1".to_owned(),
            annotations: Vec::new(),
            max_changes: 64,
        };
        let annotation = |number: u32| Annotation {
            board: BoardId(0x4000_0000 | number),
            name: Some(format!("web-{number:02}")),
            hostnames: vec![format!("web-{number:02}.example")],
            labels: BTreeMap::from([("owner".to_owned(), "web".to_owned())]),
            groups: vec!["frontend".to_owned()],
            ..Annotation::default()
        };
        let ipmi = Mount {
            driver: Arc::<Wire>::clone(&bmcs),
            boards: BoardId(0x4000_0001)..=BoardId(0x4fff_ffff),
            rack: "rack_2".to_owned(),
            annotations: vec![annotation(1), annotation(2)],
            max_changes: 64,
        };
        let defect = Defect {
            name: "legacy.bmc_config".to_owned(),
            code: "bad_bmc_config",
            message: "the file is broken".to_owned(),
        };
        let equipment = Equipment {
            mounts: vec![hat, ipmi],
            groups: vec![Group { name: "cold".to_owned(), members: "rack_1".to_owned() }],
            defects: vec![defect],
            ..Equipment::default()
        };
        let gateway = Gateway::new(equipment, records, Policy::open(), Arc::new(FixedClock), settings);
        let gateway = gateway.with_credentials(logins);
        let entrance = Entrance::new(Arc::new(Authenticator::open(Arc::new(FixedClock))));
        Self {
            api: Api::new(gateway, entrance, &FixedClock, limits),
            bus,
            bmcs,
            events,
            history,
            _folder: folder,
        }
    }

    /// Looks at everything anew.
    pub(crate) async fn refresh(&self) {
        let principal = Principal {
            subject: opendcre_model::Subject::anonymous().into(),
            remote: "".into(),
            request_id: "".into(),
        };
        self.api.gateway().execute(&principal, Command::Refresh(Scope::All)).await.unwrap();
        self.bus.take_calls();
        self.bmcs.take_calls();
    }

    /// Sends a request, holds the answer against the description of the API, and takes it apart.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (head, body) = self.api.respond(request, remote()).await.into_parts();
        let length = body.size_hint().exact();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer { status: head.status, headers: head.headers, bytes, length };
        DESCRIPTION.check(&method, uri.path(), &answer);
        answer
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(request(method, path)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// The body of what is there.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(format!("{BASE}{path}")).header("content-type", "application/json");
        self.send(request.body(Full::from(body.to_string())).unwrap()).await
    }
}

/// A request for a path below the base of the API.
pub(crate) fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(format!("{BASE}{path}")).body(Full::default()).unwrap()
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    /// What its header could say about its length.
    pub(crate) length: Option<u64>,
}

impl Answer {
    /// Its text, decompressed.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        match self.header("content-encoding") {
            Some("gzip") => GzDecoder::new(&*self.bytes).read_to_string(&mut text).unwrap(),
            Some(other) => panic!("{other} is no encoding"),
            None => (&*self.bytes).read_to_string(&mut text).unwrap(),
        };
        text
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts a problem document with this code, and gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status.as_u16(), &body["code"]), (status, &json!(code)), "{body}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(body["type"], format!("urn:opendcre:problem:{code}"));
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"));
        body
    }
}

/// The description of the API that the service gives.
pub(crate) static DESCRIPTION: LazyLock<Description> = LazyLock::new(Description::get);

pub(crate) struct Description {
    pub(crate) document: Value,
}

/// Under which name the description is known to the validator.
const DOCUMENT: &str = "http://opendcre.invalid/openapi.json";

thread_local! {
    /// The schemas of the description that were needed by now. Each test has its own thread.
    static SCHEMAS: RefCell<(Compiler, Schemas)> = {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(DOCUMENT, DESCRIPTION.document.clone()).unwrap();
        RefCell::new((compiler, Schemas::new()))
    };
}

impl Description {
    fn get() -> Self {
        let room = Room::unseen(Limits::default(), Settings::default());
        let asking = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let response = room.api.respond(request(Method::GET, "/openapi.json"), remote()).await;
                response.into_body().collect().await.unwrap().to_bytes()
            })
        });
        Self { document: serde_json::from_slice(&asking.join().unwrap()).unwrap() }
    }

    /// The pattern of paths that a path belongs to.
    pub(crate) fn pattern(&self, path: &str) -> Option<&str> {
        let path = path.strip_prefix(BASE)?;
        let path = if path.is_empty() { "/" } else { path };
        let fits = |pattern: &&String| {
            let (mut names, mut texts) = (pattern.split('/'), path.split('/'));
            pattern.split('/').count() == path.split('/').count()
                && names
                    .by_ref()
                    .zip(texts.by_ref())
                    .all(|(name, text)| name == text || name.starts_with('{'))
        };
        self.document["paths"].as_object().unwrap().keys().find(fits).map(String::as_str)
    }

    /// Asserts that an answer is one that the description has foreseen.
    fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let Some(pattern) = self.pattern(path) else { return };
        let operation = &self.document["paths"][pattern][method.as_str().to_lowercase()];
        if operation.is_null() || answer.status == 304 {
            return;
        }
        let status = answer.status.as_str();
        let described = &operation["responses"][status];
        assert!(described.is_object(), "{method} {path} may not answer {status}: {}", answer.text());
        let media_type = answer.header("content-type").unwrap().split(';').next().unwrap();
        assert!(described["content"][media_type].is_object(), "{method} {path} answers {media_type}");
        if media_type.ends_with("json") {
            let place = ["paths", pattern, &method.as_str().to_lowercase(), "responses", status, "content"];
            let place: Vec<&str> = place.into_iter().chain([media_type, "schema"]).collect();
            self.validate(&place, &answer.json());
        }
    }

    /// Asserts that a value fits the schema at a place of the document.
    pub(crate) fn validate(&self, place: &[&str], value: &Value) {
        let escape = |name: &&str| {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            escaped.replace('{', "%7B").replace('}', "%7D")
        };
        let place: Vec<String> = place.iter().map(escape).collect();
        let place = format!("{DOCUMENT}#/{}", place.join("/"));
        SCHEMAS.with_borrow_mut(|(compiler, schemas)| {
            let schema = compiler.compile(&place, schemas).unwrap();
            if let Err(error) = schemas.validate(value, schema) {
                panic!("{error:#}\n{value:#}");
            }
        });
    }
}
