//! One job and the way it is carried out: which target when, how often, and what is noted of it. It knows neither what
//! the targets are nor where jobs are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use opendcre_model::{BoardId, Fault};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::order::Target;
use super::record::{IdempotencyKey, JobId, JobRecord, SkipReason, StoredJob, TargetResult, TargetState};
use super::result::result_of;
use super::{Door, SubmitError};
use crate::{Command, GatewayError, Principal, StoreError};

/// The most targets of one job that are attended to at the same time.
pub(super) const PARALLEL: usize = 32;

/// For how long a target that is refused as busy is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shortest pause before a busy target is tried again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// A job that is carried out.
pub(super) struct Job {
    id: JobId,
    targets: usize,
    key: Option<IdempotencyKey>,
    record: Mutex<Arc<JobRecord>>,
    phase: watch::Sender<Phase>,
    /// Cancelled when nothing more may begin.
    ending: CancellationToken,
}

/// The life of a job.
#[derive(Debug, Clone)]
enum Phase {
    /// It is brought to the disk; nothing is sent before.
    Storing,
    /// It could not be brought to the disk, and is forgotten.
    Refused(StoreError),
    /// It is carried out.
    Running,
    /// It has ended.
    Finished,
}

impl Job {
    pub(super) fn new(record: JobRecord, key: Option<IdempotencyKey>) -> Self {
        Self {
            id: record.id,
            targets: record.results.len(),
            key,
            record: Mutex::new(Arc::new(record)),
            phase: watch::Sender::new(Phase::Storing),
            ending: CancellationToken::new(),
        }
    }

    pub(super) const fn id(&self) -> JobId {
        self.id
    }

    /// How many targets it has.
    pub(super) const fn targets(&self) -> usize {
        self.targets
    }

    pub(super) const fn key(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }

    /// What is known of it now.
    pub(super) fn record(&self) -> Arc<JobRecord> {
        Arc::clone(&self.locked())
    }

    /// What is known of it now, as the store keeps it.
    pub(super) fn stored(&self) -> StoredJob {
        StoredJob { record: JobRecord::clone(&self.record()), key: self.key.clone() }
    }

    /// Waits until it is on the disk, if it must be.
    pub(super) async fn admitted(&self) -> Result<(), SubmitError> {
        let mut phase = self.phase.subscribe();
        // It fails only without a sender, which `self` holds.
        match phase.wait_for(|phase| !matches!(phase, Phase::Storing)).await.as_deref() {
            Ok(Phase::Refused(failure)) => Err(SubmitError::StoreUnavailable(failure.clone())),
            _ => Ok(()),
        }
    }

    /// Waits until it has ended.
    pub(super) async fn finished(&self) {
        let mut phase = self.phase.subscribe();
        let has_ended = |phase: &Phase| matches!(phase, Phase::Finished | Phase::Refused(_));
        // It fails only without a sender, which `self` holds.
        let _ = phase.wait_for(has_ended).await;
    }

    pub(super) fn refuse(&self, failure: StoreError) {
        self.phase.send_replace(Phase::Refused(failure));
    }

    /// Replaces the record by the last one and tells whoever waits.
    pub(super) fn finish(&self, record: Arc<JobRecord>) {
        *self.locked() = record;
        self.phase.send_replace(Phase::Finished);
    }

    /// Lets nothing more begin. What runs goes on to its end.
    pub(super) fn end(&self, reason: SkipReason) {
        if matches!(*self.phase.borrow(), Phase::Storing | Phase::Running) {
            let mut record = self.locked();
            Arc::make_mut(&mut record).skip_waiting(reason);
            // While the record is locked: a busy target must not begin to wait again in between.
            self.ending.cancel();
        }
    }

    /// Attends to every target: several at the same time, those of one board one by one in their order.
    pub(super) async fn run(&self, door: &dyn Door, principal: &Principal, targets: Vec<Target>) {
        self.phase.send_replace(Phase::Running);
        let attend_to_board = |turns: Vec<(usize, Command)>| async move {
            for (index, command) in turns {
                self.attend(door, principal, index, command).await;
            }
        };
        stream::iter(by_board(targets)).for_each_concurrent(PARALLEL, attend_to_board).await;
    }

    /// Attends to one target. Only a target that was refused as busy, so that nothing was sent, is tried again.
    async fn attend(&self, door: &dyn Door, principal: &Principal, index: usize, command: Command) {
        let first = Instant::now();
        while self.begin(index) {
            let outcome = door.carry_out(principal, command.clone()).await.and_then(result_of);
            match pause(&outcome) {
                Some(pause) if first.elapsed() + pause <= PATIENCE && self.postpone(index) => {
                    let _ = self.ending.run_until_cancelled(sleep(pause)).await;
                }
                _ => {
                    self.change(index, |result| result.settle(outcome));
                }
            }
        }
    }

    /// Marks a target as running, unless it was skipped or attended to in the meantime.
    fn begin(&self, index: usize) -> bool {
        let begin = |result: &mut TargetResult| {
            let begins = result.state == TargetState::Waiting;
            if begins {
                result.state = TargetState::Running;
            }
            begins
        };
        self.change(index, begin).unwrap_or(false)
    }

    /// Marks a target as waiting again, unless nothing more may begin.
    fn postpone(&self, index: usize) -> bool {
        let postpone = |result: &mut TargetResult| {
            let goes_on = !self.ending.is_cancelled();
            if goes_on {
                result.state = TargetState::Waiting;
            }
            goes_on
        };
        self.change(index, postpone).unwrap_or(false)
    }

    fn change<T>(&self, index: usize, change: impl FnOnce(&mut TargetResult) -> T) -> Option<T> {
        let mut record = self.locked();
        // Copies the record only while somebody looks at the one before.
        Arc::make_mut(&mut record).results.get_mut(index).map(change)
    }

    fn locked(&self) -> MutexGuard<'_, Arc<JobRecord>> {
        // Every change of a record is complete in itself, so a panic elsewhere cannot have broken it.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a command that was refused as busy is worth another try.
fn pause<T>(outcome: &Result<T, GatewayError>) -> Option<Duration> {
    match outcome {
        Err(GatewayError::Driver(error)) => match error.fault {
            Fault::Busy { retry_after } => Some(retry_after.max(SHORTEST_PAUSE)),
            _ => None,
        },
        _ => None,
    }
}

/// The commands for each board with their places in the order, boards and commands in the order of the targets.
fn by_board(targets: Vec<Target>) -> Vec<Vec<(usize, Command)>> {
    let mut boards: Vec<Vec<(usize, Command)>> = Vec::new();
    let mut places: BTreeMap<BoardId, usize> = BTreeMap::new();
    for (index, target) in targets.into_iter().enumerate() {
        let place = *places.entry(target.board()).or_insert(boards.len());
        let turn = (index, target.into_command());
        match boards.get_mut(place) {
            Some(turns) => turns.push(turn),
            None => boards.push(vec![turn]),
        }
    }
    boards
}
