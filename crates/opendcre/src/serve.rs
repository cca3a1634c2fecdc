//! `opendcre serve`: the one place where the rooms are wired together.
//!
//! Start: configuration, log, address, buses, audit log. Everything that can fail, fails before the first
//! request is accepted. Stop, in this order: no more requests are accepted, the running ones finish, the gateway
//! finishes what changes equipment, the buses finish what is on the wire, the log is written out.

mod reload;
mod service;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use opendcre_model::WallClock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::{self, Config, read_bmcs};
use crate::log::{self, Logging, Losses};
use reload::Running;

pub(crate) use service::Service;

/// How often lost log lines are reported, if there are any.
const LOSS_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Serves what the configuration says until the process is told to stop.
///
/// # Errors
/// Everything that keeps the server from starting, and the end of a task that must not end.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let path = &args.file.config;
    let config = Config::load(path)?;
    let unserved = count_bmcs(&config)?;
    let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
    let logging = log::start(&config.log, config::level_of_environment().as_deref(), &clock)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start worker threads")?;
    runtime.block_on(serve(path, config, unserved, &clock, &logging))
}

fn count_bmcs(config: &Config) -> anyhow::Result<usize> {
    let file = config.legacy.bmc_config.as_deref();
    Ok(file.map(read_bmcs).transpose()?.map_or(0, |bmcs| bmcs.len()))
}

/// Says at every start what somebody may wrongly rely on.
fn warn_of_limits(config: &Config, unserved_bmcs: usize) {
    if config.server.insecure {
        let listen = config.server.listen;
        tracing::warn!(%listen, "server.insecure is set: everybody who reaches the port can switch servers off");
    }
    if unserved_bmcs > 0 {
        tracing::warn!(count = unserved_bmcs, "this release does not speak IPMI; the BMCs stay unserved");
    }
    if config.devicebus.is_empty() {
        tracing::warn!("no equipment is configured; add a [[devicebus]] table");
    }
}

async fn serve(
    path: &Path,
    config: Config,
    unserved_bmcs: usize,
    clock: &Arc<dyn WallClock>,
    logging: &Logging,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    // Before anything else, so that no signal is lost while the buses are opened.
    let signals = Signals::new()?;
    let service = Service::open(&config, clock).await?;
    warn_of_limits(&config, unserved_bmcs);
    tracing::info!(address = %service.address(), version = env!("CARGO_PKG_VERSION"), "serving");
    let watching = watch(signals, Running::new(path.to_owned(), config), logging, &stop);
    let (served, ()) = tokio::join!(service.run(stop.clone()), watching);
    tracing::info!("stopped");
    served
}

/// Follows signals and reports lost log lines until `stop`.
async fn watch(mut signals: Signals, mut running: Running, logging: &Logging, stop: &CancellationToken) {
    let mut losses = LossReport::new(logging.losses());
    let mut reports = interval(LOSS_REPORT_INTERVAL);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            order = signals.next() => match order {
                Order::Stop => {
                    tracing::info!("told to stop");
                    stop.cancel();
                }
                Order::Reload => running.reload(logging),
            },
            _ = reports.tick() => losses.report(),
        }
    }
    losses.report();
}

/// Reports lost log lines once.
struct LossReport {
    losses: Losses,
    reported: u64,
}

impl LossReport {
    const fn new(losses: Losses) -> Self {
        Self { losses, reported: 0 }
    }

    fn report(&mut self) {
        let lost = self.losses.count();
        if lost > self.reported {
            let lines = lost - self.reported;
            tracing::warn!(lines, "log lines were lost; check the space and speed of the log disk");
            self.reported = lost;
        }
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Stop,
    Reload,
}

/// The signals that a server follows.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    /// From now on the signals no longer end the process by themselves.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            reload: listen(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.reload.recv() => Order::Reload,
        }
    }

    /// Returns when the process is told to stop. There is nothing to reload.
    pub(crate) async fn stop(&mut self) {
        while self.next().await != Order::Stop {}
    }
}
