//! The gateway with its buses, its BMCs and its API, open and ready to run. It reads neither configuration files nor
//! signals.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use opendcre_api::{Api, Entrance, Limits, Listen, Server, Tls, WATCH_INTERVAL};
use opendcre_auth::Authenticator;
use opendcre_drivers::devicebus::BusOwner;
use opendcre_drivers::ipmi::{self, BackOff, BmcConfig, BmcsOwner, Pacing};
use opendcre_emulator::bus::Handle;
use opendcre_gateway::{
    AuditEntry, AuditKind, AuditLog, Defect, Equipment, Gateway, Group, Mode, Mount, PollSettings, Settings,
    Thresholds,
};
use opendcre_ipmi::client::Timing;
use opendcre_model::{SERVERS, WallClock};
use opendcre_publish::Publisher;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bus::{self, Buses};
use super::{certificate, login, publish, records};
use crate::COMMIT;
use crate::clock::ClockWatch;
use crate::config::{self, Config};

/// The most changes that run on all BMCs together. Each of them has a bounded queue of its own behind this.
const MAX_BMC_CHANGES: usize = 1024;

/// Everything is open; nothing is sent or accepted until it runs.
pub(crate) struct Service {
    server: Server,
    tls: Option<Arc<Tls>>,
    /// Where the certificate is that could not be kept.
    _temporary: Option<TempDir>,
    authenticator: Arc<Authenticator>,
    api: Api,
    buses: Vec<BusOwner>,
    /// Emulated buses in the place of real ones.
    stand_ins: Vec<Handle>,
    bmcs: Option<BmcsOwner>,
    audit: AuditLog,
    publisher: Option<Publisher>,
    #[cfg(feature = "otlp")]
    meters: opendcre_publish::Meters,
    clock: Arc<dyn WallClock>,
    /// How often everything is looked for; never if zero.
    refresh: Duration,
    polls: PollSettings,
}

impl Service {
    /// Opens the address, the buses, the BMCs and the audit log of `config`. Without an audit log every change is refused.
    /// What is `known` to be amiss is told together with what is found to be.
    ///
    /// # Errors
    /// The first of the others that cannot be opened.
    pub(crate) async fn open(
        config: &Config,
        clock: &Arc<dyn WallClock>,
        known: Vec<Defect>,
    ) -> anyhow::Result<Self> {
        let network = Listen::Tcp(config.server.listen);
        let server =
            Server::bind([network].into_iter().chain(config.server.socket.clone().map(Listen::Unix))).await?;
        let mut defects = known;
        let certificate = certificate::open(config, clock)?;
        let (authenticator, lost) = login::authenticator(config, clock)?;
        defects.extend(certificate.defect.into_iter().chain(lost));
        let (tls, temporary) = (certificate.tls, certificate.temporary);
        let authenticator = Arc::new(authenticator);
        let entrance = entrance(config, Arc::clone(&authenticator));
        let Buses { mut mounts, owners: buses, stand_ins, defects: emulated } =
            bus::open(config, clock).await?;
        defects.extend(emulated);
        let bmcs = read_bmcs(config.clone()).await??;
        defects.extend(bmcs.defects);
        for warning in &bmcs.warnings {
            tracing::warn!("legacy.bmc_config: {warning}");
        }
        let (mount, bmcs) = open_bmcs(bmcs.served, &config.broker, clock)?.unzip();
        let has_real = bmcs.is_some() || mounts.len() > stand_ins.len();
        let mode = Mode::of(has_real && !config.is_emulated, !stand_ins.is_empty() || config.is_emulated);
        mounts.extend(mount);
        let (records, lost) = records::open(config, clock).await?;
        defects.extend(lost);
        let (publisher, unpublished) = publish::open(config, records.events.as_ref(), clock).await?;
        defects.extend(unpublished);
        #[cfg(feature = "otlp")]
        let (meters, unsent) = super::otlp::open(config, clock)?;
        #[cfg(feature = "otlp")]
        defects.extend(unsent);
        for Defect { name, message, .. } in &defects {
            tracing::error!("{name}: {message}");
        }
        let audit = records.audit.clone();
        let groups = config.groups.iter();
        let groups = groups.map(|(name, members)| Group { name: name.clone(), members: members.clone() });
        let thresholds: Vec<_> = config.threshold.iter().filter_map(config::Threshold::meaning).collect();
        let thresholds = Thresholds::new(&thresholds)?;
        let equipment = Equipment { mounts, mode, groups: groups.collect(), defects, thresholds };
        let settings = Settings {
            read_only: config.server.read_only,
            cache: config.inventory.cache,
            ..Settings::default()
        };
        let gateway = Gateway::new(equipment, records, login::policy(config)?, Arc::clone(clock), settings)
            .with_credentials(Arc::new(login::Logins(Arc::clone(&authenticator))));
        server.watch_addresses(&gateway);
        gateway.watch_over(Arc::new(ClockWatch(Arc::clone(clock))));
        if let Some(tls) = &tls {
            gateway.watch_over(Arc::clone(tls) as _);
        }
        if let Some(publisher) = &publisher {
            gateway.watch_over(Arc::clone(publisher.deliveries()) as _);
        }
        #[cfg(feature = "otlp")]
        gateway.watch_over(Arc::clone(meters.deliveries()) as _);
        let api = Api::new(gateway, entrance, &**clock, limits(&config.server)?).built_from(COMMIT);
        let (clock, refresh, polls) = (Arc::clone(clock), config.inventory.refresh, config.poll.settings());
        Ok(Self {
            server,
            tls,
            _temporary: temporary,
            authenticator,
            api,
            buses,
            stand_ins,
            bmcs,
            audit,
            publisher,
            #[cfg(feature = "otlp")]
            meters,
            clock,
            refresh,
            polls,
        })
    }

    /// The door to the equipment.
    pub(crate) fn gateway(&self) -> &Gateway {
        self.api.gateway()
    }

    /// Where the server listens, other than on a Unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.server.address()
    }

    /// What answers requests.
    pub(crate) const fn api(&self) -> &Api {
        &self.api
    }

    /// Who finds out who sends a request.
    pub(crate) const fn authenticator(&self) -> &Arc<Authenticator> {
        &self.authenticator
    }

    /// The TLS side of the server, if it has one.
    pub(crate) const fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// Serves until `stop`, and stops in order. Also stops, and cancels `stop`, when a wire owner fails for good.
    ///
    /// # Errors
    /// When a wire owner failed for good.
    pub(crate) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let stop_owners = CancellationToken::new();
        let mut owners = JoinSet::new();
        for bus in self.buses {
            owners.spawn(bus.run(stop_owners.clone()));
        }
        if let Some(bmcs) = self.bmcs {
            owners.spawn(bmcs.run(stop_owners.clone()));
        }
        let places: Vec<String> = self.server.addresses().map(ToString::to_string).collect();
        let started = format!("version {} at {}", env!("CARGO_PKG_VERSION"), places.join(", "));
        record(&self.audit, AuditEntry::new(AuditKind::Started, self.clock.now()).saying(started)).await;
        let mut looking = JoinSet::new();
        if !self.refresh.is_zero() {
            let (gateway, refresh, stop) = (self.api.gateway().clone(), self.refresh, stop.clone());
            looking.spawn(async move { gateway.keep_looking(refresh, stop).await });
        }
        let (gateway, polls, polled_until) = (self.api.gateway().clone(), self.polls, stop.clone());
        looking.spawn(async move { gateway.keep_polling(&polls, polled_until).await });
        let mut watching = JoinSet::new();
        if let Some(tls) = &self.tls {
            watching.spawn(Arc::clone(tls).watch(WATCH_INTERVAL, stop.clone()));
        }
        let stop_publishing = CancellationToken::new();
        let mut publishing = JoinSet::new();
        if let Some(publisher) = self.publisher {
            let gateway = self.api.gateway().clone();
            publishing.spawn(publisher.run(gateway, stop_publishing.clone()));
        }
        #[cfg(feature = "otlp")]
        publishing.spawn(self.meters.run(self.api.gateway().clone(), stop_publishing.clone()));
        let mut serving = std::pin::pin!(self.server.run(self.api, self.tls, stop.clone()));
        let outcome = tokio::select! {
            () = &mut serving => Ok(()),
            Some(ended) = owners.join_next() => {
                stop.cancel();
                serving.await;
                Err(anyhow!("a wire owner ended by itself, which is a fault of this program: {ended:?}"))
            }
        };
        // After the gateway has said its last word, so that it is delivered, too.
        stop_publishing.cancel();
        while publishing.join_next().await.is_some() {}
        stop_owners.cancel();
        let ended = outcome.and(join_all(owners).await);
        // Not before: a bus that is unplugged is one that its owner tries to get back.
        drop(self.stand_ins);
        record(&self.audit, AuditEntry::new(AuditKind::Stopped, self.clock.now())).await;
        ended
    }
}

/// What requests pass first.
fn entrance(config: &Config, authenticator: Arc<Authenticator>) -> Entrance {
    let mut entrance = Entrance::new(authenticator).announcing(login::announced(config));
    if config.checks_hosts() {
        entrance = entrance.only_for(config.server.hosts.clone());
    }
    match config.rate() {
        Some(rate) => entrance.at_most(rate),
        None => entrance,
    }
}

/// The BMCs with their secrets. The disk with their files may hang, so that it must not hold up anything else.
async fn read_bmcs(config: Config) -> anyhow::Result<Result<config::Bmcs, config::BmcError>> {
    let read = tokio::task::spawn_blocking(move || config.bmcs());
    read.await.context("the files with the BMCs were not read by a fault of this program")
}

/// The BMCs as one driver, if there are any. Nothing is sent to them.
fn open_bmcs(
    bmcs: Vec<config::Bmc>,
    broker: &config::Broker,
    clock: &Arc<dyn WallClock>,
) -> anyhow::Result<Option<(Mount, BmcsOwner)>> {
    if bmcs.is_empty() {
        return Ok(None);
    }
    let annotations = bmcs.iter().map(|bmc| bmc.annotation.clone()).collect();
    let bmcs = bmcs.into_iter().map(bmc_config).collect();
    let (driver, owner) = ipmi::Bmcs::open(bmcs, bmc_settings(broker), Arc::clone(clock))?;
    let mount = Mount {
        driver: Arc::new(driver),
        boards: SERVERS,
        rack: String::new(),
        annotations,
        max_changes: MAX_BMC_CHANGES,
    };
    Ok(Some((mount, owner)))
}

/// Records something that happens all the same.
async fn record(audit: &AuditLog, entry: AuditEntry) {
    if let Err(failure) = audit.append(&entry).await {
        tracing::warn!(%failure, ?entry, "this is missing in the audit log");
    }
}

/// Waits for every wire owner, also after one that failed, so that none is cut off on the wire.
async fn join_all(mut owners: JoinSet<()>) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    while let Some(ended) = owners.join_next().await {
        outcome = outcome.and(ended.context("a wire owner ended by a fault of this program"));
    }
    outcome
}

fn bmc_config(bmc: config::Bmc) -> BmcConfig {
    let config::Bmc { annotation, address, access, asset_text } = bmc;
    BmcConfig {
        board: annotation.board,
        address,
        access: Arc::new(access),
        asset_text: (!asset_text.is_empty()).then_some(asset_text),
        hostnames: annotation.hostnames,
        ip_addresses: annotation.ip_addresses,
    }
}

fn bmc_settings(broker: &config::Broker) -> ipmi::Settings {
    let defaults = ipmi::Settings::default();
    let timing = defaults.timing;
    ipmi::Settings {
        outstanding: NonZeroUsize::new(broker.outstanding).unwrap_or(defaults.outstanding),
        backlog: broker.backlog,
        idle_time: broker.idle_time,
        timing: Timing {
            first: broker.timeout,
            floor: timing.floor.min(broker.timeout),
            ceiling: broker.longest_wait(),
            tries: broker.tries,
            control: broker.control_timeout,
        },
        pacing: Pacing { floor: broker.shortest_pause, ceiling: broker.longest_pause, ..defaults.pacing },
        back_off: BackOff { first: broker.first_retry, last: broker.longest_retry },
        ..defaults
    }
}

fn limits(server: &config::Server) -> anyhow::Result<Limits> {
    Ok(Limits {
        connections: server.max_connections,
        connections_per_address: server.max_connections_per_address,
        header_timeout: server.header_timeout,
        header_bytes: usize::try_from(server.max_header.0)?,
        body_bytes: usize::try_from(server.max_body.0)?,
        request_timeout: server.request_timeout,
        send_timeout: server.send_timeout,
        drain_timeout: server.shutdown_timeout,
        ..Limits::default()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use opendcre_auth::token::{NewToken, TokenStore};
    use opendcre_drivers::ipmi::{Problem, Stage};
    use opendcre_gateway::{Principal, Question, Verb};
    use opendcre_ipmi::client::Failure;
    use opendcre_ipmi::{CommandError, Completion, Privilege};
    use opendcre_model::{Extent, Fault, Grant, Login, Subject};

    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_failed_does_not_cut_off_the_others() {
        let mut buses = JoinSet::new();
        buses.spawn(std::future::pending()).abort();
        let finished = Arc::new(AtomicBool::new(false));
        buses.spawn({
            let finished = Arc::clone(&finished);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                finished.store(true, Ordering::Relaxed);
            }
        });
        let error = join_all(buses).await.unwrap_err();
        assert_eq!(error.to_string(), "a wire owner ended by a fault of this program");
        assert!(finished.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_token_that_was_revoked_holds_for_nothing_that_was_begun_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("opendcre.toml");
        let text = "[server]\nlisten = '127.0.0.1:0'\n[auth]\nrequired = true\n[state]\ndirectory";
        std::fs::write(&path, format!("{text} = {:?}\n", folder.path())).unwrap();
        let config = Config::load(&path).unwrap();
        let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
        let service = Service::open(&config, &clock, Vec::new()).await.unwrap();
        let tokens = TokenStore::open(config.tokens_file()).unwrap();
        let grants = vec![Grant { role: "admin".to_owned(), extent: Extent::default() }];
        let night =
            NewToken { name: "night".to_owned(), grants, created_by: "root".to_owned(), expires: None };
        tokens.create(&night, clock.now()).unwrap();
        let subject = tokens.bearer("night", clock.now()).await.unwrap();
        let principal = Principal {
            subject: Arc::new(subject),
            remote: "192.0.2.7:4711".into(),
            request_id: "r-1".into(),
        };
        let confirm = async || {
            let confirmed = service.gateway().confirm(&principal, Verb::Control, "everything").await;
            confirmed.map_err(|error| error.code())
        };
        let why = async || {
            let user = Some("token:night".to_owned());
            let question = Question { user, action: "power".to_owned(), ..Question::default() };
            let other =
                Subject { name: "root".to_owned(), login: Login::Local, ..(*principal.subject).clone() };
            let other = Principal { subject: Arc::new(other), ..principal.clone() };
            let told = service.gateway().why(&other, &question).await;
            told.map_or_else(|error| error.to_string(), |told| told.reason)
        };
        assert_eq!(confirm().await, Ok(()));
        assert_eq!(why().await, "the role admin permits it");
        tokens.revoke("night", clock.now()).unwrap();
        assert_eq!(confirm().await, Err("credential_revoked"));
        assert!(why().await.starts_with("the token \"night\" ("), "{}", why().await);
    }

    /// What people look codes up in.
    const PAGE: &str = include_str!("../../../../docs/status-codes.md");

    fn problems() -> Vec<Problem> {
        let time = Duration::ZERO;
        let refused = |completion| Problem::Command(CommandError::Refused { command: "", completion });
        let mut problems = vec![
            Problem::Full { retry_after: time },
            Problem::Expired(Stage::Waiting),
            Problem::Expired(Stage::Opening),
            Problem::Stopped { sent: false },
            Problem::Known { failure: Failure::Unreachable, lasted: time, retry_in: time },
            refused(Completion::INSUFFICIENT_PRIVILEGE),
            refused(Completion::INVALID_COMMAND),
            refused(Completion::NODE_BUSY),
            refused(Completion::INVALID_FIELD),
            Problem::Command(CommandError::Endless { command: "", problem: "" }),
        ];
        let failures = [
            Failure::Unreachable,
            Failure::NotIpmi,
            Failure::OnlyIpmi15,
            Failure::NoCommonSuite { offered: Vec::new() },
            Failure::NoCommonAuthType,
            Failure::WrongUser,
            Failure::WrongPassword,
            Failure::WrongBmcKey,
            Failure::InsufficientPrivilege { needed: Privilege::Operator },
            Failure::SessionLimit,
            Failure::Declined(Completion::UNSPECIFIED),
            Failure::Broken(""),
            Failure::Silent { sent: true },
        ];
        problems.extend(failures.map(Problem::Session));
        problems
    }

    #[test]
    fn every_code_of_a_bmc_is_documented_with_its_status() {
        let status = |fault| if matches!(fault, Fault::Busy { .. }) { "| 503 |" } else { "| 500 |" };
        let problems = problems().into_iter().map(|problem| (status(problem.fault()), problem.code()));
        let mut missing: Vec<_> = problems.collect();
        let documents = |row: &str, status: &str, code: &str| {
            row.starts_with(status) && row.contains(&format!("`{code}`"))
        };
        missing.retain(|(status, code)| !PAGE.lines().any(|row| documents(row, status, code)));
        assert_eq!(missing, [], "add these to docs/status-codes.md");
        assert!(PAGE.contains("`bad_bmc_config`"));
    }
}
