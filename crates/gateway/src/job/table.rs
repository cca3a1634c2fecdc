//! The jobs that are known: which are admitted, how long they are remembered, and which request is which job. It carries
//! nothing out and does no I/O.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::record::{IdempotencyKey, JobId, JobRecord, JobState, StoredJob};
use super::run::Job;
use super::{Order, SubmitError};

/// How long a key stands for its job at least.
const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// When it is worth asking again while jobs run.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The bounds of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most jobs that run at the same time.
    pub(super) running: usize,
    /// The most finished jobs that are remembered besides those whose key is young.
    pub(super) finished: usize,
    /// The most jobs with a young key.
    pub(super) keys: usize,
    /// The most targets of one order.
    pub(super) targets: usize,
    /// The most results of all jobs together. Each takes less than a kilobyte.
    pub(super) results: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { running: 64, finished: 1_000, keys: 10_000, targets: 65_536, results: 200_000 }
    }
}

/// The jobs that are known.
#[derive(Default)]
pub(super) struct Table {
    limits: Limits,
    jobs: BTreeMap<JobId, Arc<Job>>,
    /// Which job the key of a principal stands for.
    keys: HashMap<(String, String), JobId>,
    last: Option<JobId>,
    is_closed: bool,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes up a job of an earlier run of the service.
    pub(super) fn restore(&mut self, StoredJob { record, key }: StoredJob) {
        self.insert(Arc::new(record), key);
    }

    /// Every job, oldest first.
    pub(super) fn jobs(&self) -> impl DoubleEndedIterator<Item = &Arc<Job>> {
        self.jobs.values()
    }

    pub(super) fn get(&self, id: JobId) -> Option<Arc<Job>> {
        self.jobs.get(&id).cloned()
    }

    /// The job for which `key` of `principal` stands.
    pub(super) fn find(
        &self,
        principal: &str,
        key: &IdempotencyKey,
    ) -> Result<Option<Arc<Job>>, SubmitError> {
        let name = (principal.to_owned(), key.key.clone());
        let Some(job) = self.keys.get(&name).and_then(|id| self.jobs.get(id)) else { return Ok(None) };
        if job.key().is_some_and(|known| known.fingerprint == key.fingerprint) {
            Ok(Some(Arc::clone(job)))
        } else {
            Err(SubmitError::IdempotencyMismatch { job: job.id() })
        }
    }

    /// Takes up a new job, for which there must be room.
    pub(super) fn add(
        &mut self,
        principal: &str,
        order: &Order,
        key: Option<IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Arc<Job>, SubmitError> {
        self.check(order.targets.len(), key.is_some(), now)?;
        let record = JobRecord {
            id: JobId::after(self.last, now),
            kind: order.kind,
            request: order.request.clone(),
            principal: principal.to_owned(),
            state: JobState::Running,
            created: now,
            finished: None,
            results: order.results(),
        };
        Ok(self.insert(Arc::new(record), key))
    }

    pub(super) fn remove(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else { return };
        if let Some(name) = key_name(&job) {
            self.keys.remove(&name);
        }
    }

    /// Refuses new jobs from now on.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Forgets old jobs, as far as the bounds demand it of a table that shall take `targets` more, and names them.
    pub(super) fn forget(&mut self, targets: usize, now: Timestamp) -> Vec<JobId> {
        let forgettable: Vec<(JobId, usize)> = self
            .jobs()
            .filter(|job| !job.is_running() && !has_young_key(job, now))
            .map(|job| (job.id(), job.targets()))
            .collect();
        let mut jobs = forgettable.len();
        let mut results = self.results().saturating_add(targets);
        let mut forgotten = Vec::new();
        for (id, targets) in forgettable {
            if jobs <= self.limits.finished && results <= self.limits.results {
                break;
            }
            jobs -= 1;
            results -= targets;
            self.remove(id);
            forgotten.push(id);
        }
        forgotten
    }

    fn insert(&mut self, record: Arc<JobRecord>, key: Option<IdempotencyKey>) -> Arc<Job> {
        let job = Arc::new(Job::new(record, key));
        if let Some(name) = key_name(&job) {
            self.keys.insert(name, job.id());
        }
        self.last = self.last.max(Some(job.id()));
        self.jobs.insert(job.id(), Arc::clone(&job));
        job
    }

    fn check(&self, targets: usize, has_key: bool, now: Timestamp) -> Result<(), SubmitError> {
        let limits = &self.limits;
        if self.is_closed {
            return Err(SubmitError::ShuttingDown);
        }
        if targets > limits.targets {
            return Err(SubmitError::TooManyTargets { targets, most: limits.targets });
        }
        if self.jobs().filter(|job| job.is_running()).count() >= limits.running {
            return Err(SubmitError::Busy { reason: "too many jobs are running", retry_after: RETRY_AFTER });
        }
        if has_key && self.jobs().filter(|job| has_young_key(job, now)).count() >= limits.keys {
            let reason = "too many idempotency keys were used within a day";
            return Err(SubmitError::Busy { reason, retry_after: self.next_room(now) });
        }
        if self.results().saturating_add(targets) > limits.results {
            let reason = "the jobs of the last day have too many targets to remember more";
            return Err(SubmitError::Busy { reason, retry_after: self.next_room(now) });
        }
        Ok(())
    }

    fn results(&self) -> usize {
        self.jobs().map(|job| job.targets()).sum()
    }

    /// When the oldest young key is old, and its job may be forgotten.
    fn next_room(&self, now: Timestamp) -> Duration {
        let oldest = self.jobs().find(|job| has_young_key(job, now));
        let left = oldest.map(|job| KEY_LIFETIME - now.duration_since(job.created()));
        left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default().max(RETRY_AFTER)
    }
}

/// Whether a job has a key that must not be forgotten. One from the future is young: the clock was set back.
fn has_young_key(job: &Job, now: Timestamp) -> bool {
    job.key().is_some() && now.duration_since(job.created()) < KEY_LIFETIME
}

fn key_name(job: &Job) -> Option<(String, String)> {
    let key = job.key()?;
    Some((job.record().principal.clone(), key.key.clone()))
}
