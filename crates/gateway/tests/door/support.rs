//! A driver that does what a test says and notes what it was asked, and the rest of a gateway around it.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use opendcre_gateway::{
    AuditFile, AuditLog, AuditQuery, Equipment, Gateway, Mount, Policy, Principal, Settings,
};
use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Context, DeviceAddress, DeviceId, DeviceKind, Driver, DriverError,
    Fault, Observation, PowerAction, Query, Scope, Subject, WallClock,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// How many changes may run on one driver.
pub(crate) const MAX_CHANGES: usize = 4;
/// The boards that a driver may hold unless a test says otherwise.
const EVERY_BOARD: RangeInclusive<u32> = 1..=0xff;

/// What a fake driver was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    Discover(Scope),
    Read(Query),
    /// With what the audit log says of changes at that moment.
    Perform(Action, Vec<Value>),
}

pub(crate) struct FakeDriver {
    name: &'static str,
    /// What every scan answers, whatever its scope.
    pub(crate) scan: Mutex<Result<Vec<Board>, DriverError>>,
    /// What every change answers; nothing makes the driver panic.
    pub(crate) change: Mutex<Option<Result<Observation, DriverError>>>,
    pub(crate) health: Mutex<Result<(), DriverError>>,
    /// A change takes a permit; tests that start without permits decide when it ends.
    pub(crate) permits: Semaphore,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) contexts: Mutex<Vec<Context>>,
    audit: PathBuf,
}

impl FakeDriver {
    fn note(&self, call: Call, context: Context) {
        self.calls.lock().unwrap().push(call);
        self.contexts.lock().unwrap().push(context);
    }

    pub(crate) fn fail_scans(&self, fault: Fault) {
        *self.scan.lock().unwrap() = Err(failure(self.name, fault));
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Driver for FakeDriver {
    fn name(&self) -> &str {
        self.name
    }

    fn health(&self) -> Result<(), DriverError> {
        self.health.lock().unwrap().clone()
    }

    fn discover(&self, scope: Scope, context: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        self.note(Call::Discover(scope), context);
        Box::pin(async { self.scan.lock().unwrap().clone() })
    }

    fn read(&self, query: Query, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        self.note(Call::Read(query), context);
        Box::pin(async { Ok(Observation::Version(self.name.to_owned())) })
    }

    fn perform(&self, action: Action, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        self.note(Call::Perform(action, changes(&self.audit)), context);
        Box::pin(async {
            self.permits.acquire().await.unwrap().forget();
            self.change.lock().unwrap().clone().expect("a driver with a defect")
        })
    }
}

pub(crate) struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-12-01T10:00:00Z".parse().unwrap()
    }
}

/// A gateway with drivers named `a`, `b`, … that hold the boards 1 to ff and answer to everything.
pub(crate) struct Room {
    pub(crate) gateway: Gateway,
    pub(crate) drivers: Vec<Arc<FakeDriver>>,
    pub(crate) audit: PathBuf,
    _folder: TempDir,
}

impl Room {
    pub(crate) fn with_drivers(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = folder.path().join("audit.db");
        Self::new(&vec![EVERY_BOARD; count], audit, folder, Settings::default())
    }

    /// One driver for each range of boards.
    pub(crate) fn with_ranges(ranges: &[RangeInclusive<u32>]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = folder.path().join("audit.db");
        Self::new(ranges, audit, folder, Settings::default())
    }

    /// A room in which nothing may be changed.
    pub(crate) fn read_only() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = folder.path().join("audit.db");
        Self::new(&[EVERY_BOARD], audit, folder, Settings { read_only: true, ..Settings::default() })
    }

    /// A room whose audit log cannot be written.
    pub(crate) fn without_an_audit_log() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = folder.path().join("missing/audit.db");
        Self::new(&[EVERY_BOARD], audit, folder, Settings::default())
    }

    fn new(ranges: &[RangeInclusive<u32>], audit: PathBuf, folder: TempDir, settings: Settings) -> Self {
        let names = ["a", "b", "c"].iter().take(ranges.len());
        let driver = |name: &&'static str| {
            Arc::new(FakeDriver {
                name,
                scan: Mutex::new(Ok(vec![board(1)])),
                change: Mutex::new(Some(Ok(Observation::Done))),
                health: Mutex::new(Ok(())),
                permits: Semaphore::new(100),
                calls: Mutex::default(),
                contexts: Mutex::default(),
                audit: audit.clone(),
            })
        };
        let drivers: Vec<_> = names.map(driver).collect();
        let mount = |(driver, range): (&Arc<FakeDriver>, &RangeInclusive<u32>)| Mount {
            driver: Arc::<FakeDriver>::clone(driver),
            boards: BoardId(*range.start())..=BoardId(*range.end()),
            rack: "rack_1".to_owned(),
            annotations: Vec::new(),
            max_changes: MAX_CHANGES,
        };
        let log = AuditLog::open(&audit, Arc::new(FixedClock)).unwrap();
        let mounts = drivers.iter().zip(ranges).map(mount).collect();
        let equipment = Equipment { mounts, ..Equipment::default() };
        let gateway = Gateway::new(equipment, log.into(), Policy::open(), Arc::new(FixedClock), settings);
        Self { gateway, drivers, audit, _folder: folder }
    }

    /// What the audit log says of changes.
    pub(crate) fn audited(&self) -> Vec<Value> {
        changes(&self.audit)
    }
}

/// What an audit log says of changes, oldest first.
pub(crate) fn changes(audit: &Path) -> Vec<Value> {
    let query = AuditQuery { limit: usize::MAX, ..AuditQuery::default() };
    let page = AuditFile::new(audit).page(&query).unwrap();
    let entries = page.entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.text).unwrap());
    entries.filter(|entry| entry["kind"] == "intent" || entry["kind"] == "outcome").collect()
}

pub(crate) fn board(id: u32) -> Board {
    Board::new(BoardId(id), Vec::new())
}

pub(crate) fn failure(driver: &str, fault: Fault) -> DriverError {
    DriverError::new(fault, format!("bus {driver} failed: {fault}"))
}

pub(crate) fn somebody() -> Principal {
    Principal {
        subject: Subject::anonymous().into(),
        remote: "192.0.2.7:4711".into(),
        request_id: "r-1".into(),
    }
}

pub(crate) fn power_off(board: u32) -> Action {
    let device = DeviceAddress { board: BoardId(board), device: DeviceId(0x01ff) };
    Action::Power { device, kind: DeviceKind::Power, action: PowerAction::Off }
}
