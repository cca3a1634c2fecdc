//! `opendcre serve`: the one place where the rooms are wired together.
//!
//! Start: configuration, log, address, buses, BMCs, records. What is wrong with the configuration ends the start, unless there
//! is one to fall back to; what is wrong with the machine – no space, no tty, no network – is told as a defect, and everything
//! else is served. Stop, in this order: no more requests are accepted, the running ones finish, the gateway
//! finishes what changes equipment, the buses finish what is on the wire, the sessions with BMCs are closed, the log
//! is written out. Who tells it to stop a second time gets the end at once, without the order; what still changes
//! equipment is then recorded as uncertain.

mod bus;
mod certificate;
mod last_good;
pub(crate) mod login;
#[cfg(feature = "mqtt")]
mod mqtt;
mod notice;
#[cfg(feature = "otlp")]
mod otlp;
pub(crate) mod publish;
mod records;
mod reload;
mod service;
mod source;
mod stand_in;
mod status;
mod supervisor;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use opendcre_gateway::Defect;
use opendcre_model::WallClock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::COMMIT;
use crate::clock::SystemClock;
use crate::config::{self, Config, exposure};
use crate::log::{self, LogError, Logging, Losses};
use notice::Notices;
use reload::{Live, Running};
use supervisor::Supervisor;

pub(crate) use last_good::LastGood;
pub(crate) use service::Service;
use source::Chosen;
pub(crate) use source::{FallBack, Source};

/// What is wrong with the configuration as a whole is told under this name.
const CONFIGURATION: &str = "configuration";

/// How many BMCs are named in one line of the log.
const NAMED_BMCS: usize = 16;
/// How often lost log lines are reported, if there are any.
const LOSS_REPORT_INTERVAL: Duration = Duration::from_secs(60);
/// Supervisors send a signal twice in quick succession; that is one order.
const ONE_ORDER: Duration = Duration::from_secs(2);
/// How long the end waits for a thread that a disk holds up. After an orderly stop there is none.
const THREAD_PATIENCE: Duration = Duration::from_secs(1);

/// Serves what the configuration says until the process is told to stop.
///
/// # Errors
/// Everything that keeps the server from starting, and the end of a task that must not end.
pub(crate) fn run(source: &Source) -> anyhow::Result<()> {
    let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
    let chosen = source.choose(&clock)?;
    let (logging, unlogged) = start_log(&chosen.config.log, &clock)?;
    warn_of_exposed_secrets(&chosen.config, &source.path)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start worker threads")?;
    let served = runtime.block_on(serve(source, chosen, unlogged, &clock, &logging));
    runtime.shutdown_timeout(THREAD_PATIENCE);
    served
}

/// Starts the log; to standard error alone, and with a defect, where no files can be written.
///
/// # Errors
/// The level is none, or the system has no threads.
fn start_log(
    settings: &config::Log,
    clock: &Arc<dyn WallClock>,
) -> Result<(Logging, Option<Defect>), LogError> {
    let level = config::level_of_environment();
    match log::start(settings, level.as_deref(), clock) {
        Ok(logging) => Ok((logging, None)),
        Err(error @ LogError::Directory { .. }) => {
            let without = config::Log { files: false, ..settings.clone() };
            let message =
                format!("{error}; until the next start, everything is logged to standard error alone");
            let defect = Defect { name: log::DIRECTORY.to_owned(), code: log::UNAVAILABLE, message };
            Ok((log::start(&without, level.as_deref(), clock)?, Some(defect)))
        }
        Err(error) => Err(error),
    }
}

/// Says which secrets of `config`, which came from `path`, everybody can read.
///
/// # Errors
/// Everybody can choose one of them.
fn warn_of_exposed_secrets(config: &Config, path: &Path) -> anyhow::Result<()> {
    if let Some(exposed) = exposure::check(config, path)? {
        tracing::warn!("{exposed}");
    }
    Ok(())
}

/// Says at every start what somebody may wrongly rely on.
fn warn_of_limits(config: &Config) {
    let listen = config.server.listen;
    if config.is_emulated {
        tracing::info!(%listen, "everything is emulated, so that nobody has to log in");
        return;
    }
    match (config.requires_login(), config.is_local()) {
        (true, _) => {}
        (false, true) => {
            tracing::info!(%listen, "nobody has to log in: every program on this machine can switch servers off");
        }
        (false, false) => {
            tracing::warn!(%listen, "server.insecure is set: everybody who reaches the port can switch servers off");
        }
    }
    if config.requires_login() && config.auth.admits_strangers() {
        tracing::warn!(%listen, "requests that do not say who sends them are answered, because a role is given to them");
    }
    if !config.speaks_tls() && !config.is_local() {
        tracing::warn!(%listen, "without TLS, everybody on the network can read along and change what is sent");
    }
    let inline = config.ipmi.iter().filter(|bmc| bmc.has_inline_password()).count();
    if inline > 0 {
        tracing::warn!(count = inline, "BMC passwords stand in the configuration; better use password_file");
    }
    let weak: Vec<String> =
        config.ipmi.iter().filter(|bmc| bmc.is_weak()).map(|bmc| bmc.address.to_string()).collect();
    if let Some(named) = weak.get(..weak.len().min(NAMED_BMCS)).filter(|named| !named.is_empty()) {
        let (count, bmcs) = (weak.len(), named.join(", "));
        tracing::warn!(
            count,
            bmcs,
            "sessions with these BMCs are weakly protected; see their suites and auth"
        );
    }
    if config.devicebus.is_empty() && config.ipmi.is_empty() && config.legacy.bmc_config.is_none() {
        tracing::warn!("no equipment is configured; add a [[devicebus]] or an [[ipmi]] table");
    }
}

async fn serve(
    source: &Source,
    chosen: Chosen,
    unlogged: Option<Defect>,
    clock: &Arc<dyn WallClock>,
    logging: &Logging,
) -> anyhow::Result<()> {
    let Chosen { config, text, refusal } = chosen;
    let known = unlogged.into_iter().collect();
    let stop = CancellationToken::new();
    // Before anything else, so that no signal is lost while the buses are opened.
    let mut signals = Signals::new()?;
    let mut is_outdated = false;
    let orders = async || {
        let order = signals.next().await;
        is_outdated |= order == Order::Reload;
        order
    };
    let Some(service) = unless_stopped(Service::open(&config, clock, known), orders).await else {
        tracing::info!("told to stop before everything was open");
        return Ok(());
    };
    let service = service?;
    warn_of_limits(&config);
    let address = service.address().map(|address| address.to_string());
    let fingerprint = service.tls().map(|tls| tls.fingerprint());
    let mode = service.gateway().mode().name();
    tracing::info!(
        address,
        fingerprint,
        mode,
        version = env!("CARGO_PKG_VERSION"),
        commit = COMMIT,
        "serving"
    );
    let mut losses = LossReport::new(logging.losses());
    let mut running = Running::new(source, config);
    let gateway = service.gateway().clone();
    let supervisor = Supervisor::of_environment();
    let notices = Arc::new(Notices::default());
    gateway.watch_over(Arc::clone(&notices) as _);
    gateway.watch_over(Arc::new(logging.losses()));
    match refusal {
        Some(refusal) => {
            tracing::error!("{}: {}", refusal.name, refusal.message);
            gateway.tell_of(&refusal);
            // Among the notices, because it is mended by a file that can be read again.
            notices.put(refusal);
        }
        None => keep_good(source.last_good(running.config()), &text),
    }
    let live = Live {
        notices,
        authenticator: Arc::clone(service.authenticator()),
        api: service.api().clone(),
        tls: service.tls().cloned(),
        clock: Arc::clone(clock),
    };
    if is_outdated {
        running.reload(logging, &live);
    }
    let reload = || {
        supervisor.reloading();
        running.reload(logging, &live);
        supervisor.serving();
    };
    // Pinned here, so that the buses outlive the last order and the gateway gives up before they do.
    let mut serving = pin!(service.run(stop.clone()));
    let served = tokio::select! {
        served = &mut serving => served,
        never = supervisor.attend(&gateway, &stop) => match never {},
        () = watch(async || signals.next().await, reload, &mut losses, &stop) => {
            gateway.give_up().await;
            Err(anyhow!("told to stop again before everything was finished"))
        }
    };
    losses.report();
    tracing::info!("stopped");
    served
}

/// Keeps `text`, with which the service works, in `place`. Without it, there is nothing to fall back to: a loss, but not one
/// of what is served.
fn keep_good(place: Option<LastGood>, text: &str) {
    if let Some(place) = place
        && let Err(error) = place.keep(text)
    {
        let path = place.path().display();
        tracing::warn!(%path, %error, "the configuration that works cannot be kept to fall back to");
    }
}

/// What comes of `opening`; nothing if an order to stop comes first.
async fn unless_stopped<T>(
    opening: impl Future<Output = T>,
    mut orders: impl AsyncFnMut() -> Order,
) -> Option<T> {
    let stopped = async { while orders().await != Order::Stop {} };
    tokio::select! {
        opened = opening => Some(opened),
        () = stopped => None,
    }
}

/// Follows `orders` and reports lost log lines. Cancels `stop` at the first order to stop, returns at the second.
async fn watch(
    mut orders: impl AsyncFnMut() -> Order,
    mut reload: impl FnMut(),
    losses: &mut LossReport,
    stop: &CancellationToken,
) {
    let mut told: Option<Instant> = None;
    let mut reports = interval(LOSS_REPORT_INTERVAL);
    loop {
        tokio::select! {
            order = orders() => match (order, told) {
                (Order::Reload, _) => reload(),
                (Order::Stop, None) => {
                    tracing::info!("told to stop");
                    told = Some(Instant::now());
                    stop.cancel();
                }
                (Order::Stop, Some(first)) if first.elapsed() < ONE_ORDER => {
                    tracing::info!("told to stop twice in quick succession, which counts once");
                }
                (Order::Stop, Some(_)) => break,
            },
            _ = reports.tick() => losses.report(),
        }
    }
    tracing::warn!("told to stop again; ending at once");
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

    /// Returns when the process is told to stop, or when its terminal hangs up: there is nothing to reload.
    pub(crate) async fn stop(&mut self) {
        match self.next().await {
            Order::Stop | Order::Reload => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    /// Gives each of `orders` so many milliseconds from now, and then no more.
    fn at(orders: &'static [(u64, Order)]) -> impl AsyncFnMut() -> Order {
        let started = Instant::now();
        let mut orders = orders.iter();
        async move || {
            // Taken only when its time has come: who waits may turn to something else and ask again.
            let Some((milliseconds, order)) = orders.as_slice().first() else { std::future::pending().await };
            tokio::time::sleep_until(started + Duration::from_millis(*milliseconds)).await;
            orders.next();
            *order
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_order_to_stop_ends_the_watch() {
        let stop = CancellationToken::new();
        let mut losses = LossReport::new(Losses::default());
        let orders = at(&[(0, Order::Reload), (0, Order::Stop), (0, Order::Reload), (2000, Order::Stop)]);
        let mut stopping_at_reload = Vec::new();
        watch(orders, || stopping_at_reload.push(stop.is_cancelled()), &mut losses, &stop).await;
        assert_eq!(stopping_at_reload, [false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn orders_to_stop_in_quick_succession_are_one() {
        let started = Instant::now();
        let stop = CancellationToken::new();
        let mut losses = LossReport::new(Losses::default());
        let orders = at(&[(0, Order::Stop), (0, Order::Stop), (1999, Order::Stop), (2000, Order::Stop)]);
        watch(orders, || {}, &mut losses, &stop).await;
        assert_eq!(started.elapsed(), ONE_ORDER);
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_to_stop_ends_a_start_that_hangs() {
        let orders = at(&[(0, Order::Reload), (0, Order::Stop)]);
        assert_eq!(unless_stopped(std::future::pending::<()>(), orders).await, None);
        assert_eq!(unless_stopped(async { 7 }, at(&[])).await, Some(7));
    }

    /// One test for all, because a signal reaches everybody in the process who listens.
    #[tokio::test]
    async fn a_hang_up_reloads_a_server_and_stops_everything_else() {
        let mut signals = Signals::new().unwrap();
        let send = |signal| kill_process(getpid(), signal).unwrap();
        for (signal, order) in
            [(Signal::HUP, Order::Reload), (Signal::TERM, Order::Stop), (Signal::INT, Order::Stop)]
        {
            send(signal);
            assert_eq!(signals.next().await, order);
            send(signal);
            signals.stop().await;
        }
    }
}
