//! MQTT 5.0: how boards and devices are, and events, for a broker; and what Home Assistant needs to find them by itself.
//!
//! Nothing is taken from a broker. Who may publish there is not known here, so that a command could be authorised as
//! nobody's but the broker's; control goes through the door of the gateway, where every person and program is known.

mod discovery;
mod entity;
mod ledger;
mod link;
mod state;
mod teller;
#[cfg(test)]
mod tests;
mod topic;

use std::sync::Arc;
use std::time::Duration;

use opendcre_gateway::Gateway;
use rumqttc::v5::mqttbytes::QoS;
use rustls::RootCertStore;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::BackOff;
use crate::courier::{Courier, Destination, Failure};
use crate::filter::Filter;
use crate::notice::{Body, Notice};
use crate::status::Status;
use crate::tls::{self, Identity};
use ledger::Manner;
use link::{Access, Link, Message, Sender};
use teller::{Places, Teller};
use topic::Topics;

/// A broker.
#[derive(Debug, Clone)]
pub struct MqttSettings {
    /// Its name: what may stand in the name of a file.
    pub name: String,
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How TLS is spoken with it, if it is.
    pub tls: Option<MqttTls>,
    /// As whom to log in, and with which password.
    pub credentials: Option<(String, SecretString)>,
    /// What the broker knows the gateway as, unique there: letters, digits, `-` and `_`.
    pub client_id: String,
    /// What topics begin with: levels of letters, digits, `-`, `_` and `.`.
    pub prefix: String,
    /// What topics of Home Assistant's discovery begin with, of the same; without it, there is none.
    pub discovery: Option<String>,
    /// The boards that are told of, a node range; every one unless given.
    pub nodes: Option<String>,
    /// Whether the broker keeps the last state of everything.
    pub retain: bool,
    /// Whether the broker acknowledges each message (quality of service 1).
    pub acknowledged: bool,
    /// How often is looked for what is new.
    pub interval: Duration,
    /// Which events are delivered.
    pub filter: Filter,
}

/// How TLS is spoken with a broker.
#[derive(Debug, Clone)]
pub struct MqttTls {
    /// Whose certificates are trusted.
    pub roots: RootCertStore,
    /// The certificate that is shown, if one is.
    pub identity: Option<Identity>,
}

/// A broker that events and states are brought to.
pub(crate) struct Broker {
    link: Link,
    teller: Teller,
    events: Option<Courier<EventTopic>>,
}

/// Where events are told.
pub(crate) struct EventTopic {
    sender: Sender,
    topic: String,
    /// Who tells.
    source: String,
}

impl Broker {
    /// How long events are left alone that a broker did not take.
    pub(crate) const SOON: BackOff =
        BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };

    /// How long a broker that is away is left alone at most: it is one connection, and what is told is wanted soon.
    const LONGEST_PAUSE: Duration = Duration::from_secs(30);

    /// A broker, and what brings events there, which has `status`; telling of boards has one of its own.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn new(
        settings: &MqttSettings,
        source: &str,
        status: &Arc<Status>,
        back_off: BackOff,
        jitter: fn() -> u8,
    ) -> Result<(Self, EventTopic), String> {
        let discovery = settings.discovery.as_deref();
        let topics = Topics::new(&settings.prefix, &settings.client_id, discovery);
        let tls = settings.tls.clone().map(|MqttTls { roots, identity }| {
            tls::client(roots, identity.as_ref()).map(Arc::new).map_err(|error| error.to_string())
        });
        let places = Places::default();
        let is_stray = {
            let (topics, places) = (topics.clone(), places.clone());
            Arc::new(move |topic: &str| places.is_orphan(&topics, topic))
        };
        let access = Access {
            host: settings.host.clone(),
            port: settings.port,
            tls: tls.transpose()?,
            credentials: settings.credentials.clone(),
            client: settings.client_id.clone(),
            qos: if settings.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce },
            availability: topics.availability(),
            filters: topics.filters(),
            is_stray,
            back_off: BackOff { longest: back_off.longest.min(Self::LONGEST_PAUSE), ..back_off },
            jitter,
        };
        let (link, sender, strays) = Link::new(access, Arc::clone(status));
        let events = EventTopic { sender: sender.clone(), topic: topics.events(), source: source.to_owned() };
        let manner = Manner {
            topics,
            client: settings.client_id.clone(),
            retain: settings.retain,
            qos: u8::from(settings.acknowledged),
        };
        let status = Arc::new(Status::new(&format!("{}.boards", status.name())));
        let (nodes, interval) = (settings.nodes.clone(), settings.interval);
        let teller = Teller { manner, nodes, interval, sender, places, strays, status };
        Ok((Self { link, teller, events: None }, events))
    }

    /// How telling of boards is doing.
    pub(crate) const fn status(&self) -> &Arc<Status> {
        &self.teller.status
    }

    /// The same with what brings events there.
    pub(crate) fn with_events(self, events: Option<Courier<EventTopic>>) -> Self {
        Self { events, ..self }
    }

    /// Tells until `stop`, and then for a moment the events that are left.
    pub(crate) async fn run(self, gateway: Gateway, stop: CancellationToken) {
        let hang_up = CancellationToken::new();
        let events = async {
            match self.events {
                Some(courier) => courier.run(stop.clone()).await,
                None => stop.cancelled().await,
            }
        };
        let telling = async {
            tokio::join!(events, self.teller.run(gateway, stop.clone()));
            hang_up.cancel();
        };
        tokio::join!(self.link.run(hang_up.clone()), telling);
    }
}

impl Destination for EventTopic {
    async fn deliver(&mut self, notice: &Notice) -> Result<(), Failure> {
        let payload = Body { source: &self.source, notice }.to_json()?;
        let message = Message { topic: self.topic.clone(), payload, retain: false };
        self.sender.send_soon(vec![message]).await
    }
}
