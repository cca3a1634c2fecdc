//! One BMC, ready to be asked and changed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opendcre_drivers::ipmi::{self, BmcConfig, BmcError, Bmcs, BmcsOwner, Problem};
use opendcre_gateway::Gateway;
use opendcre_ipmi::client::Failure;
use opendcre_ipmi::{Command, CommandError, Procedure, Single, Step};
use opendcre_model::{Context, DeviceAddress, DeviceId, Priority, WallClock};
use tokio::time::Instant;

use super::connect;
use super::error::IpmiError;
use crate::cli::BmcOptions;

/// The only BMC.
const BMC: DeviceId = DeviceId(1);

/// One BMC behind a broker of its own.
pub(super) struct Link {
    pub(super) address: SocketAddr,
    pub(super) bmcs: Arc<Bmcs>,
    pub(super) timeout: Duration,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) audit_file: Option<PathBuf>,
    /// Opened by the first change.
    pub(super) gateway: OnceLock<Gateway>,
}

impl Link {
    /// Everything that can fail before the BMC is contacted.
    ///
    /// # Errors
    /// When a secret is missing, or the system gives no socket.
    pub(super) fn open(
        address: SocketAddr,
        options: &BmcOptions,
        timeout: Duration,
        clock: &Arc<dyn WallClock>,
    ) -> Result<(Self, BmcsOwner), IpmiError> {
        let access = Arc::new(connect::access(address, options)?);
        let bmc = BmcConfig { device: BMC, address, access, asset_text: None };
        // The name stands in the audit log, where it must say which BMC it was.
        let settings = ipmi::Settings { name: format!("ipmi {address}"), ..ipmi::Settings::default() };
        let (bmcs, owner) = Bmcs::open(vec![bmc], settings, Arc::clone(clock))?;
        let link = Self {
            address,
            bmcs: Arc::new(bmcs),
            timeout,
            clock: Arc::clone(clock),
            audit_file: options.audit_file.clone(),
            gateway: OnceLock::new(),
        };
        Ok((link, owner))
    }

    /// The BMC as the gateway names it.
    pub(super) const fn device() -> DeviceAddress {
        DeviceAddress { board: ipmi::BOARD, device: BMC }
    }

    /// Asks one question.
    pub(super) async fn ask<C: Command>(&self, command: C) -> Result<C::Output, BmcError> {
        self.run(Single(command)).await
    }

    /// Asks all questions of a procedure, which may take as long as they are answered one by one.
    pub(super) async fn run<P: Procedure>(&self, mut procedure: P) -> Result<P::Output, BmcError> {
        let mut step = procedure.advance(None).map_err(|error| self.failed(error))?;
        loop {
            let request = match step {
                Step::Done(output) => return Ok(output),
                Step::Ask(request) => request,
            };
            let deadline = (Instant::now() + self.timeout).into_std();
            let context = Context { deadline, priority: Priority::Read };
            let response = self.bmcs.ask(BMC, request, context).await?;
            step = procedure.advance(Some(&response)).map_err(|error| self.failed(error))?;
        }
    }

    /// Asks for something that a BMC need not have, or not tell this user; then there is a problem instead, which says
    /// `what` it is about.
    pub(super) async fn try_run<P: Procedure>(
        &self,
        what: &str,
        procedure: P,
        problems: &mut Vec<String>,
    ) -> Result<Option<P::Output>, BmcError> {
        match self.run(procedure).await {
            Ok(output) => Ok(Some(output)),
            Err(error) if is_only_refused(&error.problem) => {
                problems.push(format!("{what}: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn failed(&self, error: CommandError) -> BmcError {
        let problem = Problem::Command(error);
        BmcError { bmc: BMC, address: Some(self.address), at: self.clock.now(), problem }
    }
}

/// Whether the next question may be answered all the same.
const fn is_only_refused(problem: &Problem) -> bool {
    matches!(problem, Problem::Command(_) | Problem::Session(Failure::InsufficientPrivilege { .. }))
}
