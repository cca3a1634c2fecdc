//! The connection to a broker (MQTT 5.0): made again whenever it breaks, with what waits bounded. It knows nothing of boards.
//!
//! A session never outlives its connection, so that nothing is queued for a broker that is away. Who sends waits for the
//! acknowledgements, at quality of service 0 for the socket.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, Filter, LastWill, Packet, PubAck, PubAckReason, RetainForwardRule, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use rumqttc::{Outgoing, TlsConfiguration, Transport};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::BackOff;
use crate::courier::Failure;
use crate::status::Status;

/// How often a connection that is idle is probed. One that does not answer is given up the next time.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long the broker may take to acknowledge what was sent to it.
const ACK_LIMIT: Duration = Duration::from_secs(20);
/// How long a sender waits for a connection, and for those before it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to take leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many messages are on their way to the broker at the same time.
const WINDOW: usize = 32;
/// The longest packet that is sent, and that the broker may send.
const MAX_PACKET: u32 = 64 << 10;
/// What a packet has besides topic and payload, at most.
const PACKET_OVERHEAD: usize = 32;
/// The most topics that others have told something at and that nobody has looked at yet. The rest comes again with the next
/// connection.
const MAX_STRAYS: usize = 4096;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub(crate) retain: bool,
}

/// Where a broker is, and as whom it is spoken to.
pub(crate) struct Access {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) credentials: Option<(String, SecretString)>,
    pub(crate) client: String,
    pub(crate) qos: QoS,
    /// Where is told whether the gateway is connected.
    pub(crate) availability: String,
    /// What of others is to be looked at.
    pub(crate) filters: Vec<String>,
    /// Which topics among that are of interest: a broker may keep many thousands of ours.
    pub(crate) is_stray: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    pub(crate) back_off: BackOff,
    /// Any number each time, see [`BackOff::pause`].
    pub(crate) jitter: fn() -> u8,
}

/// The task that keeps the connection.
pub(crate) struct Link {
    access: Access,
    status: Arc<Status>,
    orders: mpsc::Receiver<Order>,
    sessions: watch::Sender<Option<u64>>,
    strays: mpsc::Sender<String>,
}

/// What others send through a link. Clones are cheap.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    orders: mpsc::Sender<Order>,
    sessions: watch::Receiver<Option<u64>>,
}

#[derive(Debug)]
struct Order {
    messages: Vec<Message>,
    /// Only in this session.
    session: u64,
    done: oneshot::Sender<Result<(), Failure>>,
}

/// Why a session is over.
enum End {
    Stopped,
    Broken(String),
}

impl Message {
    /// What makes the broker forget what it keeps of a topic (MQTT 5.0 §3.3.1.3).
    pub(crate) const fn clear(topic: String) -> Self {
        Self { topic, payload: Vec::new(), retain: true }
    }
}

impl Sender {
    /// The number of the session, as soon as there is one.
    pub(crate) async fn session(&self) -> Option<u64> {
        let mut sessions = self.sessions.clone();
        sessions.wait_for(Option::is_some).await.ok().and_then(|session| *session)
    }

    /// Whether the session with this number is the one that there is.
    pub(crate) fn is_current(&self, session: u64) -> bool {
        *self.sessions.borrow() == Some(session)
    }

    /// Sends messages, and returns when the broker has taken all of them.
    ///
    /// # Errors
    /// It has not taken some of them, or the session with this number is over.
    pub(crate) async fn send(&self, session: u64, messages: Vec<Message>) -> Result<(), Failure> {
        let late = |_| Failure::Later("the broker does not keep up".to_owned(), None);
        let (done, outcome) = oneshot::channel();
        let order = Order { messages, session, done };
        let lost = || Failure::Later("the connection to the broker broke".to_owned(), None);
        timeout(PATIENCE, self.orders.send(order)).await.map_err(late)?.map_err(|_| lost())?;
        timeout(PATIENCE, outcome).await.map_err(late)?.unwrap_or_else(|_| Err(lost()))
    }

    /// The same in whatever session there is soon.
    ///
    /// # Errors
    /// As [`send`](Self::send), or there is no session.
    pub(crate) async fn send_soon(&self, messages: Vec<Message>) -> Result<(), Failure> {
        let away = || Failure::Later("there is no connection to the broker".to_owned(), None);
        let session = timeout(PATIENCE, self.session()).await.ok().flatten().ok_or_else(away)?;
        self.send(session, messages).await
    }
}

impl Link {
    /// A link, what sends through it, and the topics at which others tell something that we might have told.
    pub(crate) fn new(access: Access, status: Arc<Status>) -> (Self, Sender, mpsc::Receiver<String>) {
        let (orders, taken) = mpsc::channel(1);
        let (sessions, watched) = watch::channel(None);
        let (strays, seen) = mpsc::channel(MAX_STRAYS);
        let link = Self { access, status, orders: taken, sessions, strays };
        (link, Sender { orders, sessions: watched }, seen)
    }

    /// Keeps the connection until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0;
        for session in 1.. {
            let end = self.session(session, &stop).await;
            if self.sessions.send_replace(None).is_some() {
                failures = 0;
            }
            let End::Broken(reason) = end else { return };
            self.status.on_failed(&reason);
            failures += 1;
            let pause = self.access.back_off.pause(failures, (self.access.jitter)());
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn session(&mut self, session: u64, stop: &CancellationToken) -> End {
        let (client, events) = AsyncClient::new(self.access.options(), WINDOW);
        let (acks, acked) = mpsc::channel(WINDOW);
        let (limits, connected) = oneshot::channel();
        let (strays, is_stray) = (self.strays.clone(), Arc::clone(&self.access.is_stray));
        let mut pump = Pump { events, acks, limits: Some(limits), strays, is_stray };
        let mut desk = Desk { client, acked, qos: self.access.qos, limit: MAX_PACKET };
        tokio::select! {
            end = pump.run() => end,
            end = self.serve(session, &mut desk, connected, stop) => end,
        }
    }

    /// Says that the gateway is there, and sends what it is given until `stop`.
    async fn serve(
        &mut self,
        session: u64,
        desk: &mut Desk,
        connected: oneshot::Receiver<u32>,
        stop: &CancellationToken,
    ) -> End {
        match stop.run_until_cancelled(timeout(CONNECT_LIMIT, connected)).await {
            None => return End::Stopped,
            Some(Ok(Ok(limit))) => desk.limit = limit.min(MAX_PACKET),
            Some(_) => return End::Broken("the broker does not answer".to_owned()),
        }
        if let Err(end) = self.greet(desk).await {
            return end;
        }
        self.status.on_recovered();
        self.sessions.send_replace(Some(session));
        loop {
            let order = tokio::select! {
                Some(order) = self.orders.recv() => order,
                () = stop.cancelled() => return self.take_leave(desk).await,
            };
            // Whoever does not wait any more sends it again.
            if order.session != session || order.done.is_closed() {
                continue;
            }
            match desk.send(order.messages).await {
                Ok(outcome) => drop(order.done.send(outcome)),
                Err(end) => return end,
            }
        }
    }

    async fn greet(&self, desk: &mut Desk) -> Result<(), End> {
        desk.subscribe(&self.access.filters).await?;
        match desk.send(vec![self.access.say("online")]).await? {
            Ok(()) => Ok(()),
            Err(Failure::Later(reason, _) | Failure::Never(reason)) => Err(End::Broken(reason)),
        }
    }

    /// Says that the gateway goes: a will counts only for who goes without a word (MQTT 5.0 §3.14.4).
    async fn take_leave(&self, desk: &mut Desk) -> End {
        let farewell = async {
            desk.send(vec![self.access.say("offline")]).await.ok();
            desk.client.disconnect().await.ok();
            // The pump ends when that is sent.
            std::future::pending::<()>().await;
        };
        timeout(FAREWELL, farewell).await.ok();
        End::Stopped
    }
}

impl Access {
    fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(&self.client, &self.host, self.port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_start(true);
        options.set_connection_timeout(CONNECT_LIMIT.as_secs());
        options.set_outgoing_inflight_upper_limit(u16::try_from(WINDOW).unwrap_or(u16::MAX));
        let properties = ConnectProperties { max_packet_size: Some(MAX_PACKET), ..ConnectProperties::new() };
        options.set_connect_properties(properties);
        let will = self.say("offline");
        options.set_last_will(LastWill::new(will.topic, will.payload, self.qos, true, None));
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user, password.expose_secret());
        }
        if let Some(tls) = &self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        options
    }

    fn say(&self, word: &str) -> Message {
        Message { topic: self.availability.clone(), payload: word.into(), retain: true }
    }
}

/// Where messages are handed over within a session.
struct Desk {
    client: AsyncClient,
    acked: mpsc::Receiver<Result<(), Failure>>,
    qos: QoS,
    /// The longest packet that the broker takes.
    limit: u32,
}

impl Desk {
    /// Sends messages. The first that is not taken decides what the outcome is, but all others are sent.
    async fn send(&mut self, messages: Vec<Message>) -> Result<Result<(), Failure>, End> {
        let mut outcome = Ok(());
        let mut messages = messages.into_iter();
        loop {
            let window: Vec<Message> = messages.by_ref().take(WINDOW).collect();
            if window.is_empty() {
                return Ok(outcome);
            }
            let sent = timeout(ACK_LIMIT, self.send_window(window)).await;
            let slow = |_| End::Broken(format!("the broker takes nothing for {} s", ACK_LIMIT.as_secs()));
            outcome = outcome.and(sent.map_err(slow)??);
        }
    }

    async fn send_window(&mut self, messages: Vec<Message>) -> Result<Result<(), Failure>, End> {
        let (mut outcome, mut waiting) = (Ok(()), 0_usize);
        for message in messages {
            let size = message.topic.len() + message.payload.len() + PACKET_OVERHEAD;
            if size > self.limit as usize {
                let text = format!("{size} bytes are more than the {} that the broker takes", self.limit);
                outcome = outcome.and(Err(Failure::Never(text)));
                continue;
            }
            let Message { topic, payload, retain } = message;
            let sent = self.client.publish(topic, self.qos, retain, payload).await;
            sent.map_err(|error| End::Broken(error.to_string()))?;
            waiting += 1;
        }
        for _ in 0..waiting {
            let closed = || End::Broken("the connection to the broker broke".to_owned());
            outcome = outcome.and(self.acked.recv().await.ok_or_else(closed)?);
        }
        Ok(outcome)
    }

    /// Asks for what others tell, and what the broker keeps already.
    async fn subscribe(&self, filters: &[String]) -> Result<(), End> {
        let filter = |path: &String| Filter {
            path: path.clone(),
            qos: QoS::AtMostOnce,
            nolocal: true,
            preserve_retain: true,
            retain_forward_rule: RetainForwardRule::OnEverySubscribe,
        };
        let sent = self.client.subscribe_many(filters.iter().map(filter)).await;
        sent.map_err(|error| End::Broken(error.to_string()))
    }
}

/// What moves packets. It must run all the time, and not be interrupted.
struct Pump {
    events: EventLoop,
    acks: mpsc::Sender<Result<(), Failure>>,
    /// The longest packet that the broker takes, as soon as it is known.
    limits: Option<oneshot::Sender<u32>>,
    strays: mpsc::Sender<String>,
    is_stray: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Pump {
    /// Moves packets until the session is over.
    async fn run(&mut self) -> End {
        loop {
            // There is something to do whenever the connection is probed.
            let event = match timeout(KEEP_ALIVE * 3, self.events.poll()).await {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => return End::Broken(reason(&error)),
                Err(_) => return End::Broken("the broker does not answer any more".to_owned()),
            };
            match event {
                Event::Incoming(Packet::ConnAck(ack)) => {
                    let limit = ack.properties.and_then(|properties| properties.max_packet_size);
                    if let Some(limits) = self.limits.take() {
                        limits.send(limit.unwrap_or(MAX_PACKET)).ok();
                    }
                }
                Event::Incoming(Packet::PubAck(ack)) => self.ack(verdict(&ack)).await,
                // Without acknowledgements what is sent counts.
                Event::Outgoing(Outgoing::Publish(0)) => self.ack(Ok(())).await,
                Event::Incoming(Packet::SubAck(ack)) => warn_of_refused(&ack.return_codes),
                Event::Incoming(Packet::Publish(publish)) if !publish.payload.is_empty() => {
                    let topic = String::from_utf8_lossy(&publish.topic);
                    if (self.is_stray)(&topic) {
                        self.strays.try_send(topic.into_owned()).ok();
                    }
                }
                Event::Outgoing(Outgoing::Disconnect) => return End::Stopped,
                _ => {}
            }
        }
    }

    async fn ack(&mut self, verdict: Result<(), Failure>) {
        // The other end is there as long as the session.
        self.acks.send(verdict).await.ok();
    }
}

/// What the broker says to a message.
fn verdict(ack: &PubAck) -> Result<(), Failure> {
    let refused = || format!("the broker refuses a message ({:?})", ack.reason);
    match ack.reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => Err(Failure::Never(refused())),
        _ => Err(Failure::Later(refused(), None)),
    }
}

fn warn_of_refused(codes: &[SubscribeReasonCode]) {
    let refused = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
    if let Some(code) = codes.iter().find(refused) {
        tracing::warn!(
            "an MQTT broker does not let us read our own topics ({code:?}), so that what it keeps of boards that were removed \
             while it was away stays there; permit it"
        );
    }
}

/// Why a connection is over, in words.
fn reason(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(code) => {
            format!("the broker refuses the connection ({code:?}); check user name, password and client id")
        }
        ConnectionError::Timeout(_) => "the broker does not answer".to_owned(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            "the broker does not answer any more".to_owned()
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "the broker closed the connection".to_owned()
        }
        other => other.to_string(),
    }
}
