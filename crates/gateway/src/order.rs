//! Orders for many devices, carried out as jobs through the one door.

use std::sync::Arc;
use std::time::Duration;

use opendcre_model::BoxFuture;

use crate::command::{Command, Outcome};
use crate::gateway::Gateway;
use crate::job::{Door, IdempotencyKey, JobId, JobRecord, Order, SubmitError, Submitted};
use crate::{GatewayError, Principal, policy};

impl Door for Gateway {
    fn carry_out<'a>(
        &'a self,
        principal: &'a Principal,
        command: Command,
    ) -> BoxFuture<'a, Result<Outcome, GatewayError>> {
        Box::pin(self.execute(principal, command))
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
        if let Some(reason) =
            order.commands().find_map(|command| policy::refusal(&self.inner.settings, command))
        {
            return Err(SubmitError::Forbidden { principal: principal.name().to_owned(), reason });
        }
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
        self.inner.jobs.replayed(principal, key).await
    }

    /// What is known of a job; nothing if there is none, or not any more.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<Arc<JobRecord>> {
        self.inner.jobs.get(id)
    }

    /// Every job that is known, newest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<Arc<JobRecord>> {
        self.inner.jobs.list()
    }

    /// Skips every target of a job that has not begun; what runs is finished.
    #[must_use]
    pub fn abort(&self, id: JobId) -> Option<Arc<JobRecord>> {
        self.inner.jobs.abort(id)
    }

    /// What is known of a job when it has ended, or when `within` is over.
    pub async fn finished(&self, id: JobId, within: Duration) -> Option<Arc<JobRecord>> {
        self.inner.jobs.wait(id, within).await
    }
}
