//! Jobs: changes of many devices as one order, each through the one door.
//!
//! A job is on the disk before its first target is attended to, and again when it has ended, but not in between. So after
//! a crash it is unknown what came of the targets of a job that ran, and that is what is said of them. Nothing is taken
//! up again by itself.
//!
//! An order with an idempotency key is carried out at most once, also over restarts: it is refused if it cannot be
//! brought to the disk. Without a key it is carried out all the same. Keys are kept for a day, or as long as there is room
//! for 100,000. This module knows neither equipment nor HTTP.

mod order;
mod record;
mod result;
mod run;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{BoardId, BoxFuture, Capability, DeviceAddress, WallClock};
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub use order::{JobAction, Order};
pub use record::{
    IdempotencyKey, JobCounts, JobId, JobIdError, JobKind, JobRecord, JobState, StoredJob, TargetResult,
    TargetState,
};
pub use result::result;

use crate::{Command, GatewayError, Outcome, Principal, Store, StoreError};
use order::Target;
use record::{Owner, SkipReason};
use run::Job;
use table::{Displaced, Known, Limits, Table};

/// Whatever carries out one command, at most once.
pub(crate) trait Door: Send + Sync {
    /// Carries out `command` for `principal`.
    fn carry_out<'a>(
        &'a self,
        principal: &'a Principal,
        command: Command,
    ) -> BoxFuture<'a, Result<Outcome, GatewayError>>;
}

/// Why an order was not taken up. Nothing was sent.
#[derive(Debug, Clone, Error)]
pub enum SubmitError {
    /// Policy does not permit it.
    #[error("{principal} may not do this: {reason}; nothing was sent")]
    Forbidden {
        /// Who asked.
        principal: String,
        /// Why not.
        reason: &'static str,
    },
    /// No target can do it, whatever else is going on.
    #[error("none of the devices that are meant has the capability {0}; nothing was sent")]
    Unsupported(Capability),
    /// There is no such board, or not for whoever asks.
    #[error("there is no board {0}; correct the id, or the configuration; nothing was sent")]
    UnknownBoard(BoardId),
    /// There is no such device, or not for whoever asks.
    #[error("there is no {0}; the devices of a board are shown with it; nothing was sent")]
    UnknownDevice(DeviceAddress),
    /// The key stands for another request.
    #[error("this idempotency key was used for another request, job {job}; use a new key; nothing was sent")]
    IdempotencyMismatch {
        /// The job for which it stands.
        job: JobId,
    },
    /// The order has a key, and cannot be brought to the disk.
    #[error("nothing was sent, because the request cannot be remembered with its idempotency key: {0}")]
    StoreUnavailable(StoreError),
    /// Too much runs already.
    #[error("{reason}; nothing was sent, ask again later")]
    Busy {
        /// What there is too much of.
        reason: &'static str,
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The order is too large, whatever else is going on.
    #[error(
        "{targets} targets are too many for one order, which may have {most}; divide it; nothing was sent"
    )]
    TooManyTargets {
        /// How many it has.
        targets: usize,
        /// How many it may have.
        most: usize,
    },
    /// The service is stopping.
    #[error("the service is shutting down; ask again when it is back")]
    ShuttingDown,
}

impl SubmitError {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "forbidden",
            Self::Unsupported(_) => "unsupported",
            Self::UnknownBoard(_) => "unknown_board",
            Self::UnknownDevice(_) => "unknown_device",
            Self::IdempotencyMismatch { .. } => "idempotency_mismatch",
            Self::StoreUnavailable(_) => "store_unavailable",
            Self::Busy { .. } => "busy",
            Self::TooManyTargets { .. } => "too_many_targets",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

/// An order that was taken up.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The job, as far as it is.
    pub job: Arc<JobRecord>,
    /// The same order was taken up before: this is the job of that time.
    pub replayed: bool,
}

/// The jobs of the service. Clones are the same jobs.
#[derive(Clone)]
pub(crate) struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    table: Mutex<Table>,
    /// Without a store, jobs and keys are remembered as long as the process lives.
    store: Option<Store>,
    clock: Arc<dyn WallClock>,
    tasks: TaskTracker,
}

impl Jobs {
    /// The jobs that `store` kept, and room for more. Those that were not finished are interrupted.
    pub(crate) fn new(kept: Vec<StoredJob>, store: Option<Store>, clock: Arc<dyn WallClock>) -> Self {
        Self::with_limits(Limits::default(), kept, store, clock)
    }

    fn with_limits(
        limits: Limits,
        mut kept: Vec<StoredJob>,
        store: Option<Store>,
        clock: Arc<dyn WallClock>,
    ) -> Self {
        let now = clock.now();
        for job in kept.iter_mut().filter(|job| job.record.finished.is_none()) {
            job.record.break_off(now);
            if let Some(store) = &store {
                store.keep_job(job.clone());
            }
        }
        kept.sort_by_key(|job| job.record.finished);
        let mut table = Table::new(limits);
        kept.into_iter().for_each(|job| table.restore(job));
        let displaced = table.make_room(0, now);
        let tasks = TaskTracker::new();
        let jobs = Self { inner: Arc::new(Inner { table: Mutex::new(table), store, clock, tasks }) };
        jobs.note(displaced);
        jobs
    }

    /// Takes up an order for `principal`, to be carried out through `door`, or finds the job for which `key` stands.
    /// Returns before the first target is finished. Dropping the future leaves the job alone.
    ///
    /// # Errors
    /// Every [`SubmitError`].
    pub(crate) async fn submit(
        &self,
        door: Arc<dyn Door>,
        principal: &Principal,
        order: Order,
        key: Option<IdempotencyKey>,
    ) -> Result<Submitted, SubmitError> {
        let (known, replayed) = self.take_up(door, principal, order, key)?;
        known.submitted(replayed).await
    }

    /// The job for which `key` of `principal` stands; nothing if there is none, or not any more.
    ///
    /// # Errors
    /// [`SubmitError::IdempotencyMismatch`] and [`SubmitError::StoreUnavailable`].
    pub(crate) async fn replayed(
        &self,
        principal: &Principal,
        key: &IdempotencyKey,
    ) -> Result<Option<Submitted>, SubmitError> {
        let known = self.table().find(Owner::from(&*principal.subject), key)?;
        match known {
            Some(known) => known.submitted(true).await.map(Some),
            None => Ok(None),
        }
    }

    /// What is known of a job; nothing if there is none, or not any more.
    pub(crate) fn get(&self, id: JobId) -> Option<Arc<JobRecord>> {
        self.known(id).map(|known| known.record())
    }

    /// Every job that is known, newest first.
    pub(crate) fn list(&self) -> Vec<Arc<JobRecord>> {
        self.table().records()
    }

    /// Skips every target of a job that has not begun; what runs is finished. What is known of the job then; nothing if
    /// there is none.
    pub(crate) fn abort(&self, id: JobId) -> Option<Arc<JobRecord>> {
        let known = self.known(id)?;
        if let Known::Running(job) = &known {
            job.end(SkipReason::Aborted);
        }
        Some(known.record())
    }

    /// What is known of a job when it has ended, or when `within` is over; nothing if there is none.
    pub(crate) async fn wait(&self, id: JobId, within: Duration) -> Option<Arc<JobRecord>> {
        let known = self.known(id)?;
        if let Known::Running(job) = &known {
            // What is known after the time is as good an answer.
            let _ = timeout(within, job.finished()).await;
        }
        Some(known.record())
    }

    /// Refuses orders from now on, skips what has not begun, and returns when everything that runs has ended.
    pub(crate) async fn shutdown(&self) {
        {
            let mut table = self.table();
            table.close();
            table.running().for_each(|job| job.end(SkipReason::ShuttingDown));
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// The job of an order, and whether it was there before. A new one begins.
    fn take_up(
        &self,
        door: Arc<dyn Door>,
        principal: &Principal,
        order: Order,
        key: Option<IdempotencyKey>,
    ) -> Result<(Known, bool), SubmitError> {
        let now = self.inner.clock.now();
        let owner = Owner::from(&*principal.subject);
        let mut table = self.table();
        if let Some(key) = &key
            && let Some(known) = table.find(owner.clone(), key)?
        {
            return Ok((known, true));
        }
        let (job, displaced) = table.add(owner, &order, key, now)?;
        self.note(displaced);
        let oversee = self.clone().oversee(Arc::clone(&job), door, principal.clone(), order.targets);
        // While the table is locked: `shutdown` closes it, then waits for every task.
        self.inner.tasks.spawn(oversee);
        Ok((Known::Running(job), false))
    }

    /// Lets the store know what is left of jobs that made room.
    fn note(&self, displaced: Vec<Displaced>) {
        let Some(store) = &self.inner.store else { return };
        for job in displaced {
            match job {
                Displaced::Condensed(job) => store.keep_job(*job),
                Displaced::Forgotten(id) => store.remove_jobs([id]),
            }
        }
    }

    /// Brings a job to the disk, carries it out, and brings to the disk how it ended.
    async fn oversee(self, job: Arc<Job>, door: Arc<dyn Door>, principal: Principal, targets: Vec<Target>) {
        if let Err(failure) = self.store(job.stored()).await {
            if job.key().is_some() {
                self.refuse(&job, failure);
                return;
            }
            tracing::warn!(job = %job.id(), %failure, "a job is carried out although it cannot be remembered");
        }
        // A task of its own, so that a defect does not leave a job behind that never ends.
        let run = {
            let job = Arc::clone(&job);
            self.inner.tasks.spawn(async move { job.run(&*door, &principal, targets).await })
        };
        let end = match run.await {
            Ok(()) => JobRecord::finish,
            Err(failure) => {
                tracing::error!(job = %job.id(), %failure, "a job was broken off");
                JobRecord::break_off
            }
        };
        self.finish(&job, end).await;
    }

    async fn finish(&self, job: &Job, end: fn(&mut JobRecord, Timestamp)) {
        let mut stored = job.stored();
        end(&mut stored.record, self.inner.clock.now());
        let record = Arc::new(stored.record.clone());
        if let Err(failure) = self.store(stored).await {
            tracing::warn!(job = %job.id(), %failure, "the end of a job is not on the disk yet");
        }
        // First the table: who waits for the end finds room for the next job then.
        self.table().finish(Arc::clone(&record));
        job.finish(record);
    }

    /// Forgets a job that must not begin.
    fn refuse(&self, job: &Job, failure: StoreError) {
        self.table().remove(job.id());
        self.note(vec![Displaced::Forgotten(job.id())]);
        job.refuse(failure);
    }

    async fn store(&self, job: StoredJob) -> Result<(), StoreError> {
        match &self.inner.store {
            Some(store) => store.save_job(job).await,
            None => Ok(()),
        }
    }

    fn known(&self, id: JobId) -> Option<Known> {
        self.table().get(id)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change of the table is complete in itself, so a panic elsewhere cannot have broken it.
        self.inner.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
