//! The other side of the client: a BMC of the fewest lines that opens sessions of both versions and answers every
//! command with what it was sent. It keeps the rules except where its character and its mood say otherwise.

use arbitrary::Arbitrary;
use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::rakp::{
    Accepted, Exchange, Message1, Message2, Message3, Message4, OpenRequest, OpenResponse, Proof2, RakpStatus,
};
use opendcre_ipmi::packet::v1_5::{AuthType, Packet};
use opendcre_ipmi::packet::v2_0::{self, Envelope, PayloadType, SessionKeys};
use opendcre_ipmi::session::{
    ACTIVATE_SESSION, ActiveSession, CLOSE_SESSION, ChannelAuthCapabilities, GET_CHANNEL_AUTH_CAPABILITIES,
    GET_CHANNEL_CIPHER_SUITES, GET_SESSION_CHALLENGE, SET_SESSION_PRIVILEGE,
};
use opendcre_ipmi::{CipherSuite, Message, NetFn, Secret};

/// The completion code and the RAKP status of a BMC in a good mood.
const FINE: u8 = 0;
/// Set Session Privilege Level: more than the session may have (IPMI 2.0 table 22-23).
const LEVEL_EXCEEDS_LIMIT: u8 = 0x81;

/// What a BMC is like.
#[derive(Debug, Arbitrary)]
pub(super) struct Character {
    /// The cipher suite records that it lists, sound or not; nothing if it does not answer the question.
    records: Option<Vec<u8>>,
    /// The suites that it accepts, as bits.
    suites: u16,
    auth_types: u8,
    /// Leaves its packets of IPMI 1.5 unsigned once there is a session.
    leaves_unsigned: bool,
    /// The most privilege of a session of IPMI 1.5, as the BMC says.
    granted: u8,
    /// The most privilege that it sets.
    most: u8,
}

impl Character {
    /// Whether anybody can speak for it in a session of IPMI 1.5.
    pub(super) const fn leaves_unsigned(&self) -> bool {
        self.leaves_unsigned
    }
}

/// A BMC. It remembers every session that it ever opened, to read what a client sends in them.
pub(super) struct Peer {
    character: Character,
    password: Secret,
    exchange: Option<Exchange>,
    challenged: bool,
    sessions: Vec<Session>,
    is_open: bool,
}

struct Session {
    id: u32,
    protection: Protection,
    sequence: u32,
}

enum Protection {
    V1_5(AuthType),
    V2_0 { console_session: u32, keys: Box<SessionKeys> },
}

impl Peer {
    pub(super) const fn new(character: Character, password: Secret) -> Self {
        Self { character, password, exchange: None, challenged: false, sessions: Vec::new(), is_open: false }
    }

    /// Loses its memory, as at a power cut.
    pub(super) fn restart(&mut self) {
        self.exchange = None;
        self.challenged = false;
        self.is_open = false;
    }

    /// What a datagram says, if it belongs to a session that this BMC has ever opened.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Message> {
        let datagram = Datagram::decode(bytes).ok()?;
        let id = match &datagram {
            Datagram::V1_5(packet) => packet.session,
            Datagram::V2_0(envelope) => envelope.session,
            _ => return None,
        };
        let session = self.sessions.iter().find(|session| session.id == id)?;
        let payload = match (&session.protection, datagram) {
            (Protection::V1_5(_), Datagram::V1_5(packet)) => packet.payload,
            (Protection::V2_0 { keys, .. }, Datagram::V2_0(envelope)) => envelope.open(keys).ok()?,
            _ => return None,
        };
        Message::decode(&payload).ok()
    }

    /// Answers in its mood, which is the completion code or status of the answer.
    pub(super) fn on_datagram(&mut self, bytes: &[u8], mood: u8) -> Option<Vec<u8>> {
        match Datagram::decode(bytes).ok()? {
            Datagram::V1_5(packet) if packet.session == 0 => self.without_session(&packet, mood),
            Datagram::V2_0(envelope) if envelope.session == 0 => self.on_setup(&envelope, mood),
            Datagram::V1_5(packet) if self.challenged => self.activate(&packet, mood),
            _ => self.in_session(bytes, mood),
        }
    }

    /// Any message in a packet of the newest session.
    pub(super) fn seal(&mut self, message: &Message) -> Option<Vec<u8>> {
        let session = self.sessions.last_mut()?;
        session.sequence = session.sequence.wrapping_add(1);
        let payload = message.encode();
        Some(match &session.protection {
            Protection::V1_5(auth_type) => {
                Packet::signed(*auth_type, &self.password, session.sequence, session.id, payload).encode()
            }
            Protection::V2_0 { console_session, keys } => {
                v2_0::seal(keys, *console_session, session.sequence, &payload, [3; 16])
            }
        })
    }

    fn without_session(&mut self, packet: &Packet, mood: u8) -> Option<Vec<u8>> {
        let question = Message::decode(&packet.payload).ok()?;
        let data = match question.command {
            GET_CHANNEL_CIPHER_SUITES => {
                let index = question.data.get(2)? & 0x3f;
                let records = self.character.records.as_ref()?;
                [&[1], records.chunks(16).nth(index.into()).unwrap_or_default()].concat()
            }
            GET_CHANNEL_AUTH_CAPABILITIES => {
                let auth_types = self.character.auth_types;
                let status = if self.character.leaves_unsigned { 0x10 } else { 0 };
                ChannelAuthCapabilities { channel: 1, auth_types, status, extended: 0 }.encode()
            }
            GET_SESSION_CHALLENGE => {
                self.challenged = true;
                [self.new_id().to_le_bytes().as_slice(), &[9; 16]].concat()
            }
            _ => return None,
        };
        Some(Packet::plain(answer(&question, mood, &data).encode()).encode())
    }

    fn activate(&mut self, packet: &Packet, mood: u8) -> Option<Vec<u8>> {
        let question = Message::decode(&packet.payload).ok()?;
        if question.command != ACTIVATE_SESSION || !packet.is_authentic(&self.password) {
            return self.in_session(&packet.encode(), mood);
        }
        let first_inbound = question.data.last_chunk::<4>().copied().map(u32::from_le_bytes)?;
        let auth_type = if self.character.leaves_unsigned { AuthType::None } else { packet.auth_type };
        let session = self.new_id();
        let privilege = self.character.granted;
        let active = ActiveSession { auth_type: auth_type.number(), session, first_outbound: 1, privilege };
        if mood == FINE {
            self.challenged = false;
            self.open(session, Protection::V1_5(auth_type), first_inbound);
        }
        let reply = answer(&question, mood, &active.encode()).encode();
        Some(Packet::signed(packet.auth_type, &self.password, first_inbound, packet.session, reply).encode())
    }

    fn on_setup(&mut self, envelope: &Envelope<'_>, mood: u8) -> Option<Vec<u8>> {
        let payload = envelope.plain().ok()?;
        let (payload_type, reply) = match envelope.payload_type {
            PayloadType::OpenSessionRequest => {
                let request = OpenRequest::decode(payload).ok()?;
                (PayloadType::OpenSessionResponse, self.on_open(&request, mood)?.encode())
            }
            PayloadType::Rakp1 => {
                (PayloadType::Rakp2, self.on_message1(Message1::decode(payload).ok()?, mood)?.encode())
            }
            PayloadType::Rakp3 => {
                (PayloadType::Rakp4, self.on_message3(&Message3::decode(payload).ok()?, mood)?.encode())
            }
            _ => return None,
        };
        Some(v2_0::plain(payload_type, &reply))
    }

    fn on_open(&mut self, request: &OpenRequest, mood: u8) -> Option<OpenResponse> {
        let (authentication, integrity, confidentiality) = request.algorithms;
        let suite = CipherSuite::from_algorithms(authentication, integrity, confidentiality)?;
        let index = CipherSuite::ALL.iter().position(|other| *other == suite)?;
        let status = match mood {
            FINE if self.character.suites >> index & 1 == 0 => RakpStatus::NO_CIPHER_SUITE,
            mood => RakpStatus(mood),
        };
        let exchange = Exchange {
            suite,
            console_session: request.console_session,
            bmc_session: self.new_id(),
            console_random: [0; 16],
            bmc_random: [0x42; 16],
            bmc_guid: [7; 16],
            role: 0,
            username: Vec::new(),
        };
        let accepted =
            Accepted { privilege: 4, bmc_session: exchange.bmc_session, algorithms: request.algorithms };
        self.exchange = Some(exchange);
        Some(OpenResponse {
            tag: request.tag,
            status,
            console_session: request.console_session,
            accepted: (status == RakpStatus::OK).then_some(accepted),
        })
    }

    fn on_message1(&mut self, message: Message1, mood: u8) -> Option<Message2> {
        let exchange = self.exchange.as_mut()?;
        exchange.console_random = message.console_random;
        exchange.role = message.role;
        exchange.username = message.username;
        let code = exchange.code2(&self.password);
        let proof = Proof2 { bmc_random: exchange.bmc_random, bmc_guid: exchange.bmc_guid, code };
        Some(Message2 {
            tag: message.tag,
            status: RakpStatus(mood),
            console_session: exchange.console_session,
            proof: (mood == FINE).then_some(proof),
        })
    }

    fn on_message3(&mut self, message: &Message3, mood: u8) -> Option<Message4> {
        let exchange = self.exchange.take()?;
        if message.status != RakpStatus::OK || !exchange.is_code3(&self.password, &message.code) {
            return None;
        }
        let keys = Box::new(exchange.keys(&self.password, None));
        let code = exchange.code4(&keys);
        let console_session = exchange.console_session;
        if mood == FINE {
            self.open(exchange.bmc_session, Protection::V2_0 { console_session, keys }, 0);
        }
        Some(Message4 { tag: message.tag, status: RakpStatus(mood), console_session, code })
    }

    fn in_session(&mut self, bytes: &[u8], mood: u8) -> Option<Vec<u8>> {
        let question = self.read(bytes).filter(|_| self.is_open)?;
        let code = match (question.netfn, question.command) {
            (NetFn::APP, SET_SESSION_PRIVILEGE)
                if mood == FINE && *question.data.first()? > self.character.most =>
            {
                LEVEL_EXCEEDS_LIMIT
            }
            _ => mood,
        };
        self.is_open = (question.netfn, question.command) != (NetFn::APP, CLOSE_SESSION);
        let data = question.data.clone();
        self.seal(&answer(&question, code, &data))
    }

    fn open(&mut self, id: u32, protection: Protection, sequence: u32) {
        self.sessions.push(Session { id, protection, sequence });
        self.is_open = true;
    }

    /// No two sessions have the same.
    fn new_id(&self) -> u32 {
        0x0100 + u32::try_from(self.sessions.len()).unwrap_or(u32::MAX / 2)
    }
}

fn answer(question: &Message, code: u8, data: &[u8]) -> Message {
    question.reply([&[code], data].concat())
}
