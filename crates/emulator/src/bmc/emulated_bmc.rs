//! One emulated BMC: datagrams in, datagrams out. No I/O, no clock; all its random numbers come from the seed of the
//! fleet.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::asf::{Ping, Pong};
use opendcre_ipmi::packet::v1_5::Packet;
use opendcre_ipmi::packet::v2_0::{self, Envelope, PayloadType};
use opendcre_ipmi::session::{
    CLOSE_SESSION, GET_CHANNEL_AUTH_CAPABILITIES, GET_CHANNEL_CIPHER_SUITES, GET_SESSION_CHALLENGE,
    SET_SESSION_PRIVILEGE,
};
use opendcre_ipmi::{BMC_ADDRESS, Completion, Message, NetFn, Response};

use super::command::{self, Answer, into_response, reply_to};
use super::config::{ConfigError, FleetConfig, Spread};
use super::device::{Device, Identity};
use super::fault::{Faults, Reply};
use super::model::Model;
use super::session::handshake::Step;
use super::session::{Link, Sessions, auth_capabilities, cipher_suites};
use crate::random::SplitMix64;

/// Get Session Info (IPMI 2.0 §22.20), Get Channel Info (§22.24) and Get System GUID (§22.14).
const GET_SESSION_INFO: u8 = 0x3d;
const GET_CHANNEL_INFO: u8 = 0x42;
const GET_SYSTEM_GUID: u8 = 0x37;
/// A ping with this tag wants no answer (ASF 2.0 §3.2.4.1).
const NO_ANSWER_TAG: u8 = 0xff;

/// What a BMC has seen so far. Counts only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that came in.
    pub received: u64,
    /// Datagrams that were answered, before anything happened to the answer.
    pub answered: u64,
    /// Commands in sessions that were carried out, whether well or not.
    pub commands: u64,
}

/// A BMC and the machine behind it.
#[derive(Debug)]
pub struct Bmc {
    pub(super) device: Device,
    pub(super) sessions: Sessions,
    pub(super) counters: Counters,
    faults: Faults,
    random: SplitMix64,
    address: SocketAddrV4,
    started: Instant,
    /// The BMC starts and is silent until then.
    silent_until: Duration,
}

impl Bmc {
    /// All BMCs that a configuration describes. `now` is the beginning of their time, and `seconds` the same moment in
    /// seconds since 1970.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first value that is out of its range.
    pub fn fleet(config: &FleetConfig, now: Instant, seconds: u32) -> Result<Vec<Self>, ConfigError> {
        let model = Arc::new(Model::new(config)?);
        let bmc = |index| Self::new(Arc::clone(&model), index, address(config, index)?, now, seconds);
        (0..config.count).map(bmc).collect()
    }

    fn new(
        model: Arc<Model>,
        index: u32,
        address: SocketAddrV4,
        started: Instant,
        seconds: u32,
    ) -> Result<Self, ConfigError> {
        let (faults, defects) = Faults::new(&model.faults, index);
        let identity = Identity::new(model.seed, index, *address.ip());
        Ok(Self {
            random: SplitMix64::for_index(model.seed.rotate_left(17), index),
            device: Device::new(model, identity, defects, seconds)?,
            sessions: Sessions::default(),
            counters: Counters::default(),
            faults,
            address,
            started,
            silent_until: Duration::ZERO,
        })
    }

    /// Where the configuration wants it to listen.
    #[must_use]
    pub const fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Takes a datagram from `peer` and gives those to send to it, in their order; most often one, at once.
    pub fn on_datagram(&mut self, peer: SocketAddrV4, bytes: &[u8], now: Instant) -> Vec<Reply> {
        let now = self.since_start(now);
        let model = Arc::clone(&self.device.model);
        self.counters.received += 1;
        if self.device.defects.dead || now < self.silent_until || self.faults.is_request_lost(&model.faults) {
            return Vec::new();
        }
        if self.faults.are_sessions_lost(&model.faults) {
            self.sessions.clear();
        }
        self.device.advance(now);
        self.sessions.expire(&model, now);
        let answer = self.answer(&model, peer, bytes, now);
        self.sessions.sweep();
        if self.device.is_reset_due {
            self.restart(now);
        }
        let Some(answer) = answer else { return Vec::new() };
        self.counters.answered += 1;
        self.faults.apply(&model.faults, self.device.defects, answer)
    }

    /// The BMC's own time.
    pub(super) fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Starts the BMC anew: it forgets its sessions and is silent for a while. The machine goes on.
    pub(super) fn restart(&mut self, now: Duration) {
        self.device.is_reset_due = false;
        self.device.on_bmc_start();
        self.sessions.clear();
        self.silent_until = now.saturating_add(self.device.model.bmc_start);
    }

    fn answer(&mut self, model: &Model, peer: SocketAddrV4, bytes: &[u8], now: Duration) -> Option<Vec<u8>> {
        match Datagram::decode(bytes).ok()? {
            Datagram::Ping(Ping { tag: NO_ANSWER_TAG }) | Datagram::Pong(_) => None,
            Datagram::Ping(Ping { tag }) => Some(Pong { tag, ipmi: true }.encode()),
            Datagram::V1_5(packet) => self.on_packet(model, peer, &packet, now),
            Datagram::V2_0(envelope) => self.on_envelope(model, peer, &envelope, now),
        }
    }

    fn on_packet(
        &mut self,
        model: &Model,
        peer: SocketAddrV4,
        packet: &Packet,
        now: Duration,
    ) -> Option<Vec<u8>> {
        if packet.session == 0 {
            let request = request(&packet.payload)?;
            let answer = self.without_session(model, peer, &request, now);
            return Some(Packet::plain(reply_to(&request, &into_response(answer))).encode());
        }
        if self.sessions.is_of_another(packet.session, peer) {
            return None;
        }
        let Some(session) = self.sessions.find(packet.session) else {
            let is_busy = self.faults.is_busy(&model.faults);
            return self.sessions.on_challenged(model, packet, is_busy, &mut self.random, now);
        };
        let Link::V1_5(auth_type) = session.link else { return None };
        let password = &model.users.get(session.user)?.password;
        let is_authentic = packet.auth_type == auth_type && packet.is_authentic(password);
        if !is_authentic || !session.accept(packet.sequence, now) {
            return None;
        }
        let sequence = session.next_outbound();
        let request = request(&packet.payload)?;
        let response = self.in_session(model, packet.session, &request, now);
        let reply = reply_to(&request, &response);
        Some(Packet::signed(auth_type, password, sequence, packet.session, reply).encode())
    }

    fn on_envelope(
        &mut self,
        model: &Model,
        peer: SocketAddrV4,
        envelope: &Envelope<'_>,
        now: Duration,
    ) -> Option<Vec<u8>> {
        if envelope.session == 0 {
            let payload = envelope.plain().ok()?;
            if envelope.payload_type == PayloadType::Ipmi {
                let request = request(payload)?;
                let answer = self.without_session(model, peer, &request, now);
                return Some(v2_0::plain(PayloadType::Ipmi, &reply_to(&request, &into_response(answer))));
            }
            let guid = self.device.identity.guid;
            let mut step = Step { model, guid, peer, random: &mut self.random, now };
            return self.sessions.on_opening(&mut step, envelope.payload_type, payload);
        }
        if self.sessions.is_of_another(envelope.session, peer) {
            return None;
        }
        let session = self.sessions.find(envelope.session)?;
        let Link::V2_0 { keys, .. } = &session.link else { return None };
        let payload = envelope.open(keys).ok()?;
        if !session.accept(envelope.sequence, now) || envelope.payload_type != PayloadType::Ipmi {
            return None;
        }
        let sequence = session.next_outbound();
        let request = request(&payload)?;
        let response = self.in_session(model, envelope.session, &request, now);
        let Link::V2_0 { console_session, keys, .. } = &self.sessions.get(envelope.session)?.link else {
            return None;
        };
        let reply = reply_to(&request, &response);
        Some(v2_0::seal(keys, *console_session, sequence, &reply, self.random.bytes()))
    }

    /// Answers what may be asked before there is a session (IPMI 2.0 §13.14 and appendix G).
    fn without_session(
        &mut self,
        model: &Model,
        peer: SocketAddrV4,
        request: &Message,
        now: Duration,
    ) -> Answer {
        if self.faults.is_busy(&model.faults) {
            return Err(Completion::NODE_BUSY.into());
        }
        match (request.netfn, request.command) {
            (NetFn::APP, GET_CHANNEL_AUTH_CAPABILITIES) => auth_capabilities(model, &request.data),
            (NetFn::APP, GET_CHANNEL_CIPHER_SUITES) => cipher_suites(model, &request.data),
            (NetFn::APP, GET_SESSION_CHALLENGE) => {
                self.sessions.challenge(model, peer, &request.data, &mut self.random, now)
            }
            (NetFn::APP, GET_SYSTEM_GUID) => Ok(self.device.identity.guid.to_vec()),
            (NetFn::APP, GET_CHANNEL_INFO) => Err(Completion::INSUFFICIENT_PRIVILEGE.into()),
            _ => match command::find(request) {
                Some(_) => Err(Completion::INSUFFICIENT_PRIVILEGE.into()),
                None => Err(Completion::INVALID_COMMAND.into()),
            },
        }
    }

    /// Answers a command in a session, or once more the same if it was only repeated.
    fn in_session(&mut self, model: &Model, session: u32, request: &Message, now: Duration) -> Response {
        let repeated = self.sessions.get(session).and_then(|session| session.repeated(request, now));
        if let Some(response) = repeated {
            return response;
        }
        self.counters.commands += 1;
        into_response(self.execute(model, session, request, now))
    }

    fn execute(&mut self, model: &Model, id: u32, request: &Message, now: Duration) -> Answer {
        if (request.netfn, request.command) == (NetFn::APP, CLOSE_SESSION) {
            return self.sessions.on_close(id, &request.data);
        }
        if self.faults.is_busy(&model.faults) {
            return Err(Completion::NODE_BUSY.into());
        }
        if request.to_lun != 0 {
            return Err(Completion::INVALID_FOR_LUN.into());
        }
        let session = self.sessions.find(id).ok_or(Completion::UNSPECIFIED)?;
        match (request.netfn, request.command) {
            (NetFn::APP, SET_SESSION_PRIVILEGE) => return session.set_privilege(&request.data),
            (NetFn::APP, GET_CHANNEL_INFO) => return self.sessions.channel_info(id, &request.data),
            (NetFn::APP, GET_SESSION_INFO) => return self.sessions.info(model, id, &request.data),
            (NetFn::APP, GET_CHANNEL_AUTH_CAPABILITIES) => return auth_capabilities(model, &request.data),
            (NetFn::APP, GET_CHANNEL_CIPHER_SUITES) => return cipher_suites(model, &request.data),
            _ => {}
        }
        let command = command::find(request).ok_or(Completion::INVALID_COMMAND)?;
        if session.privilege < command.privilege {
            return Err(Completion::INSUFFICIENT_PRIVILEGE.into());
        }
        let answer = command.run(&mut self.device, &request.data, now);
        if command.has_effect {
            session.remember(request.clone(), into_response(answer.clone()), now);
        }
        answer
    }
}

/// The request in a payload, if it is one for the BMC.
fn request(payload: &[u8]) -> Option<Message> {
    Message::decode(payload).ok().filter(|message| message.netfn.is_request() && message.to == BMC_ADDRESS)
}

/// Where the BMC with this index listens.
fn address(config: &FleetConfig, index: u32) -> Result<SocketAddrV4, ConfigError> {
    let FleetConfig { listen, spread, .. } = config;
    let beyond = || ConfigError::Value {
        key: "count".to_owned(),
        message: format!("there are not so many addresses from {listen} on, begin with a lower one"),
    };
    match spread {
        Spread::Ports if listen.port() == 0 => Ok(*listen),
        Spread::Ports => {
            let port = u32::from(listen.port()).checked_add(index).and_then(|port| u16::try_from(port).ok());
            Ok(SocketAddrV4::new(*listen.ip(), port.ok_or_else(beyond)?))
        }
        Spread::Addresses => {
            let ip = u32::from(*listen.ip()).checked_add(index).ok_or_else(beyond)?;
            Ok(SocketAddrV4::new(ip.into(), listen.port()))
        }
    }
}
