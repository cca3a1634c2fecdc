//! The jobs that are known: which are admitted, how much of them is remembered and for how long, and which request is
//! which job. It carries nothing out and does no I/O.
//!
//! What is remembered never keeps an order away: only what runs does. To make room, the jobs that ended first are
//! condensed, or forgotten if no young key stands for them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::record::{IdempotencyKey, JobId, JobRecord, JobState, Owner, StoredJob};
use super::run::Job;
use super::{Order, SubmitError, Submitted};

/// How long a key stands for its job at least, as far as there is room.
const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// When it is worth asking again while too much runs.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The bounds of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most jobs that run at the same time.
    pub(super) running: usize,
    /// The most finished jobs that are remembered in full.
    pub(super) finished: usize,
    /// The most condensed jobs. Each takes between half a kilobyte and a whole one, depending on the length of its key.
    pub(super) condensed: usize,
    /// The most targets of one order.
    pub(super) targets: usize,
    /// The most results of all jobs together. Each takes less than a kilobyte.
    pub(super) results: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { running: 64, finished: 1_000, condensed: 100_000, targets: 65_536, results: 200_000 }
    }
}

/// A job that is known.
pub(super) enum Known {
    /// One that is carried out, or about to be.
    Running(Arc<Job>),
    /// One that has ended.
    Finished(Arc<JobRecord>),
}

/// What became of a finished job to make room.
pub(super) enum Displaced {
    /// This is left of it.
    Condensed(Box<StoredJob>),
    /// Nothing is left of it.
    Forgotten(JobId),
}

/// A job that has ended.
struct Finished {
    record: Arc<JobRecord>,
    key: Option<IdempotencyKey>,
}

/// The jobs that are known.
#[derive(Default)]
pub(super) struct Table {
    limits: Limits,
    running: BTreeMap<JobId, Arc<Job>>,
    finished: HashMap<JobId, Finished>,
    /// The finished jobs that are remembered in full, in the order in which they ended.
    full: VecDeque<JobId>,
    /// The finished jobs that are condensed, in the order in which they ended.
    condensed: VecDeque<JobId>,
    /// Which job the key of somebody stands for.
    keys: HashMap<(Owner, String), JobId>,
    last: Option<JobId>,
    is_closed: bool,
}

impl Known {
    pub(super) fn record(&self) -> Arc<JobRecord> {
        match self {
            Self::Running(job) => job.record(),
            Self::Finished(record) => Arc::clone(record),
        }
    }

    /// What its client is told, as soon as it is on the disk, if it must be.
    pub(super) async fn submitted(self, replayed: bool) -> Result<Submitted, SubmitError> {
        if let Self::Running(job) = &self {
            job.admitted().await?;
        }
        Ok(Submitted { job: self.record(), replayed })
    }
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes up a finished job of an earlier run of the service. Those that ended first come first.
    pub(super) fn restore(&mut self, StoredJob { record, key }: StoredJob) {
        self.name(record.id, record.owner(), key.as_ref());
        self.remember(Arc::new(record), key);
    }

    /// What is known of every job, newest first.
    pub(super) fn records(&self) -> Vec<Arc<JobRecord>> {
        let running = self.running.values().map(|job| job.record());
        let finished = self.finished.values().map(|job| Arc::clone(&job.record));
        let mut records: Vec<_> = running.chain(finished).collect();
        records.sort_unstable_by_key(|job| Reverse(job.id));
        records
    }

    /// Every job that has not ended.
    pub(super) fn running(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.running.values()
    }

    pub(super) fn get(&self, id: JobId) -> Option<Known> {
        let running = self.running.get(&id).map(|job| Known::Running(Arc::clone(job)));
        running.or_else(|| self.finished.get(&id).map(|job| Known::Finished(Arc::clone(&job.record))))
    }

    /// The job for which `key` of `owner` stands.
    pub(super) fn find(&self, owner: Owner, key: &IdempotencyKey) -> Result<Option<Known>, SubmitError> {
        let Some(&id) = self.keys.get(&(owner, key.key.clone())) else { return Ok(None) };
        let known = match self.running.get(&id) {
            Some(job) => job.key(),
            None => self.finished.get(&id).and_then(|job| job.key.as_ref()),
        };
        if known.is_some_and(|known| known.fingerprint == key.fingerprint) {
            Ok(self.get(id))
        } else {
            Err(SubmitError::IdempotencyMismatch { job: id })
        }
    }

    /// Takes up a new job, and tells what made room for it.
    pub(super) fn add(
        &mut self,
        owner: Owner,
        order: &Order,
        key: Option<IdempotencyKey>,
        now: Timestamp,
    ) -> Result<(Arc<Job>, Vec<Displaced>), SubmitError> {
        self.check(order.targets.len())?;
        let displaced = self.make_room(order.targets.len(), now);
        let id = JobId::after(self.last, now);
        self.name(id, owner.clone(), key.as_ref());
        let record = JobRecord {
            id,
            kind: order.kind,
            request: order.request.clone(),
            principal: owner.name,
            login: owner.login,
            provider: owner.provider,
            state: JobState::Running,
            created: now,
            finished: None,
            results: order.results(),
            condensed: None,
        };
        let job = Arc::new(Job::new(record, key));
        self.running.insert(id, Arc::clone(&job));
        Ok((job, displaced))
    }

    /// Forgets a running job that must not begin.
    pub(super) fn remove(&mut self, id: JobId) {
        if let Some(job) = self.running.remove(&id) {
            self.unname(id, job.record().owner(), job.key());
        }
    }

    /// Notes the last record of a running job.
    pub(super) fn finish(&mut self, record: Arc<JobRecord>) {
        if let Some(job) = self.running.remove(&record.id) {
            self.remember(record, job.key().cloned());
        }
    }

    /// Refuses new jobs from now on.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Makes room for `targets` results more, and tells how.
    pub(super) fn make_room(&mut self, targets: usize, now: Timestamp) -> Vec<Displaced> {
        let full = self.full.iter().filter_map(|id| self.finished.get(id));
        let mut results: usize = full.map(|job| job.record.results.len()).sum();
        results = results.saturating_add(self.running_targets()).saturating_add(targets);
        let mut displaced = Vec::new();
        while self.full.len() > self.limits.finished || results > self.limits.results {
            let Some(job) = self.full.pop_front().and_then(|id| self.finished.remove(&id)) else { break };
            results = results.saturating_sub(job.record.results.len());
            displaced.push(self.displace(job, now));
        }
        while let Some(job) = self.condensed.front().and_then(|id| self.finished.get(id)) {
            if self.condensed.len() <= self.limits.condensed && job.has_young_key(now) {
                break;
            }
            let forgotten = self.condensed.pop_front().and_then(|id| self.finished.remove(&id));
            displaced.extend(forgotten.map(|job| self.forget(&job)));
        }
        displaced
    }

    /// Condenses a job if its key must be remembered, otherwise forgets it.
    fn displace(&mut self, job: Finished, now: Timestamp) -> Displaced {
        if !job.has_young_key(now) {
            return self.forget(&job);
        }
        let stored = StoredJob { record: job.record.condense(), key: job.key };
        self.remember(Arc::new(stored.record.clone()), stored.key.clone());
        Displaced::Condensed(Box::new(stored))
    }

    fn forget(&mut self, Finished { record, key }: &Finished) -> Displaced {
        self.unname(record.id, record.owner(), key.as_ref());
        Displaced::Forgotten(record.id)
    }

    fn remember(&mut self, record: Arc<JobRecord>, key: Option<IdempotencyKey>) {
        let queue = if record.condensed.is_some() { &mut self.condensed } else { &mut self.full };
        queue.push_back(record.id);
        self.finished.insert(record.id, Finished { record, key });
    }

    fn name(&mut self, id: JobId, owner: Owner, key: Option<&IdempotencyKey>) {
        self.last = self.last.max(Some(id));
        if let Some(IdempotencyKey { key, .. }) = key {
            self.keys.insert((owner, key.clone()), id);
        }
    }

    fn unname(&mut self, id: JobId, owner: Owner, key: Option<&IdempotencyKey>) {
        let name = key.map(|key| (owner, key.key.clone()));
        // A key that was forgotten on a disk that could not be written may stand for a later job by now.
        if let Some(name) = name.filter(|name| self.keys.get(name) == Some(&id)) {
            self.keys.remove(&name);
        }
    }

    fn check(&self, targets: usize) -> Result<(), SubmitError> {
        let limits = &self.limits;
        if self.is_closed {
            return Err(SubmitError::ShuttingDown);
        }
        if targets > limits.targets {
            return Err(SubmitError::TooManyTargets { targets, most: limits.targets });
        }
        if self.running.len() >= limits.running {
            return Err(SubmitError::Busy { reason: "too many jobs are running", retry_after: RETRY_AFTER });
        }
        if self.running_targets().saturating_add(targets) > limits.results {
            let reason = "the jobs that are running have too many targets";
            return Err(SubmitError::Busy { reason, retry_after: RETRY_AFTER });
        }
        Ok(())
    }

    fn running_targets(&self) -> usize {
        self.running().map(|job| job.targets()).sum()
    }
}

impl Finished {
    /// Whether it has a key that should not be forgotten. One from the future is young: the clock was set back.
    fn has_young_key(&self, now: Timestamp) -> bool {
        self.key.is_some() && now.duration_since(self.record.created) < KEY_LIFETIME
    }
}
