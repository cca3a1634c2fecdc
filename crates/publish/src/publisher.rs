//! Everything that events are brought to, open and ready to run.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::{Defect, EventLog};
use opendcre_model::WallClock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::courier::{Courier, Destination, Rules};
use crate::filter::Filter;
#[cfg(feature = "otlp")]
use crate::otlp::{Logs, OtlpSettings};
use crate::spool::Spool;
use crate::status::{Deliveries, Status};
use crate::syslog::Syslog;
use crate::webhook::Webhook;
use crate::{BackOff, SyslogSettings, SyslogTransport, WebhookSettings};

/// What events are brought to.
#[derive(Debug, Clone)]
pub struct PublishSettings {
    /// Where is kept how far each destination has come, and what it did not take. It is made if it does not exist.
    pub directory: PathBuf,
    /// The name of this machine.
    pub hostname: String,
    /// The webhooks, with different names.
    pub webhooks: Vec<WebhookSettings>,
    /// The syslog servers, with different names.
    pub syslogs: Vec<SyslogSettings>,
    /// The receivers of OTLP, with different names.
    #[cfg(feature = "otlp")]
    pub otlps: Vec<OtlpSettings>,
    /// How long a destination that failed is left alone.
    pub back_off: BackOff,
}

/// Everything that events are brought to. Nothing is sent until it runs.
pub struct Publisher {
    webhooks: Vec<Courier<Webhook>>,
    syslogs: Vec<Courier<Syslog>>,
    #[cfg(feature = "otlp")]
    logs: Vec<Courier<Logs>>,
    deliveries: Arc<Deliveries>,
}

/// What couriers need to begin.
struct Opening {
    settings: PublishSettings,
    log: EventLog,
    clock: Arc<dyn WallClock>,
    statuses: Vec<Arc<Status>>,
    defects: Vec<Defect>,
}

impl PublishSettings {
    /// Whether nobody gets any event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_empty = self.webhooks.is_empty() && self.syslogs.is_empty();
        #[cfg(feature = "otlp")]
        let is_empty = is_empty && self.otlps.iter().all(|otlp| otlp.logs.is_none());
        is_empty
    }
}

impl Publisher {
    /// Opens every destination of `settings`. One that has never been open begins behind the newest event of `log`. Blocks on
    /// the disk.
    ///
    /// Returns also what is amiss: the destinations that get nothing until the next start.
    #[must_use]
    pub fn open(settings: PublishSettings, log: EventLog, clock: Arc<dyn WallClock>) -> (Self, Vec<Defect>) {
        let mut opening = Opening { settings, log, clock, statuses: Vec::new(), defects: Vec::new() };
        let (webhooks, syslogs) = (opening.settings.webhooks.clone(), opening.settings.syslogs.clone());
        let webhooks = webhooks.iter().filter_map(|webhook| opening.webhook(webhook)).collect();
        let syslogs = syslogs.iter().filter_map(|syslog| opening.syslog(syslog)).collect();
        #[cfg(feature = "otlp")]
        let logs = opening.settings.otlps.clone().iter().filter_map(|otlp| opening.logs(otlp)).collect();
        let deliveries = Arc::new(Deliveries::new(opening.statuses));
        let publisher = Self {
            webhooks,
            syslogs,
            #[cfg(feature = "otlp")]
            logs,
            deliveries,
        };
        (publisher, opening.defects)
    }

    /// How deliveries are doing, also while they run.
    #[must_use]
    pub const fn deliveries(&self) -> &Arc<Deliveries> {
        &self.deliveries
    }

    /// Delivers until `stop`, and then for a moment what is left.
    pub async fn run(self, stop: CancellationToken) {
        let mut couriers = JoinSet::new();
        for courier in self.webhooks {
            couriers.spawn(courier.run(stop.clone()));
        }
        for courier in self.syslogs {
            couriers.spawn(courier.run(stop.clone()));
        }
        #[cfg(feature = "otlp")]
        for courier in self.logs {
            couriers.spawn(courier.run(stop.clone()));
        }
        while let Some(ended) = couriers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "deliveries to a destination ended by a fault of this program");
            }
        }
    }
}

impl Opening {
    fn webhook(&mut self, settings: &WebhookSettings) -> Option<Courier<Webhook>> {
        let webhook = Webhook::new(settings, &self.settings.hostname, Arc::clone(&self.clock));
        let spool = self.spool(&format!("webhook-{}", settings.name));
        let patience = Some(settings.patience);
        self.courier(
            format!("webhook.{}", settings.name),
            webhook,
            spool.map(Some),
            &settings.filter,
            patience,
        )
    }

    fn syslog(&mut self, settings: &SyslogSettings) -> Option<Courier<Syslog>> {
        let syslog = Syslog::new(settings, &self.settings.hostname);
        let spool = match settings.transport {
            // What becomes of a datagram nobody knows, so that there is nothing to keep.
            SyslogTransport::Udp => Ok(None),
            SyslogTransport::Tcp | SyslogTransport::Tls(_) => {
                self.spool(&format!("syslog-{}", settings.name)).map(Some)
            }
        };
        self.courier(format!("syslog.{}", settings.name), syslog, spool, &settings.filter, None)
    }

    #[cfg(feature = "otlp")]
    fn logs(&mut self, settings: &OtlpSettings) -> Option<Courier<Logs>> {
        let wanted = settings.logs.as_ref()?;
        let logs = Logs::new(settings, &self.settings.hostname, Arc::clone(&self.clock));
        let spool = self.spool(&format!("otlp-{}", settings.name)).map(Some);
        let name = format!("otlp.{}.logs", settings.name);
        self.courier(name, logs, spool, &wanted.filter, Some(wanted.patience))
    }

    /// The spool of a destination, and how far it has come, which is on the disk then.
    fn spool(&self, name: &str) -> io::Result<(Spool, u64)> {
        let (spool, cursor) = Spool::open(&self.settings.directory, name)?;
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => {
                let newest = self.log.statistics().latest;
                spool.save(newest)?;
                newest
            }
        };
        Ok((spool, cursor))
    }

    fn courier<D: Destination>(
        &mut self,
        name: String,
        destination: Result<D, String>,
        spool: io::Result<Option<(Spool, u64)>>,
        filter: &Filter,
        patience: Option<Duration>,
    ) -> Option<Courier<D>> {
        let directory = self.settings.directory.display();
        let unusable = |error| {
            format!("cannot keep how far it has come in {directory}: {error}; mend or remove its file")
        };
        let parts = destination.and_then(|destination| Ok((destination, spool.map_err(unusable)?)));
        let (destination, spool) = match parts {
            Ok(parts) => parts,
            Err(reason) => {
                let message = format!("events are not delivered until the next start: {reason}");
                self.defects.push(Defect { name, code: "publish_unavailable", message });
                return None;
            }
        };
        let (spool, cursor) = spool.unzip();
        let rules = Rules { filter: filter.clone(), back_off: self.settings.back_off, patience, jitter };
        let status = Arc::new(Status::new(&name));
        self.statuses.push(Arc::clone(&status));
        let cursor = cursor.unwrap_or_else(|| self.log.statistics().latest);
        let (log, clock) = (self.log.clone(), Arc::clone(&self.clock));
        Some(Courier::new(log, destination, rules, status, clock, spool.map(Arc::new), cursor))
    }
}

/// Any number, see [`BackOff::pause`].
pub(crate) fn jitter() -> u8 {
    let mut byte = [0];
    // Without random numbers, many come back at once, which is no reason not to.
    let _ = getrandom::fill(&mut byte);
    let [byte] = byte;
    byte
}
