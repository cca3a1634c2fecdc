//! Everything that events are brought to, open and ready to run.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::{Defect, EventLog, Gateway};
use opendcre_model::WallClock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::courier::{Courier, Destination, Rules};
use crate::filter::Filter;
#[cfg(feature = "mqtt")]
use crate::mqtt::{Broker, MqttSettings};
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
    /// The MQTT brokers, with different names.
    #[cfg(feature = "mqtt")]
    pub mqtts: Vec<MqttSettings>,
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
    #[cfg(feature = "mqtt")]
    brokers: Vec<Broker>,
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
    /// Whether there is nobody who gets anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_empty = self.webhooks.is_empty() && self.syslogs.is_empty();
        #[cfg(feature = "mqtt")]
        let is_empty = is_empty && self.mqtts.is_empty();
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
        #[cfg(feature = "mqtt")]
        let brokers = opening.brokers();
        #[cfg(feature = "otlp")]
        let logs = opening.settings.otlps.clone().iter().filter_map(|otlp| opening.logs(otlp)).collect();
        let deliveries = Arc::new(Deliveries::new(Some(opening.log), opening.statuses));
        let publisher = Self {
            webhooks,
            syslogs,
            #[cfg(feature = "mqtt")]
            brokers,
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

    /// Delivers until `stop`, and then for a moment what is left. What is told besides events is what `gateway` knows.
    #[cfg_attr(not(feature = "mqtt"), expect(unused_variables, reason = "only brokers are told of boards"))]
    pub async fn run(self, gateway: Gateway, stop: CancellationToken) {
        let mut couriers = JoinSet::new();
        for courier in self.webhooks {
            couriers.spawn(courier.run(stop.clone()));
        }
        for courier in self.syslogs {
            couriers.spawn(courier.run(stop.clone()));
        }
        #[cfg(feature = "mqtt")]
        for broker in self.brokers {
            couriers.spawn(broker.run(gateway.clone(), stop.clone()));
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
        let status = Status::new(&format!("webhook.{}", settings.name));
        let rules = self.rules(&settings.filter, Some(settings.patience));
        self.courier(Arc::new(status), webhook, spool.map(Some), rules)
    }

    fn syslog(&mut self, settings: &SyslogSettings) -> Option<Courier<Syslog>> {
        let syslog = Syslog::new(settings, &self.settings.hostname);
        let spool = match settings.transport {
            // What becomes of a datagram nobody knows, so that there is nothing to keep.
            SyslogTransport::Udp => Ok(None),
            SyslogTransport::Tcp | SyslogTransport::Tls(..) => {
                self.spool(&format!("syslog-{}", settings.name)).map(Some)
            }
        };
        let status = Status::new(&format!("syslog.{}", settings.name));
        self.courier(Arc::new(status), syslog, spool, self.rules(&settings.filter, None))
    }

    #[cfg(feature = "mqtt")]
    fn brokers(&mut self) -> Vec<Broker> {
        let brokers = self.settings.mqtts.clone();
        brokers.iter().filter_map(|settings| self.broker(settings)).collect()
    }

    #[cfg(feature = "mqtt")]
    fn broker(&mut self, settings: &MqttSettings) -> Option<Broker> {
        let status = Arc::new(Status::new(&format!("mqtt.{}", settings.name)));
        let opened = Broker::new(settings, &self.settings.hostname, &status, self.settings.back_off, jitter);
        let (broker, events) = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                self.unusable(&status, &reason);
                return None;
            }
        };
        let spool = self.spool(&format!("mqtt-{}", settings.name)).map(Some);
        // Whether there is a connection is the broker's business; events follow at once when there is one again.
        let rules = Rules { back_off: Broker::SOON, ..self.rules(&settings.filter, None) };
        let events = self.courier(Arc::clone(&status), Ok(events), spool, rules);
        if events.is_none() {
            // Boards are told of all the same.
            self.statuses.push(status);
        }
        self.statuses.push(Arc::clone(broker.status()));
        Some(broker.with_events(events))
    }

    #[cfg(feature = "otlp")]
    fn logs(&mut self, settings: &OtlpSettings) -> Option<Courier<Logs>> {
        let wanted = settings.logs.as_ref()?;
        let logs = Logs::new(settings, &self.settings.hostname, Arc::clone(&self.clock));
        let spool = self.spool(&format!("otlp-{}", settings.name)).map(Some);
        let status = Arc::new(Status::new(&format!("otlp.{}.logs", settings.name)));
        self.courier(status, logs, spool, self.rules(&wanted.filter, Some(wanted.patience)))
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

    fn rules(&self, filter: &Filter, patience: Option<Duration>) -> Rules {
        Rules { filter: filter.clone(), back_off: self.settings.back_off, patience, jitter }
    }

    fn courier<D: Destination>(
        &mut self,
        status: Arc<Status>,
        destination: Result<D, String>,
        spool: io::Result<Option<(Spool, u64)>>,
        rules: Rules,
    ) -> Option<Courier<D>> {
        let directory = self.settings.directory.display();
        let unusable = |error| {
            format!("cannot keep how far it has come in {directory}: {error}; mend or remove its file")
        };
        let parts = destination.and_then(|destination| Ok((destination, spool.map_err(unusable)?)));
        let (destination, spool) = match parts {
            Ok(parts) => parts,
            Err(reason) => {
                self.unusable(&status, &reason);
                return None;
            }
        };
        let (spool, cursor) = spool.unzip();
        self.statuses.push(Arc::clone(&status));
        let cursor = cursor.unwrap_or_else(|| self.log.statistics().latest);
        let (log, clock) = (self.log.clone(), Arc::clone(&self.clock));
        Some(Courier::new(log, destination, rules, status, clock, spool.map(Arc::new), cursor))
    }

    fn unusable(&mut self, status: &Status, reason: &str) {
        let message = format!("events are not delivered until the next start: {reason}");
        let name = status.name().to_owned();
        self.defects.push(Defect { name, code: "publish_unavailable", message });
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
