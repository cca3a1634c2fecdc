//! Orders for many devices, carried out as jobs through the one door.

use std::sync::Arc;
use std::time::Duration;

use opendcre_model::{BoxFuture, DeviceAddress};

use crate::authorise::demand;
use crate::command::{Command, Outcome};
use crate::gateway::Gateway;
use crate::job::{Door, IdempotencyKey, JobId, JobRecord, Order, SubmitError, Submitted, TargetResult};
use crate::policy::{Reach, Verb};
use crate::view::View;
use crate::{GatewayError, Principal};

/// Why somebody may not abort a job.
const NOT_THEIRS: &str = "none of their roles permits to do this to everything that the job is about";

impl Door for Gateway {
    fn carry_out<'a>(
        &'a self,
        principal: &'a Principal,
        command: Command,
    ) -> BoxFuture<'a, Result<Outcome, GatewayError>> {
        Box::pin(async move {
            // The job may outlive what it was ordered with; what the policy says now is asked by `execute`.
            let (verb, target) = demand(&command);
            self.confirm(principal, verb, &target.describe()).await?;
            self.execute(principal, command).await
        })
    }
}

impl Gateway {
    /// Takes up an order for many devices, or finds the job for which `key` stands. Returns before the first of them is
    /// finished. An order of which the principal may not do a part is refused as a whole, and so is one that no target can
    /// do; if some can, the others fail one by one.
    ///
    /// # Errors
    /// Every [`SubmitError`]; nothing was sent then.
    pub async fn submit(
        &self,
        principal: &Principal,
        order: Order,
        key: Option<IdempotencyKey>,
    ) -> Result<Submitted, SubmitError> {
        self.authorise_all(principal, order.commands()).map_err(refusal)?;
        if let Some(capability) = order.lacks() {
            return Err(SubmitError::Unsupported(capability));
        }
        self.inner.jobs.submit(Arc::new(self.clone()), principal, order, key).await
    }

    /// The job for which `key` of `principal` stands, so that nothing needs to be looked for in order to find it; nothing
    /// if there is none, or not any more.
    ///
    /// # Errors
    /// [`SubmitError::IdempotencyMismatch`] and [`SubmitError::StoreUnavailable`]; nothing was sent then.
    pub async fn replayed(
        &self,
        principal: &Principal,
        key: &IdempotencyKey,
    ) -> Result<Option<Submitted>, SubmitError> {
        if !self.may_look(principal) {
            return Ok(None);
        }
        self.inner.jobs.replayed(principal, key).await
    }

    /// Skips every target of a job that has not begun; what runs is finished. Nothing if there is no such job for
    /// `principal`.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`] if they may not control all of its targets, or not change them as it does. Whoever
    /// ordered it need only still be allowed to order something like it.
    pub fn abort(&self, principal: &Principal, id: JobId) -> Result<Option<Arc<JobRecord>>, GatewayError> {
        let view = self.view(principal.clone())?;
        let Some(job) = view.job(id) else { return Ok(None) };
        let is_theirs = job.is_of(&principal.subject);
        // Others' scans, too, are more than to look.
        let verb = if is_theirs { job.kind.verb() } else { job.kind.verb().max(Verb::Control) };
        let reach = self.reach(&principal.subject, verb);
        if covers(&reach, &job) || (is_theirs && !reach.is_nothing()) {
            return Ok(self.inner.jobs.abort(id));
        }
        Err(self.refuse(principal, verb, &format!("job {id}"), NOT_THEIRS))
    }

    /// What is known of a job when it has ended, or when `within` is over; nothing if there is none for `principal`.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`] if they may look at nothing at all.
    pub async fn finished(
        &self,
        principal: &Principal,
        id: JobId,
        within: Duration,
    ) -> Result<Option<Arc<JobRecord>>, GatewayError> {
        if self.view(principal.clone())?.job(id).is_none() {
            return Ok(None);
        }
        Ok(self.inner.jobs.wait(id, within).await)
    }
}

impl View {
    /// What is known of a job; nothing if there is none, or not any more.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<Arc<JobRecord>> {
        self.gateway.inner.jobs.get(id).filter(|job| self.shows(job))
    }

    /// Every job that is known, newest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<Arc<JobRecord>> {
        let mut jobs = self.gateway.inner.jobs.list();
        jobs.retain(|job| self.shows(job));
        jobs
    }

    /// Jobs are shown to whoever ordered them, and to whoever may read everything that they are about.
    fn shows(&self, job: &JobRecord) -> bool {
        job.is_of(&self.principal.subject) || covers(&self.reach, job)
    }
}

/// Whether all targets of a job are within reach. What those of a condensed job were is not known any more.
fn covers(reach: &Reach, job: &JobRecord) -> bool {
    let has = |target: &TargetResult| match target.device {
        Some(device) => reach.has_device(DeviceAddress { board: target.board, device }),
        None => reach.has(target.board),
    };
    reach.is_everything() || (job.condensed.is_none() && job.results.iter().all(has))
}

/// Why an order is not taken up that the door does not let through.
fn refusal(error: GatewayError) -> SubmitError {
    match error {
        GatewayError::Forbidden { principal, reason } => SubmitError::Forbidden { principal, reason },
        GatewayError::UnknownBoard(board) => SubmitError::UnknownBoard(board),
        GatewayError::UnknownDevice(device) => SubmitError::UnknownDevice(device),
        _ => SubmitError::ShuttingDown,
    }
}
