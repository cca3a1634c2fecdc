//! A remote console for tests, as simple as can be: it sends one datagram, and the answer is there. Nothing is repeated
//! or checked unless a test does so.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use opendcre_emulator::bmc::{Bmc, FleetConfig};
use opendcre_ipmi::chassis::GetChassisStatus;
use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::rakp::{
    Accepted, Exchange, Message1, Message2, Message3, Message4, NAME_ONLY, OpenRequest, OpenResponse,
    RakpStatus,
};
use opendcre_ipmi::packet::v1_5::{AuthType, Packet};
use opendcre_ipmi::packet::v2_0::{self, PayloadType, SessionKeys};
use opendcre_ipmi::session::{ActivateSession, CloseSession, GetSessionChallenge, SetSessionPrivilege};
use opendcre_ipmi::{
    CipherSuite, Command, Completion, Message, NetFn, Privilege, Procedure, Request, Response, Secret, Step,
};

pub(crate) const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 40_000);
/// Somebody on another host, and somebody else on the same one.
pub(crate) const OTHERS: [SocketAddrV4; 2] = [
    SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 77), 40_000),
    SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 40_001),
];
/// 2026-01-01 00:00 UTC.
pub(crate) const EPOCH: u32 = 1_767_225_600;

/// Where virtual time begins; it does not matter where.
#[expect(clippy::disallowed_methods, reason = "there is no other way to have an instant")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// A BMC in virtual time.
pub(crate) struct Lab {
    pub(crate) bmc: Bmc,
    pub(crate) now: Instant,
    /// Where datagrams come from.
    pub(crate) peer: SocketAddrV4,
}

/// How a session is protected, and its numbers.
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) sequence: u32,
    /// The number of the next message.
    pub(crate) message: u8,
}

pub(crate) enum Link {
    V1_5 { auth_type: AuthType, id: u32, password: Secret },
    V2_0 { bmc_session: u32, keys: Box<SessionKeys> },
}

/// What every user may ask.
pub(crate) fn status() -> Request {
    GetChassisStatus.request()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

fn response(payload: &[u8]) -> Response {
    let message = Message::decode(payload).unwrap();
    assert!(!message.netfn.is_request());
    let (completion, data) = message.data.split_first().unwrap();
    Response { completion: Completion(*completion), data: data.to_vec() }
}

impl Lab {
    /// The only BMC of the default configuration.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The first BMC of the default configuration after a change.
    pub(crate) fn with(change: impl FnOnce(&mut FleetConfig)) -> Self {
        let mut config = FleetConfig::default();
        change(&mut config);
        let now = start();
        Self { bmc: Bmc::fleet(&config, now, EPOCH).unwrap().swap_remove(0), now, peer: PEER }
    }

    pub(crate) fn from_toml(text: &str) -> Self {
        let config = FleetConfig::from_toml(text).unwrap();
        Self::with(|default| *default = config)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// What the same datagram brings when it comes from others.
    pub(crate) fn send_from_others(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        for peer in OTHERS {
            self.peer = peer;
            answers.extend(self.send_all(bytes));
        }
        self.peer = PEER;
        answers
    }

    /// Sends a datagram; the answers to it.
    pub(crate) fn send_all(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.bmc.on_datagram(self.peer, bytes, self.now).into_iter().map(|reply| reply.bytes).collect()
    }

    /// Sends a datagram; the only answer to it, if there is one.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut answers = self.send_all(bytes);
        assert!(answers.len() <= 1, "{answers:?}");
        answers.pop()
    }

    /// Asks outside of sessions.
    pub(crate) fn ask_plain(&mut self, request: &Request) -> Response {
        let bytes = Packet::plain(Message::request(request, 1).encode()).encode();
        let answer = self.send(&bytes).unwrap();
        match Datagram::decode(&answer).unwrap() {
            Datagram::V1_5(packet) => response(&packet.payload),
            other => panic!("{other:?}"),
        }
    }

    /// Opens a session of IPMI 1.5. The error is a completion code, or nothing for silence.
    pub(crate) fn open_1_5(
        &mut self,
        auth_type: AuthType,
        user: &str,
        password: &str,
        privilege: Privilege,
    ) -> Result<Session, Option<Completion>> {
        let activation = self.activation(auth_type, user, password, privilege)?;
        let answer = self.send(&activation).ok_or(None)?;
        activated(&answer, password)
    }

    /// The datagram that activates a session of IPMI 1.5.
    pub(crate) fn activation(
        &mut self,
        auth_type: AuthType,
        user: &str,
        password: &str,
        privilege: Privilege,
    ) -> Result<Vec<u8>, Option<Completion>> {
        let get = GetSessionChallenge { auth_type, username: user.as_bytes().to_vec() };
        let response = self.ask_plain(&get.request());
        if !response.completion.is_ok() {
            return Err(Some(response.completion));
        }
        let challenge = get.parse(&response.data).unwrap();
        let activate =
            ActivateSession { auth_type, privilege, challenge: challenge.challenge, first_inbound: 1000 };
        let payload = Message::request(&activate.request(), 2).encode();
        let packet = Packet::signed(auth_type, &secret(password), 0, challenge.temporary_session, payload);
        Ok(packet.encode())
    }

    /// Opens a session of IPMI 2.0.
    pub(crate) fn open_2_0(
        &mut self,
        suite: u8,
        user: &str,
        password: &str,
        privilege: Privilege,
    ) -> Result<Session, RakpStatus> {
        self.open_with(suite, user, password, privilege.number() | NAME_ONLY, None)
    }

    /// Opens a session of IPMI 2.0 with a role and a key as they come.
    pub(crate) fn open_with(
        &mut self,
        suite: u8,
        user: &str,
        password: &str,
        role: u8,
        kg: Option<&str>,
    ) -> Result<Session, RakpStatus> {
        let mut opening = Opening::begin(self, suite)?;
        let answer = self.send(&opening.message_1(user, role)).unwrap();
        opening.on_message_2(&answer)?;
        let answer = self.send(&opening.message_3(password)).unwrap();
        opening.on_message_4(&answer, password, kg)
    }

    /// An administrator's session in the strongest suite.
    pub(crate) fn administrator(&mut self) -> Session {
        let mut session = self.open_2_0(17, "ADMIN", "ADMIN", Privilege::Administrator).unwrap();
        let set = SetSessionPrivilege(Privilege::Administrator);
        assert!(self.ask(&mut session, &set.request()).unwrap().completion.is_ok());
        session
    }

    /// Asks in a session; nothing for silence.
    pub(crate) fn ask(&mut self, session: &mut Session, request: &Request) -> Option<Response> {
        let bytes = session.next(request);
        let answer = self.send(&bytes)?;
        Some(session.read(&answer))
    }

    /// Asks in a session with the bytes of a command; the completion code and the data.
    pub(crate) fn raw(
        &mut self,
        session: &mut Session,
        netfn: NetFn,
        command: u8,
        data: &[u8],
    ) -> (u8, Vec<u8>) {
        let response = self.ask(session, &Request::new(netfn, command, data)).unwrap();
        (response.completion.0, response.data)
    }

    /// Drives a procedure to its end.
    pub(crate) fn run<P: Procedure>(
        &mut self,
        session: &mut Session,
        mut procedure: P,
    ) -> Result<P::Output, opendcre_ipmi::CommandError> {
        let mut answer = None;
        loop {
            match procedure.advance(answer.as_ref())? {
                Step::Done(output) => return Ok(output),
                Step::Ask(request) => answer = Some(self.ask(session, &request).unwrap()),
            }
        }
    }

    /// Closes a session.
    pub(crate) fn close(&mut self, session: &mut Session) {
        let close = CloseSession { session: session.id() };
        assert!(self.ask(session, &close.request()).unwrap().completion.is_ok());
    }
}

/// The session that an answer to an activation has begun.
pub(crate) fn activated(answer: &[u8], password: &str) -> Result<Session, Option<Completion>> {
    let Datagram::V1_5(packet) = Datagram::decode(answer).unwrap() else { panic!("not IPMI 1.5") };
    assert!(packet.is_authentic(&secret(password)));
    let response = response(&packet.payload);
    if !response.completion.is_ok() {
        return Err(Some(response.completion));
    }
    let activate = ActivateSession {
        auth_type: packet.auth_type,
        privilege: Privilege::User,
        challenge: [0; 16],
        first_inbound: 1,
    };
    let active = activate.parse(&response.data).unwrap();
    assert_eq!(packet.sequence, 1000);
    let link = Link::V1_5 { auth_type: packet.auth_type, id: active.session, password: secret(password) };
    Ok(Session { link, sequence: active.first_outbound, message: 3 })
}

impl Session {
    pub(crate) fn id(&self) -> u32 {
        match &self.link {
            Link::V1_5 { id, .. } => *id,
            Link::V2_0 { bmc_session, .. } => *bmc_session,
        }
    }

    /// The datagram of the next request.
    pub(crate) fn next(&mut self, request: &Request) -> Vec<u8> {
        self.message = (self.message + 1) & 0x3f;
        self.again(request)
    }

    /// The datagram of the last request once more, with a new number.
    pub(crate) fn again(&mut self, request: &Request) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.numbered(request, sequence)
    }

    /// The datagram of a request with a number of its own.
    pub(crate) fn numbered(&self, request: &Request, sequence: u32) -> Vec<u8> {
        let payload = Message::request(request, self.message).encode();
        match &self.link {
            Link::V1_5 { auth_type, id, password } => {
                Packet::signed(*auth_type, password, sequence, *id, payload).encode()
            }
            Link::V2_0 { bmc_session, keys } => v2_0::seal(keys, *bmc_session, sequence, &payload, [7; 16]),
        }
    }

    /// What an answer says, which must be a sound one of this session.
    pub(crate) fn read(&self, answer: &[u8]) -> Response {
        match (&self.link, Datagram::decode(answer).unwrap()) {
            (Link::V1_5 { id, password, .. }, Datagram::V1_5(packet)) => {
                assert_eq!(packet.session, *id);
                assert!(packet.is_authentic(password));
                response(&packet.payload)
            }
            (Link::V2_0 { keys, .. }, Datagram::V2_0(envelope)) => {
                assert_eq!(envelope.session, CONSOLE_SESSION);
                response(&envelope.open(keys).unwrap())
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

pub(crate) const CONSOLE_SESSION: u32 = 0x1234_5678;

/// A session of IPMI 2.0 that is being opened.
pub(crate) struct Opening {
    pub(crate) bmc_session: u32,
    exchange: Exchange,
}

impl Opening {
    /// Asks for a session.
    pub(crate) fn begin(lab: &mut Lab, suite: u8) -> Result<Self, RakpStatus> {
        let answer = lab.send(&Self::request(suite)).unwrap();
        Self::on_response(&answer, suite)
    }

    pub(crate) fn request(suite: u8) -> Vec<u8> {
        let algorithms = CipherSuite::from_id(suite).unwrap().algorithms();
        let request = OpenRequest { tag: 1, privilege: 0, console_session: CONSOLE_SESSION, algorithms };
        v2_0::plain(PayloadType::OpenSessionRequest, &request.encode())
    }

    pub(crate) fn on_response(answer: &[u8], suite: u8) -> Result<Self, RakpStatus> {
        let response = OpenResponse::decode(&payload(answer, PayloadType::OpenSessionResponse)).unwrap();
        assert_eq!((response.tag, response.console_session), (1, CONSOLE_SESSION));
        let Accepted { bmc_session, .. } = response.accepted.ok_or(response.status)?;
        let exchange = Exchange {
            suite: CipherSuite::from_id(suite).unwrap(),
            console_session: CONSOLE_SESSION,
            bmc_session,
            console_random: [9; 16],
            bmc_random: [0; 16],
            bmc_guid: [0; 16],
            role: 0,
            username: Vec::new(),
        };
        Ok(Self { bmc_session, exchange })
    }

    /// The status of an answer to a request for a session.
    pub(crate) fn on_response_status(answer: &[u8]) -> RakpStatus {
        OpenResponse::decode(&payload(answer, PayloadType::OpenSessionResponse)).unwrap().status
    }

    pub(crate) fn message_1(&mut self, user: &str, role: u8) -> Vec<u8> {
        self.exchange.role = role;
        self.exchange.username = user.as_bytes().to_vec();
        let message = Message1 {
            tag: 2,
            bmc_session: self.bmc_session,
            console_random: self.exchange.console_random,
            role,
            username: self.exchange.username.clone(),
        };
        v2_0::plain(PayloadType::Rakp1, &message.encode())
    }

    pub(crate) fn on_message_2(&mut self, answer: &[u8]) -> Result<Vec<u8>, RakpStatus> {
        let message = Message2::decode(&payload(answer, PayloadType::Rakp2)).unwrap();
        let proof = message.proof.ok_or(message.status)?;
        self.exchange.bmc_random = proof.bmc_random;
        self.exchange.bmc_guid = proof.bmc_guid;
        Ok(proof.code)
    }

    /// Whether the BMC has shown that it knows the password.
    pub(crate) fn is_known_to_bmc(&self, password: &str, code: &[u8]) -> bool {
        self.exchange.is_code2(&secret(password), code)
    }

    pub(crate) fn message_3(&self, password: &str) -> Vec<u8> {
        let code = self.exchange.code3(&secret(password));
        let message = Message3 { tag: 3, status: RakpStatus::OK, bmc_session: self.bmc_session, code };
        v2_0::plain(PayloadType::Rakp3, &message.encode())
    }

    pub(crate) fn on_message_4(
        &self,
        answer: &[u8],
        password: &str,
        kg: Option<&str>,
    ) -> Result<Session, RakpStatus> {
        let message = Message4::decode(&payload(answer, PayloadType::Rakp4)).unwrap();
        if message.status != RakpStatus::OK {
            return Err(message.status);
        }
        let keys = self.exchange.keys(&secret(password), kg.map(secret).as_ref());
        assert!(self.exchange.is_code4(&keys, &message.code));
        let link = Link::V2_0 { bmc_session: self.bmc_session, keys: Box::new(keys) };
        Ok(Session { link, sequence: 1, message: 3 })
    }
}

fn payload(answer: &[u8], payload_type: PayloadType) -> Vec<u8> {
    match Datagram::decode(answer).unwrap() {
        Datagram::V2_0(envelope) => {
            assert_eq!(envelope.payload_type, payload_type);
            envelope.plain().unwrap().to_vec()
        }
        other => panic!("{other:?}"),
    }
}
