//! The BMC as the gateway of the command line sees it: a change that still waits for a session can be given up.
//!
//! The gateway lets every change run to its end, and records that. Whoever interrupts a program does not want to wait
//! for a BMC that is not there.

use std::sync::Arc;

use opendcre_drivers::ipmi::Bmcs;
use opendcre_model::{
    Action, Board, BoxFuture, Context, Driver, DriverError, Fault, LinkStatistics, Observation, Query, Scope,
};
use tokio_util::sync::CancellationToken;

/// The driver of a BMC, until it is given up.
pub(super) struct Interruptible {
    pub(super) bmcs: Arc<Bmcs>,
    /// Cancelled only when nothing was sent in any session, and nothing will be.
    pub(super) given_up: CancellationToken,
}

impl Driver for Interruptible {
    fn name(&self) -> &str {
        self.bmcs.name()
    }

    fn health(&self) -> Result<(), DriverError> {
        self.bmcs.health()
    }

    fn statistics(&self) -> Vec<LinkStatistics> {
        Driver::statistics(&*self.bmcs)
    }

    fn discover(&self, scope: Scope, context: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        self.bmcs.discover(scope, context)
    }

    fn read(&self, query: Query, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        self.bmcs.read(query, context)
    }

    fn perform(&self, action: Action, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async move {
            tokio::select! {
                // First, because the driver itself fails then, too, and does not know that nothing was sent.
                biased;
                () = self.given_up.cancelled() => Err(interrupted()),
                outcome = self.bmcs.perform(action, context) => outcome,
            }
        })
    }
}

fn interrupted() -> DriverError {
    DriverError::new(Fault::Gone, "interrupted before there was a session; nothing was sent")
        .with_code("interrupted")
}
