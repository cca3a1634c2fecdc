//! The other side, as small as it can be: it opens sessions of IPMI 2.0 and answers what a test tells it to.

use opendcre_ipmi::cipher::encode_records;
use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::rakp::{
    Accepted, Exchange, Message1, Message2, Message3, Message4, OpenRequest, OpenResponse, Proof2, RakpStatus,
};
use opendcre_ipmi::packet::v1_5::Packet;
use opendcre_ipmi::packet::v2_0::{self, PayloadType, SessionKeys};
use opendcre_ipmi::{CipherSuite, Completion, Message, NetFn, Secret, session};

pub(crate) struct Bmc {
    pub(crate) password: Secret,
    /// The suites that it lists; nothing if it does not answer the question.
    pub(crate) listed: Option<Vec<u8>>,
    /// The suites that it accepts.
    pub(crate) accepted: Vec<u8>,
    /// The status of RAKP message 2 by role; OK for all others.
    pub(crate) refused_roles: Vec<(u8, RakpStatus)>,
    /// The privilege that the command 00h of the chassis needs.
    pub(crate) needs: u8,
    /// Every request that was carried out, as NetFn and command, without sessions' own.
    pub(crate) done: Vec<(u8, u8)>,
    /// Every request that came in a session, as command, number of the packet and number of the request.
    pub(crate) seen: Vec<(u8, u32, u8)>,
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    exchange: Option<Exchange>,
    open: Option<Open>,
}

struct Open {
    exchange: Exchange,
    keys: SessionKeys,
    sequence: u32,
    privilege: u8,
}

impl Bmc {
    pub(crate) fn new(password: &str) -> Self {
        Self {
            password: Secret::new(password.as_bytes()).unwrap(),
            listed: Some(vec![3, 17]),
            accepted: vec![3, 17],
            refused_roles: Vec::new(),
            needs: 2,
            done: Vec::new(),
            seen: Vec::new(),
            opened: 0,
            closed: 0,
            exchange: None,
            open: None,
        }
    }

    /// Loses its memory, as at a power cut.
    pub(crate) fn restart(&mut self) {
        self.open = None;
        self.exchange = None;
    }

    pub(crate) fn suite(&self) -> u8 {
        self.open.as_ref().unwrap().exchange.suite.id
    }

    pub(crate) fn role(&self) -> u8 {
        self.open.as_ref().unwrap().exchange.role & 0x0f
    }

    pub(crate) fn privilege(&self) -> u8 {
        self.open.as_ref().unwrap().privilege
    }

    pub(crate) fn on_datagram(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match Datagram::decode(bytes).unwrap() {
            Datagram::V1_5(packet) => self.list(&packet),
            Datagram::V2_0(envelope) => match envelope.payload_type {
                PayloadType::OpenSessionRequest => Some(self.open_session(envelope.plain().unwrap())),
                PayloadType::Rakp1 => Some(self.message1(envelope.plain().unwrap())),
                PayloadType::Rakp3 => self.message3(envelope.plain().unwrap()),
                _ => self.in_session(&envelope),
            },
            other => panic!("{other:?}"),
        }
    }

    /// A packet of the open session with any message in it.
    pub(crate) fn seal(&mut self, message: &Message) -> Vec<u8> {
        let open = self.open.as_mut().unwrap();
        open.sequence += 1;
        v2_0::seal(&open.keys, open.exchange.console_session, open.sequence, &message.encode(), [3; 16])
    }

    fn list(&mut self, packet: &Packet) -> Option<Vec<u8>> {
        let question = Message::decode(&packet.payload).unwrap();
        assert_eq!(question.command, session::GET_CHANNEL_CIPHER_SUITES);
        let suites: Vec<CipherSuite> =
            self.listed.as_ref()?.iter().filter_map(|id| CipherSuite::from_id(*id)).collect();
        let records = encode_records(&suites);
        let part = records.chunks(16).nth(usize::from(question.data[2] & 0x3f)).unwrap_or_default();
        let mut data = vec![0, 1];
        data.extend(part);
        Some(Packet::plain(question.reply(data).encode()).encode())
    }

    fn open_session(&mut self, payload: &[u8]) -> Vec<u8> {
        let request = OpenRequest::decode(payload).unwrap();
        let (a, i, c) = request.algorithms;
        let suite = CipherSuite::from_algorithms(a, i, c).unwrap();
        let accepted = self.accepted.contains(&suite.id);
        let bmc_session = 0x0100 + u32::try_from(self.opened).unwrap();
        let response = OpenResponse {
            tag: request.tag,
            status: if accepted { RakpStatus::OK } else { RakpStatus::NO_CIPHER_SUITE },
            console_session: request.console_session,
            accepted: accepted.then_some(Accepted {
                privilege: 4,
                bmc_session,
                algorithms: request.algorithms,
            }),
        };
        self.exchange = Some(Exchange {
            suite,
            console_session: request.console_session,
            bmc_session,
            console_random: [0; 16],
            bmc_random: [0x42; 16],
            bmc_guid: [7; 16],
            role: 0,
            username: Vec::new(),
        });
        v2_0::plain(PayloadType::OpenSessionResponse, &response.encode())
    }

    fn message1(&mut self, payload: &[u8]) -> Vec<u8> {
        let message = Message1::decode(payload).unwrap();
        let exchange = self.exchange.as_mut().unwrap();
        exchange.console_random = message.console_random;
        exchange.role = message.role;
        exchange.username = message.username;
        let refused = self.refused_roles.iter().find(|(role, _)| *role == message.role & 0x0f);
        let status = refused.map_or(RakpStatus::OK, |(_, status)| *status);
        let proof = Proof2 {
            bmc_random: exchange.bmc_random,
            bmc_guid: exchange.bmc_guid,
            code: exchange.code2(&self.password),
        };
        let reply = Message2 {
            tag: message.tag,
            status,
            console_session: exchange.console_session,
            proof: (status == RakpStatus::OK).then_some(proof),
        };
        v2_0::plain(PayloadType::Rakp2, &reply.encode())
    }

    fn message3(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let message = Message3::decode(payload).unwrap();
        let exchange = self.exchange.clone().unwrap();
        if message.status != RakpStatus::OK {
            self.exchange = None;
            return None;
        }
        assert!(exchange.is_code3(&self.password, &message.code));
        let keys = exchange.keys(&self.password, None);
        let reply = Message4 {
            tag: message.tag,
            status: RakpStatus::OK,
            console_session: exchange.console_session,
            code: exchange.code4(&keys),
        };
        self.opened += 1;
        self.open = Some(Open { exchange, keys, sequence: 0, privilege: 2 });
        Some(v2_0::plain(PayloadType::Rakp4, &reply.encode()))
    }

    fn in_session(&mut self, envelope: &v2_0::Envelope<'_>) -> Option<Vec<u8>> {
        let open = self.open.as_mut()?;
        if envelope.session != open.exchange.bmc_session {
            return None;
        }
        let question = Message::decode(&envelope.open(&open.keys).unwrap()).unwrap();
        self.seen.push((question.command, envelope.sequence, question.sequence));
        let data = match (question.netfn, question.command) {
            (NetFn::APP, session::SET_SESSION_PRIVILEGE) => {
                let level = question.data[0];
                let allowed = level <= open.exchange.role & 0x0f;
                if allowed {
                    open.privilege = level;
                }
                vec![if allowed { 0 } else { 0x81 }, open.privilege]
            }
            (NetFn::APP, session::CLOSE_SESSION) => {
                self.closed += 1;
                let reply = self.seal(&question.reply(vec![0]));
                self.open = None;
                return Some(reply);
            }
            _ if open.privilege < self.needs => vec![Completion::INSUFFICIENT_PRIVILEGE.0],
            (netfn, command) => {
                self.done.push((netfn.0, command));
                vec![0, command]
            }
        };
        Some(self.seal(&question.reply(data)))
    }
}
