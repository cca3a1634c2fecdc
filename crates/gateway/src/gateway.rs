//! The door itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{
    Action, Board, Context, Driver, DriverError, Fault, LinkStatistics, Observation, Priority, Query, Scope,
    WallClock,
};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::AuditLog;
use crate::inventory::Inventory;
use crate::journal::Entry;
use crate::mount::{Mount, Mounted};
use crate::{GatewayError, Principal, policy};

/// How long [`Gateway::give_up`] waits for the disk.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// What the owner of the service wants: what may be done at all, and how long each class of command may take,
/// waiting in queues included.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For reading one value.
    pub read_timeout: Duration,
    /// For one change, recording it included.
    pub control_timeout: Duration,
    /// For finding out what is there.
    pub scan_timeout: Duration,
    /// Whether every change is refused.
    pub read_only: bool,
}

/// What may be asked at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Find out what is there.
    Scan(Scope),
    /// Ask one question.
    Query(Query),
    /// Change something.
    Action(Action),
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Answer to [`Command::Scan`].
    Scan(ScanReport),
    /// Answer to [`Command::Query`] and [`Command::Action`].
    Observation(Observation),
}

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// The boards, driver by driver in the order of the mounts.
    pub boards: Vec<Board>,
    /// The drivers that could not be scanned, by name; their boards are missing.
    pub failures: Vec<(String, DriverError)>,
}

/// Whether commands can be carried out now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// The service is stopping and refuses commands.
    pub shutting_down: bool,
    /// Every driver by name in the order of the mounts, and whether it can be used.
    pub drivers: Vec<(String, Result<(), DriverError>)>,
    /// What has been missing since the start.
    pub defects: Vec<Defect>,
}

/// Equipment that is configured but not served until somebody mends the configuration and restarts the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What is missing, such as the key of the configuration that names it.
    pub name: String,
    /// The stable machine-readable code.
    pub code: &'static str,
    /// One sentence for people: what is wrong, where, and what to do.
    pub message: String,
}

/// The application. Clones are the same door.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) mounts: Vec<Mounted>,
    defects: Vec<Defect>,
    pub(crate) inventory: Mutex<Inventory>,
    audit: AuditLog,
    clock: Arc<dyn WallClock>,
    settings: Settings,
    /// Changes that must run to their end; closed when the service stops.
    actions: TaskTracker,
    /// Cancelled when the process ends before they have.
    given_up: CancellationToken,
    /// Together with the time of start they make the ids of the audit log.
    changes: AtomicU64,
    started: Timestamp,
}

// === impl Settings ===

impl Default for Settings {
    /// Changes are permitted. Reads 10 s, changes 30 s, scans 50 s: all less than clients and proxies usually wait, which is 60 s.
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(10),
            control_timeout: Duration::from_secs(30),
            scan_timeout: Duration::from_secs(50),
            read_only: false,
        }
    }
}

// === impl Readiness ===

impl Readiness {
    /// Whether every driver can be used. Defects do not count: everything else is served, and waiting mends nothing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.shutting_down && self.drivers.iter().all(|(_, health)| health.is_ok())
    }
}

// === impl Gateway ===

impl Gateway {
    /// A door to the equipment of `mounts`, where every change is recorded in `audit`. `defects` are only told to
    /// whoever asks how the service is.
    #[must_use]
    pub fn new(
        mounts: Vec<Mount>,
        defects: Vec<Defect>,
        audit: AuditLog,
        clock: Arc<dyn WallClock>,
        settings: Settings,
    ) -> Self {
        let started = clock.now();
        let inner = Inner {
            mounts: mounts.into_iter().map(Mounted::from).collect(),
            defects,
            inventory: Mutex::default(),
            audit,
            clock,
            settings,
            actions: TaskTracker::new(),
            given_up: CancellationToken::new(),
            changes: AtomicU64::new(0),
            started,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Carries out `command` for `principal`.
    ///
    /// Dropping the future abandons a scan or a query. A change that has begun runs to its end and is recorded
    /// all the same; at most [`Mount::max_changes`] run at a time.
    ///
    /// # Errors
    /// Every [`GatewayError`].
    pub async fn execute(&self, principal: &Principal, command: Command) -> Result<Outcome, GatewayError> {
        if self.inner.actions.is_closed() {
            return Err(GatewayError::ShuttingDown);
        }
        // Before the board is looked for, because looking for it may already ask the wires.
        if let Some(reason) = policy::refusal(&self.inner.settings, &command) {
            return Err(GatewayError::Forbidden { principal: principal.name.clone(), reason });
        }
        let context = self.context(&command);
        match command {
            Command::Scan(Scope::All) => self.scan_all(context).await.map(Outcome::Scan),
            Command::Scan(Scope::Board(board)) => self.scan_board(board, context).await.map(Outcome::Scan),
            Command::Query(query) => self.ask(query, context).await.map(Outcome::Observation),
            Command::Action(action) => {
                self.change(principal, action, context).await.map(Outcome::Observation)
            }
        }
    }

    /// Whether commands can be carried out now. Does no I/O.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let driver = |mount: &Mounted| (mount.driver.name().to_owned(), mount.driver.health());
        Readiness {
            shutting_down: self.inner.actions.is_closed(),
            drivers: self.inner.mounts.iter().map(driver).collect(),
            defects: self.inner.defects.clone(),
        }
    }

    /// What every driver counted for its partners, driver by driver in the order of the mounts. Does no I/O.
    #[must_use]
    pub fn statistics(&self) -> Vec<LinkStatistics> {
        self.inner.mounts.iter().flat_map(|mount| mount.driver.statistics()).collect()
    }

    /// Refuses commands from now on and returns when every change that has begun is finished and recorded.
    pub async fn shutdown(&self) {
        self.inner.actions.close();
        self.inner.actions.wait().await;
    }

    /// For a process that must end now: refuses commands, and records as uncertain what came of every change that still
    /// runs. Returns when that is on the disk, after one second at the latest.
    pub async fn give_up(&self) {
        self.inner.actions.close();
        self.inner.given_up.cancel();
        if timeout(LAST_RECORDS, self.shutdown()).await.is_err() {
            tracing::error!("the audit log lacks outcomes of changes, because its disk is too slow");
        }
    }

    fn context(&self, command: &Command) -> Context {
        let settings = &self.inner.settings;
        let (priority, timeout) = match command {
            Command::Scan(_) => (Priority::Scan, settings.scan_timeout),
            Command::Query(_) => (Priority::Read, settings.read_timeout),
            Command::Action(_) => (Priority::Control, settings.control_timeout),
        };
        Context { deadline: (Instant::now() + timeout).into_std(), priority }
    }

    async fn ask(&self, query: Query, context: Context) -> Result<Observation, GatewayError> {
        let driver = self.resolve(query.board(), context).await?;
        Ok(driver.read(query, context).await?)
    }

    async fn change(
        &self,
        principal: &Principal,
        action: Action,
        context: Context,
    ) -> Result<Observation, GatewayError> {
        let (driver, permit) = self.reserve(action.device().board, context).await?;
        // The token first, the question second: in this order `shutdown` either refuses this change or waits.
        let token = self.inner.actions.token();
        if self.inner.actions.is_closed() {
            return Err(GatewayError::ShuttingDown);
        }
        let entry = self.entry(principal, &*driver, action);
        let inner = Arc::clone(&self.inner);
        let task = async move {
            let result = inner.carry_out(&entry, &*driver, context).await;
            drop((token, permit));
            result
        };
        self.inner.actions.spawn(task).await.unwrap_or_else(|failure| {
            tracing::error!(%failure, "a change was broken off; its outcome is not in the audit log");
            let message =
                "the change was broken off by an internal failure; read the state back before trying again";
            Err(DriverError::new(Fault::Uncertain, message).into())
        })
    }

    fn entry(&self, principal: &Principal, driver: &dyn Driver, action: Action) -> Entry {
        let number = self.inner.changes.fetch_add(1, Ordering::Relaxed);
        Entry {
            id: format!("{:x}-{number}", self.inner.started.as_nanosecond()),
            principal: principal.clone(),
            driver: driver.name().to_owned(),
            action,
        }
    }
}

// === impl Inner ===

impl Inner {
    /// Records the intent, lets the driver do it, records the outcome.
    async fn carry_out(
        &self,
        entry: &Entry,
        driver: &dyn Driver,
        context: Context,
    ) -> Result<Observation, GatewayError> {
        let intent = entry.intent(self.clock.now());
        self.audit.append(&intent).await.map_err(GatewayError::AuditUnavailable)?;
        let result = tokio::select! {
            biased;
            () = self.given_up.cancelled() => Err(given_up(entry)),
            result = driver.perform(entry.action.clone(), context) => result,
        };
        let outcome = entry.outcome(self.clock.now(), &result);
        if let Err(failure) = self.audit.append(&outcome).await {
            // The equipment has moved already: the caller must learn how, and the log how it ended.
            tracing::error!(%failure, ?outcome, "the outcome of a change is missing in the audit log");
        }
        Ok(result?)
    }
}

fn given_up(entry: &Entry) -> DriverError {
    let message = "the process was told to end before the outcome was known; read the state back";
    let address = entry.action.device();
    tracing::warn!(
        change = entry.id,
        driver = entry.driver,
        board = %address.board,
        device = %address.device,
        action = entry.action_name(),
        "{message}"
    );
    DriverError::new(Fault::Uncertain, message)
}
