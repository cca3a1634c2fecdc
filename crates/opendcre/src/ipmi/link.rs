//! One BMC, ready to be asked and changed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opendcre_drivers::ipmi::{self, BmcConfig, BmcError, Bmcs, BmcsOwner, Problem};
use opendcre_gateway::Gateway;
use opendcre_ipmi::client::{Failure, Timing};
use opendcre_ipmi::{Command, CommandError, Procedure, Single, Step};
use opendcre_model::{
    BoardId, Context, DeviceAddress, Priority, SERVER_POWER, SERVER_SYSTEM, SERVERS, WallClock,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connect;
use super::error::IpmiError;
use crate::cli::BmcOptions;

/// The only BMC.
const BMC: BoardId = BoardId(SERVERS.start().0 + 1);
/// How often a question is sent before the BMC counts as silent: as often as a gateway does that is not told otherwise.
const TRIES: u8 = 3;
/// How long somebody at a terminal is kept for the closing of a session. BMCs close what is left by themselves.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// One BMC behind a broker of its own.
pub(super) struct Link {
    pub(super) address: SocketAddr,
    pub(super) bmcs: Arc<Bmcs>,
    pub(super) timeout: Duration,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) audit_file: Option<PathBuf>,
    /// Opened by the first change.
    pub(super) gateway: OnceLock<Gateway>,
    /// Cancelled when a change that was not sent must not be sent any more.
    pub(super) given_up: CancellationToken,
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
        let bmc = BmcConfig {
            board: BMC,
            address,
            access,
            asset_text: None,
            hostnames: Vec::new(),
            ip_addresses: Vec::new(),
        };
        // The name stands in the audit log, where it must say which BMC it was.
        let settings = ipmi::Settings {
            name: format!("ipmi {address}"),
            timing: Timing { tries: TRIES, ..Timing::default() },
            close_limit: CLOSE_LIMIT,
            ..ipmi::Settings::default()
        };
        let (bmcs, owner) = Bmcs::open(vec![bmc], settings, Arc::clone(clock))?;
        let link = Self {
            address,
            bmcs: Arc::new(bmcs),
            timeout,
            clock: Arc::clone(clock),
            audit_file: options.audit_file.clone(),
            gateway: OnceLock::new(),
            given_up: CancellationToken::new(),
        };
        Ok((link, owner))
    }

    /// The power switch of the server, as the gateway names it.
    pub(super) const POWER: DeviceAddress = DeviceAddress { board: BMC, device: SERVER_POWER };

    /// The server itself, as the gateway names it.
    pub(super) const SYSTEM: DeviceAddress = DeviceAddress { board: BMC, device: SERVER_SYSTEM };

    /// Whether there was a session. Without one nothing was sent but attempts to open it.
    pub(super) fn was_heard(&self) -> bool {
        self.bmcs.statistics(BMC).is_some_and(|statistics| statistics.session_opens > 0)
    }

    /// Whether there is a session to close.
    pub(super) fn has_session(&self) -> bool {
        self.bmcs.statistics(BMC).is_some_and(|statistics| statistics.has_session)
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
                problems.push(format!("{what}: {}", without_id(&error.to_string())));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The failure of a command that was answered.
    pub(super) fn failed(&self, error: CommandError) -> BmcError {
        let problem = Problem::Command(error);
        BmcError { bmc: BMC, address: Some(self.address), at: self.clock.now(), problem }
    }
}

/// A text of the driver, which numbers BMCs. Here is only one.
pub(super) fn without_id(text: &str) -> String {
    text.replacen(&format!("bmc {BMC} "), "bmc ", 1)
}

/// Whether the next question may be answered all the same.
const fn is_only_refused(problem: &Problem) -> bool {
    matches!(problem, Problem::Command(_) | Problem::Session(Failure::InsufficientPrivilege { .. }))
}
