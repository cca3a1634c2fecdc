//! The door itself: every command passes it, on its way to the equipment and back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{
    Action, BoardId, Context, Driver, DriverError, Fault, Observation, Priority, Query, WallClock,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::AuditLog;
use crate::command::{Command, Outcome};
use crate::credential::Credentials;
use crate::event::audit::audited;
use crate::event::service;
use crate::intake::Intake;
use crate::inventory::Inventory;
use crate::job::Jobs;
use crate::journal::Entry;
use crate::latest::{Latest, LatestTable};
use crate::look::Depth;
use crate::mount::{Equipment, Mounted};
use crate::poll::Polls;
use crate::readiness::{Defect, Mode, Part, Readiness};
use crate::settings::Settings;
use crate::store::{Store, Stored};
use crate::{BoardRecord, GatewayError, Policy, Principal, Records};

/// How long [`Gateway::give_up`] waits for the disk.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// The application. Clones are the same door.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
    pub(crate) credentials: Option<Arc<dyn Credentials>>,
}

pub(crate) struct Inner {
    pub(crate) mounts: Vec<Mounted>,
    mode: Mode,
    defects: Vec<Defect>,
    pub(crate) parts: RwLock<Vec<Arc<dyn Part>>>,
    pub(crate) inventory: RwLock<Inventory>,
    pub(crate) latest: LatestTable,
    pub(crate) store: Option<Store>,
    pub(crate) jobs: Jobs,
    pub(crate) polls: Polls,
    pub(crate) intake: Intake,
    pub(crate) last_look: Mutex<Option<LastLook>>,
    /// Wakes whoever waits for a change of the inventory.
    pub(crate) news: Notify,
    pub(crate) audit: AuditLog,
    policy: RwLock<Arc<Policy>>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) settings: Settings,
    /// Changes that must run to their end; closed when the service stops.
    actions: TaskTracker,
    /// Cancelled when the process ends before they have.
    given_up: CancellationToken,
    /// Together with the time of start they make the ids of the audit log.
    changes: AtomicU64,
    started: Timestamp,
}

/// When everything was looked for last.
#[derive(Debug, Clone)]
pub(crate) struct LastLook {
    pub(crate) at: Instant,
    /// The drivers that failed then.
    pub(crate) failures: Vec<(String, DriverError)>,
}

// === impl Gateway ===

impl Gateway {
    /// A door to `equipment`, where `policy` decides who may do what. What happens is kept in `records`.
    #[must_use]
    pub fn new(
        equipment: Equipment,
        records: Records,
        policy: Policy,
        clock: Arc<dyn WallClock>,
        settings: Settings,
    ) -> Self {
        let Equipment { mounts, mode, groups, defects, thresholds } = equipment;
        let Records { audit, store, history, events } = records;
        let (store, stored) = store.unzip();
        let Stored { boards, changes, jobs, log_marks } = stored.unwrap_or_default();
        let started = clock.now();
        let inventory = Inventory::new(&mounts, groups, boards, changes, started);
        if let Some(events) = events.clone() {
            audit.tell(move |refused| audited(refused).into_iter().for_each(|event| events.publish(event)));
        }
        let intake = Intake::new(history, events, thresholds, inventory.records());
        intake.tails.recall(log_marks);
        intake.publish(service::started(env!("CARGO_PKG_VERSION"), mode));
        defects.iter().for_each(|defect| intake.publish(service::degraded(defect)));
        let inner = Inner {
            mounts: mounts.iter().map(Mounted::from).collect(),
            mode,
            defects,
            parts: RwLock::default(),
            inventory: RwLock::new(inventory),
            latest: LatestTable::default(),
            jobs: Jobs::new(jobs, store.clone(), Arc::clone(&clock)),
            polls: Polls::default(),
            intake,
            store,
            last_look: Mutex::default(),
            news: Notify::new(),
            audit,
            policy: RwLock::new(Arc::new(policy)),
            clock,
            settings,
            actions: TaskTracker::new(),
            given_up: CancellationToken::new(),
            changes: AtomicU64::new(0),
            started,
        };
        Self { inner: Arc::new(inner), credentials: None }
    }

    /// Carries out `command` for `principal`.
    ///
    /// Dropping the future abandons a scan or a query. A change that has begun runs to its end and is recorded
    /// all the same; at most [`crate::Mount::max_changes`] run at a time.
    ///
    /// # Errors
    /// Every [`GatewayError`].
    pub async fn execute(&self, principal: &Principal, command: Command) -> Result<Outcome, GatewayError> {
        // Before the board is looked for, because looking for it may already ask the wires.
        self.authorise(principal, &command)?;
        let context = self.context(&command);
        let told = |findings| self.told(&principal.subject, findings).map(Outcome::Scan);
        match command {
            Command::List(scope) => self.list(scope, context).await.and_then(told),
            Command::Scan(scope) => self.look(scope, Depth::Buses, context).await.and_then(told),
            Command::Refresh(scope) => self.look(scope, Depth::Everything, context).await.and_then(told),
            Command::Query(query) => {
                let latest = self.ask(query, context).await?;
                Ok(Outcome::Observation(Observation::clone(&latest.observation)))
            }
            Command::Action(action) => {
                self.change(principal, action, context).await.map(Outcome::Observation)
            }
        }
    }

    /// Lets `policy` decide from now on.
    pub fn replace_policy(&self, policy: Policy) {
        *self.inner.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.inner.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells those who watch over the service what is amiss of `part`, too, and what it delivers.
    pub fn watch_over(&self, part: Arc<dyn Part>) {
        self.inner.parts.write().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    /// Tells those who listen to events of a defect that has come up since the start.
    pub fn tell_of(&self, defect: &Defect) {
        self.inner.intake.publish(service::degraded(defect));
    }

    /// Whether what is served is real.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.inner.mode
    }

    /// How many boards are known.
    #[must_use]
    pub fn board_count(&self) -> usize {
        self.inventory().records().count()
    }

    /// Whether every change is refused.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.inner.settings.read_only
    }

    /// Whether the service is stopping.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.actions.is_closed()
    }

    /// Whether commands can be carried out now, for those who watch over the service. Does no I/O.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let driver = |mount: &Mounted| (mount.driver.name().to_owned(), mount.driver.health());
        let mut defects = self.inner.defects.clone();
        if let Some(Err(message)) = self.inner.store.as_ref().map(Store::health) {
            defects.push(Defect { name: "inventory.file".to_owned(), code: "store_unavailable", message });
        }
        defects.extend(self.inner.intake.defects());
        if let Err(failure) = self.inner.audit.health() {
            let message = format!("{failure}; until then, every change is refused");
            defects.push(Defect { name: "audit.file".to_owned(), code: "audit_unavailable", message });
        }
        let parts = self.inner.parts.read().unwrap_or_else(PoisonError::into_inner);
        defects.extend(parts.iter().flat_map(|part| part.defects()));
        Readiness {
            mode: self.inner.mode,
            shutting_down: self.is_closed(),
            drivers: self.inner.mounts.iter().map(driver).collect(),
            defects,
        }
    }

    /// Refuses commands from now on and returns when every change that has begun is finished and recorded.
    pub async fn shutdown(&self) {
        self.inner.actions.close();
        self.inner.jobs.shutdown().await;
        self.inner.actions.wait().await;
        self.inner.news.notify_waiters();
        self.inner.intake.publish(service::stopped());
        self.save_everything().await;
        self.inner.intake.close().await;
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

    /// The answer to one question, which may be the latest one if that is younger than `max_age`.
    ///
    /// # Errors
    /// As [`Gateway::execute`].
    pub async fn read(
        &self,
        principal: &Principal,
        query: Query,
        max_age: Duration,
    ) -> Result<Latest, GatewayError> {
        let command = Command::Query(query);
        self.authorise(principal, &command)?;
        match self.inner.latest.get(&query, max_age, Instant::now()) {
            Some(latest) => Ok(latest),
            None => self.ask(query, self.context(&command)).await,
        }
    }

    /// What `command` may cost that is given now.
    pub(crate) fn context(&self, command: &Command) -> Context {
        let settings = &self.inner.settings;
        let (priority, timeout) = match command {
            Command::List(_) | Command::Scan(_) | Command::Refresh(_) => {
                (Priority::Scan, settings.scan_timeout)
            }
            Command::Query(_) => (Priority::Read, settings.read_timeout),
            Command::Action(_) => (Priority::Control, settings.control_timeout),
        };
        Context { deadline: (Instant::now() + timeout).into_std(), priority }
    }

    pub(crate) async fn ask(&self, query: Query, context: Context) -> Result<Latest, GatewayError> {
        let (observation, record) = self.ask_equipment(query, context).await?;
        // Within one lock, so that what another machine said is not kept after it has been forgotten.
        let inventory = self.inventory();
        if let (Some(before), Some(now)) = (&record, inventory.board(query.board()))
            && !before.is_same_machine(now)
        {
            return Err(GatewayError::Displaced(query.board()));
        }
        let latest = self.inner.latest.put(query, observation, self.inner.clock.now());
        if let Some(record) = &record {
            self.inner.intake.take(record, &query, &latest);
        }
        Ok(latest)
    }

    /// What the equipment says now, and the board as it was known before.
    pub(crate) async fn ask_equipment(
        &self,
        query: Query,
        context: Context,
    ) -> Result<(Observation, Option<Arc<BoardRecord>>), GatewayError> {
        let board = query.board();
        let record = self.record(board);
        let (driver, place) = self.resolve(board, context).await?;
        Ok((driver.read(query.at(place), context).await?, record))
    }

    async fn change(
        &self,
        principal: &Principal,
        action: Action,
        context: Context,
    ) -> Result<Observation, GatewayError> {
        let device = action.device();
        self.verify(device.board, context).await?;
        let (driver, place, permit) = self.reserve(device.board, context).await?;
        // The token first, the question second: in this order `shutdown` either refuses this change or waits.
        let token = self.inner.actions.token();
        if self.inner.actions.is_closed() {
            return Err(GatewayError::ShuttingDown);
        }
        let entry = self.entry(principal, &*driver, action);
        let inner = Arc::clone(&self.inner);
        let task = async move {
            inner.latest.forget_device(device);
            let result = inner.carry_out(&entry, &*driver, place, context).await;
            inner.latest.forget_device(device);
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
        let record = self.inventory().board(action.device().board).cloned();
        Entry {
            id: format!("{:x}-{number}", self.inner.started.as_nanosecond()),
            principal: principal.clone(),
            driver: driver.name().to_owned(),
            identity: record.as_ref().and_then(|board| board.identity.clone()),
            name_and_rack: record.map(|board| (board.name.clone(), board.rack.clone())),
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
        place: BoardId,
        context: Context,
    ) -> Result<Observation, GatewayError> {
        let intent = entry.intent(self.clock.now());
        self.audit.append(&intent).await.map_err(GatewayError::AuditUnavailable)?;
        self.intake.take_order(&entry.action);
        let result = tokio::select! {
            biased;
            () = self.given_up.cancelled() => Err(given_up(entry)),
            result = driver.perform(entry.action.clone().at(place), context) => result,
        };
        let outcome = entry.outcome(self.clock.now(), &result);
        self.intake.take_outcome(&outcome);
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
