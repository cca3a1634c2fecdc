//! A network of scripted BMCs in virtual time: what the core sends is answered, late, twice or not at all.
//!
//! The BMCs speak IPMI 1.5 without authentication, which is the least that a session needs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opendcre_ipmi::client::{Access, Entropy, PrivilegeRange, Protocol, UserLookup};
use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::v1_5::{AuthType, Packet};
use opendcre_ipmi::session::{self, ActiveSession, ChannelAuthCapabilities};
use opendcre_ipmi::{Completion, Message, NetFn, Request, Secret, chassis};
use opendcre_model::{BoardId, Context, Priority};
use tokio::sync::oneshot;

use super::super::config::{BmcConfig, Settings};
use super::super::queue::{Intent, Job, Outcome};
use super::{Core, Transmit};

/// The time that a datagram takes each way.
const WAY: Duration = Duration::from_millis(1);

/// Numbers that look random and are the same every time (Knuth, MMIX).
pub(super) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.to_be_bytes()[0]
    }

    fn happens(&mut self, percent: u8) -> bool {
        u16::from(self.roll()) * 100 < u16::from(percent) * 256
    }
}

impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.roll());
    }
}

/// One BMC and what is wrong with it.
#[derive(Default)]
pub(super) struct Bmc {
    pub(super) is_dead: bool,
    pub(super) is_on: bool,
    /// How long it thinks about a command of a session.
    pub(super) thinks: Duration,
    /// The command that it carries out without answering.
    pub(super) mute: Option<u8>,
    /// The completion codes of its next answers within a session.
    pub(super) codes: Vec<Completion>,
    /// The commands that reached it within a session, in their order; a repeated one counts once.
    pub(super) seen: Vec<(NetFn, u8)>,
    /// How often it carried out a chassis control.
    pub(super) controls: u32,
    /// A command came while it thought about another one.
    pub(super) was_pushed: bool,
    session: Option<u32>,
    sessions: u32,
    outbound: u32,
    last: Option<(u8, Vec<u8>)>,
    busy_until: Option<Instant>,
}

impl Bmc {
    /// What it answers, and after how long.
    fn answer(&mut self, bytes: &[u8], now: Instant) -> Option<(Vec<u8>, Duration)> {
        let Ok(Datagram::V1_5(packet)) = Datagram::decode(bytes) else { return None };
        let request = Message::decode(&packet.payload).unwrap();
        let in_session = packet.session != 0 && Some(packet.session) == self.session;
        if packet.session != 0 && !in_session && request.command != session::ACTIVATE_SESSION {
            return None;
        }
        let thinks = if in_session { self.thinks } else { Duration::ZERO };
        let data = if in_session { self.command(&request, now) } else { self.greet(&request) };
        let reply = request.reply(data);
        if in_session && Some(request.command) == self.mute {
            return None;
        }
        if packet.session == 0 {
            return Some((Packet::plain(reply.encode()).encode(), thinks));
        }
        let session = packet.session;
        self.outbound += 1;
        let reply = Packet { sequence: self.outbound, session, ..Packet::plain(reply.encode()) };
        Some((reply.encode(), thinks))
    }

    /// What comes before a session.
    fn greet(&mut self, request: &Message) -> Vec<u8> {
        let answer = match request.command {
            session::GET_CHANNEL_AUTH_CAPABILITIES => {
                ChannelAuthCapabilities { channel: 1, auth_types: 1, status: 0, extended: 1 }.encode()
            }
            session::GET_SESSION_CHALLENGE => [7; 20].to_vec(),
            session::ACTIVATE_SESSION => {
                self.sessions += 1;
                self.session = Some(self.sessions);
                self.last = None;
                let first_inbound: [u8; 4] = request.data[18..22].try_into().unwrap();
                self.outbound = u32::from_le_bytes(first_inbound) - 1;
                ActiveSession {
                    auth_type: 0,
                    session: self.sessions,
                    first_outbound: 1,
                    privilege: request.data[1],
                }
                .encode()
            }
            command => panic!("{command:#x} outside of a session"),
        };
        [vec![0], answer].concat()
    }

    fn command(&mut self, request: &Message, now: Instant) -> Vec<u8> {
        if let Some((sequence, answer)) = &self.last
            && *sequence == request.sequence
        {
            return answer.clone();
        }
        self.was_pushed |= self.busy_until.is_some_and(|busy_until| now < busy_until);
        self.busy_until = Some(now + self.thinks);
        self.seen.push((request.netfn, request.command));
        let answer = self.carry_out(request);
        self.last = Some((request.sequence, answer.clone()));
        answer
    }

    fn carry_out(&mut self, request: &Message) -> Vec<u8> {
        let is_session = [session::SET_SESSION_PRIVILEGE, session::CLOSE_SESSION].contains(&request.command);
        if !is_session && !self.codes.is_empty() {
            return vec![self.codes.remove(0).0];
        }
        match (request.netfn, request.command) {
            (NetFn::APP, session::SET_SESSION_PRIVILEGE) => vec![0, request.data[0]],
            (NetFn::APP, session::CLOSE_SESSION) => {
                self.session = None;
                vec![0]
            }
            (NetFn::CHASSIS, chassis::CHASSIS_CONTROL) => {
                self.controls += 1;
                self.is_on = request.data[0] != 0;
                vec![0]
            }
            (NetFn::CHASSIS, chassis::GET_CHASSIS_STATUS) => vec![0, u8::from(self.is_on), 0, 0],
            _ => vec![0, 0x20, 1, 1, 1, 0x51, 0, 0, 0, 0, 0, 0],
        }
    }

    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// How often a command of this number came.
    pub(super) fn count(&self, command: u8) -> usize {
        self.seen.iter().filter(|(_, seen)| *seen == command).count()
    }
}

/// BMCs, and the core that asks them.
pub(super) struct Network {
    pub(super) core: Core,
    pub(super) bmcs: Vec<Bmc>,
    pub(super) now: Instant,
    /// Percentages of datagrams that are lost and that arrive twice.
    pub(super) loss: u8,
    pub(super) duplicates: u8,
    /// The percentage of answers that arrive damaged.
    pub(super) damage: u8,
    /// How many datagrams the core has sent.
    pub(super) sent: usize,
    /// How often the core was told that time has passed.
    pub(super) wakes: usize,
    dice: Dice,
    arrivals: usize,
    /// On their way to the core, in the order of their arrival.
    arriving: BTreeMap<(Instant, usize), (SocketAddr, Vec<u8>)>,
}

pub(super) fn address(bmc: usize) -> SocketAddr {
    let [.., high, low] = bmc.to_be_bytes();
    ([127, 1, high, low], 623).into()
}

fn access() -> Arc<Access> {
    Arc::new(Access {
        username: Vec::new(),
        password: Secret::new(b"").unwrap(),
        bmc_key: None,
        protocol: Protocol::V1_5(AuthType::None),
        lookup: UserLookup::Name,
        privilege: PrivilegeRange::default(),
    })
}

impl Network {
    pub(super) fn new(count: usize, settings: Settings) -> Self {
        let now = tokio::time::Instant::now().into_std();
        let access = access();
        let configs: Vec<BmcConfig> = (0..count)
            .map(|bmc| {
                let board = BoardId(u32::try_from(bmc).unwrap());
                BmcConfig::new(board, address(bmc), Arc::clone(&access))
            })
            .collect();
        Self {
            core: Core::new(&configs, settings, Box::new(Dice(1)), now),
            bmcs: (0..count).map(|_| Bmc::default()).collect(),
            now,
            loss: 0,
            duplicates: 0,
            damage: 0,
            sent: 0,
            wakes: 0,
            dice: Dice(2),
            arrivals: 0,
            arriving: BTreeMap::new(),
        }
    }

    /// Hands a command in, with ten seconds' time.
    pub(super) fn submit(
        &mut self,
        bmc: usize,
        command: u8,
        intent: Intent,
        priority: Priority,
    ) -> oneshot::Receiver<Outcome> {
        self.submit_within(Duration::from_secs(10), bmc, command, intent, priority)
    }

    pub(super) fn submit_within(
        &mut self,
        limit: Duration,
        bmc: usize,
        command: u8,
        intent: Intent,
        priority: Priority,
    ) -> oneshot::Receiver<Outcome> {
        let (answer, receiver) = oneshot::channel();
        let request = Request::new(NetFn::CHASSIS, command, &[1]);
        let context = Context { deadline: self.now + limit, priority };
        self.core.submit(bmc, Job { request, intent, context, answer }, self.now);
        self.transmit();
        receiver
    }

    pub(super) fn read(&mut self, bmc: usize) -> oneshot::Receiver<Outcome> {
        self.submit(bmc, chassis::GET_CHASSIS_STATUS, Intent::Read, Priority::Read)
    }

    pub(super) fn control(&mut self, bmc: usize) -> oneshot::Receiver<Outcome> {
        self.submit(bmc, chassis::CHASSIS_CONTROL, Intent::Change, Priority::Control)
    }

    /// Lets time pass until `end`, step by step.
    pub(super) fn run_until(&mut self, end: Instant) {
        while let Some(at) = self.next_step().filter(|at| *at <= end) {
            self.step(at);
        }
        self.now = end;
    }

    /// Lets time pass in which nothing runs; then everything that has become due happens at once, arrivals first.
    pub(super) fn sleep_through(&mut self, time: Duration) {
        self.now += time;
        while let Some(at) = self.next_step().filter(|at| *at <= self.now) {
            self.step(at);
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets time pass until the answer is there.
    pub(super) fn wait(&mut self, mut receiver: oneshot::Receiver<Outcome>) -> Outcome {
        loop {
            if let Ok(outcome) = receiver.try_recv() {
                return outcome;
            }
            let at = self.next_step().expect("an answer must come");
            self.step(at);
        }
    }

    fn next_step(&mut self) -> Option<Instant> {
        let arrival = self.arriving.first_key_value().map(|((at, _), _)| *at);
        [arrival, self.core.next_deadline()].into_iter().flatten().min()
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        match self.arriving.first_key_value() {
            Some(((arrives_at, number), _)) if *arrives_at <= self.now => {
                let key = (*arrives_at, *number);
                let (from, bytes) = self.arriving.remove(&key).unwrap();
                self.core.on_datagram(from, &bytes, self.now);
            }
            _ => {
                self.wakes += 1;
                self.core.on_timer(self.now);
            }
        }
        self.transmit();
    }

    /// Carries what the core sends to the BMCs, and their answers on their way.
    pub(super) fn transmit(&mut self) {
        while let Some(Transmit { to, bytes }) = self.core.poll_transmit() {
            self.sent += 1;
            for _ in 0..self.copies() {
                self.deliver(to, &bytes);
            }
        }
    }

    fn deliver(&mut self, to: SocketAddr, bytes: &[u8]) {
        let SocketAddr::V4(address) = to else { panic!("{to}") };
        let [_, _, high, low] = address.ip().octets();
        let bmc = &mut self.bmcs[usize::from(u16::from_be_bytes([high, low]))];
        if bmc.is_dead {
            return;
        }
        let Some((answer, thinks)) = bmc.answer(bytes, self.now + WAY) else { return };
        for copy in 0..self.copies() {
            let at = self.now + WAY * 2 + thinks + WAY * u32::from(copy);
            self.arrivals += 1;
            let bytes = self.damaged(answer.clone());
            self.arriving.insert((at, self.arrivals), (to, bytes));
        }
    }

    /// Sometimes cuts off an end, or changes a byte.
    fn damaged(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.dice.happens(self.damage) {
            let place = usize::from(self.dice.roll()) % bytes.len();
            if self.dice.happens(50) {
                bytes.truncate(place);
            } else {
                bytes[place] ^= self.dice.roll() | 1;
            }
        }
        bytes
    }

    fn copies(&mut self) -> u8 {
        if self.dice.happens(self.loss) {
            return 0;
        }
        1 + u8::from(self.dice.happens(self.duplicates))
    }
}
