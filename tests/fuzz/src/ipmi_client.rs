//! The client of one BMC, driven through any sequence of requests, answers, forgeries, noise, time and interruptions.
//!
//! The promises: it never sends without being asked, by a caller, an answer or a deadline, and then a few datagrams at
//! most; whatever is waited for has a deadline, and comes to its end, whether the BMC is silent or answers without end;
//! what may be sent only once is, unless the BMC has refused it; an answer belongs to what was asked.

mod peer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use opendcre_ipmi::cipher::IntegrityAlgorithm;
use opendcre_ipmi::client::{
    Access, Client, Event, Order, PrivilegeRange, Protocol, Repeat, Timing, UserLookup,
};
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::packet::{Datagram, MAX_DATAGRAM};
use opendcre_ipmi::{CipherSuite, Completion, Message, NetFn, Privilege, REMOTE_CONSOLE, Request, Response};

use self::peer::{Character, Peer};
use crate::clock::some_instant;
use crate::entropy::Counting;
use crate::secret;

/// The farewell to one session, and the beginning of another.
const MAX_TRANSMITS: usize = 2;
/// That a session is open, and what became of the request.
const MAX_EVENTS: usize = 2;
/// A request whose privilege is refused is sent with the next one, up to that of an administrator.
const MAX_PRIVILEGES: usize = 4;
/// Every step of two attempts at a session, four times each.
const MAX_DEADLINES: usize = 64;
/// For each of three privileges of a request: two sessions, each with three roles twice over, with the longest list
/// of suites and every suite.
const MAX_ANSWERS: usize = 5000;

/// Plays one script; bytes that are no script are ignored.
pub fn ipmi_client(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let is_forgeable = script.is_forgeable();
    let mut bench = Bench::new(&script.settings, script.character, is_forgeable);
    for step in &script.steps {
        bench.play(step);
    }
    bench.expect_end_in_silence();
    bench.expect_end_with_answers(script.mood);
    bench.expect_end_in_silence();
}

#[derive(Debug, Arbitrary)]
struct Script {
    settings: Settings,
    character: Character,
    /// What the BMC answers everything with in the end.
    mood: u8,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
struct Settings {
    protocol: Version,
    knows_password: bool,
    has_bmc_key: bool,
    looks_up_privilege: bool,
    login: Level,
    most: Level,
    tries: u8,
    seed: u64,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Version {
    None,
    Md2,
    Md5,
    Password,
    /// The suites that may be used, as bits.
    Plus(u16),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Level {
    User,
    Operator,
    Administrator,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Order {
        once: bool,
        level: Level,
    },
    /// The BMC gets the oldest datagram, and the client the answer.
    Deliver {
        mood: u8,
        flaw: Flaw,
    },
    Lose,
    /// An earlier answer arrives once more.
    Replay(u8),
    /// Anything arrives.
    Noise(Vec<u8>),
    /// The BMC sends an answer in the session that nobody asked for.
    Forge {
        netfn: u8,
        sequence: u8,
        command: u8,
        data: Vec<u8>,
    },
    Wait {
        ms: u32,
    },
    Timer,
    Deadline,
    Close,
    Abandon,
    Restart,
}

#[derive(Debug, Arbitrary)]
enum Flaw {
    Nothing,
    Twice,
    Flip { byte: u8, bits: u8 },
    CutOff { length: u8 },
}

impl Script {
    /// Whether somebody without the keys, or with bad intentions and the keys, may have spoken as the BMC.
    fn is_forgeable(&self) -> bool {
        let is_weak = match self.settings.protocol {
            Version::Plus(_) => {
                self.settings.suites().iter().any(|suite| suite.integrity == IntegrityAlgorithm::None)
            }
            Version::Md2 | Version::Md5 => self.character.leaves_unsigned(),
            Version::None | Version::Password => true,
        };
        self.steps.iter().any(|step| match step {
            Step::Forge { .. } => true,
            Step::Noise(_) => is_weak,
            _ => false,
        })
    }
}

impl Settings {
    fn suites(&self) -> Vec<CipherSuite> {
        let Version::Plus(bits) = self.protocol else { return Vec::new() };
        let chosen = CipherSuite::ALL.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        chosen.map(|(_, suite)| *suite).collect()
    }

    fn access(&self) -> Access {
        Access {
            username: b"operator".to_vec(),
            password: secret(if self.knows_password { b"operator" } else { b"guess" }),
            bmc_key: self.has_bmc_key.then(|| secret(b"key")),
            protocol: match self.protocol {
                Version::None => Protocol::V1_5(AuthType::None),
                Version::Md2 => Protocol::V1_5(AuthType::Md2),
                Version::Md5 => Protocol::V1_5(AuthType::Md5),
                Version::Password => Protocol::V1_5(AuthType::Password),
                Version::Plus(_) => Protocol::V2_0(self.suites()),
            },
            lookup: if self.looks_up_privilege { UserLookup::NameAndPrivilege } else { UserLookup::Name },
            privilege: PrivilegeRange { login: self.login.privilege(), most: self.most.privilege() },
        }
    }
}

impl Level {
    const fn privilege(self) -> Privilege {
        match self {
            Self::User => Privilege::User,
            Self::Operator => Privilege::Operator,
            Self::Administrator => Privilege::Administrator,
        }
    }
}

/// A client together with its BMC, the line between them and the clock.
struct Bench {
    client: Client,
    peer: Peer,
    entropy: Counting,
    now: Instant,
    is_forgeable: bool,
    /// Every order has a number, which is in the data of its request and its answer.
    order: u32,
    running: Option<Running>,
    /// What is on its way to the BMC.
    sent: VecDeque<Vec<u8>>,
    /// What came from the BMC.
    heard: Vec<Vec<u8>>,
}

/// What was ordered and has no result yet.
struct Running {
    once: bool,
    sent: usize,
    refused: usize,
}

impl Bench {
    fn new(settings: &Settings, character: Character, is_forgeable: bool) -> Self {
        let timing = Timing { tries: settings.tries % 4 + 1, ..Timing::default() };
        Self {
            client: Client::new(Arc::new(settings.access()), timing),
            peer: Peer::new(character, secret(b"operator")),
            entropy: Counting(settings.seed),
            now: some_instant(),
            is_forgeable,
            order: 0,
            running: None,
            sent: VecDeque::new(),
            heard: Vec::new(),
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Order { once, level } => self.order(*once, *level),
            Step::Deliver { mood, flaw } => self.deliver(*mood, flaw),
            Step::Lose => drop(self.sent.pop_front()),
            Step::Replay(index) => {
                let count = self.heard.len();
                let earlier = usize::from(*index).checked_rem(count).and_then(|index| self.heard.get(index));
                earlier.cloned().into_iter().for_each(|bytes| self.receive(&bytes));
            }
            Step::Noise(bytes) => self.receive(bytes),
            Step::Forge { netfn, sequence, command, data } => {
                let message = Message {
                    to: REMOTE_CONSOLE,
                    netfn: NetFn(*netfn & 0x3f),
                    to_lun: 0,
                    from: 0x20,
                    sequence: *sequence & 0x3f,
                    from_lun: 0,
                    command: *command,
                    data: data.clone(),
                };
                let forged = self.peer.seal(&message);
                forged.into_iter().for_each(|bytes| self.receive(&bytes));
            }
            Step::Wait { ms } => self.now += Duration::from_millis((*ms).into()),
            Step::Timer => self.on_timer(),
            Step::Deadline => self.pass_deadline(),
            Step::Close => {
                self.client.close(self.now, &mut self.entropy);
                self.running = None;
                self.collect();
            }
            Step::Abandon => {
                self.client.abandon();
                self.running = None;
                self.collect();
            }
            Step::Restart => self.peer.restart(),
        }
    }

    fn order(&mut self, once: bool, level: Level) {
        let number = self.order + 1;
        // No BMC of this bench knows the command as one of sessions.
        let order = Order {
            request: Request::new(NetFn::CHASSIS, 2, &number.to_le_bytes()),
            repeat: if once { Repeat::Never } else { Repeat::Safe },
            privilege: level.privilege(),
        };
        let is_taken = self.client.request(order, self.now, &mut self.entropy).is_ok();
        assert_eq!(is_taken, self.running.is_none());
        if is_taken {
            self.order = number;
            self.running = Some(Running { once, sent: 0, refused: 0 });
        }
        self.collect();
    }

    fn deliver(&mut self, mood: u8, flaw: &Flaw) {
        let answer = self.sent.pop_front().and_then(|datagram| self.peer.on_datagram(&datagram, mood));
        let Some(mut bytes) = answer else { return };
        if let (true, Some(running)) = (mood == Completion::INSUFFICIENT_PRIVILEGE.0, &mut self.running) {
            running.refused += 1;
        }
        self.heard.push(bytes.clone());
        match flaw {
            Flaw::Nothing => {}
            Flaw::Twice => self.receive(&bytes),
            Flaw::Flip { byte, bits } => {
                if let Some(byte) = bytes.get_mut(usize::from(*byte)) {
                    *byte ^= bits;
                }
            }
            Flaw::CutOff { length } => bytes.truncate(usize::from(*length)),
        }
        self.receive(&bytes);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.client.on_datagram(bytes, self.now, &mut self.entropy);
        self.collect();
    }

    fn on_timer(&mut self) {
        self.client.on_timer(self.now, &mut self.entropy);
        self.collect();
    }

    fn pass_deadline(&mut self) {
        if let Some(deadline) = self.client.next_deadline() {
            self.now = self.now.max(deadline);
            self.on_timer();
        }
    }

    /// Takes what the client gives and holds it against its promises.
    fn collect(&mut self) {
        let mut transmits = 0;
        while let Some(datagram) = self.client.poll_transmit() {
            transmits += 1;
            self.check_transmit(&datagram);
            self.sent.push_back(datagram);
        }
        assert!(transmits <= MAX_TRANSMITS, "{transmits} datagrams at once");
        let mut events = 0;
        while let Some(event) = self.client.poll_event() {
            events += 1;
            self.check_event(&event);
        }
        assert!(events <= MAX_EVENTS, "{events} events at once");
        assert_eq!(self.client.is_busy(), self.running.is_some());
        assert!(!self.client.is_busy() || self.client.next_deadline().is_some(), "waits without a deadline");
    }

    fn check_transmit(&mut self, datagram: &[u8]) {
        assert!(datagram.len() <= MAX_DATAGRAM && Datagram::decode(datagram).is_ok(), "{datagram:02x?}");
        let message = self.peer.read(datagram);
        let Some(message) = message.filter(|message| message.netfn == NetFn::CHASSIS) else { return };
        assert_eq!(message.data, self.order.to_le_bytes(), "an order that is over is sent");
        let Some(running) = &mut self.running else { panic!("an order that is over is sent") };
        running.sent += 1;
        if running.once {
            assert!(running.sent <= MAX_PRIVILEGES);
            assert!(self.is_forgeable || running.sent <= 1 + running.refused, "sent {} times", running.sent);
        }
    }

    fn check_event(&mut self, event: &Event) {
        match event {
            Event::Opened | Event::Closed => {}
            Event::Answered(Response { data, .. }) => {
                assert!(self.running.take().is_some(), "an answer that nobody asked for");
                assert!(
                    self.is_forgeable || *data == self.order.to_le_bytes(),
                    "the answer to something else"
                );
            }
            Event::Failed(failure) => {
                let running = self.running.take();
                assert!(running.is_some(), "a failure of nothing: {failure}");
                let was_sent = running.is_some_and(|running| running.sent > 0);
                assert!(!failure.was_sent() || was_sent || self.is_forgeable, "{failure}, but it was not");
            }
        }
    }

    /// Lets time pass, and nothing else, until nothing is waited for.
    fn expect_end_in_silence(&mut self) {
        for _ in 0..MAX_DEADLINES {
            self.pass_deadline();
        }
        assert_eq!(self.client.next_deadline(), None, "still waits after {MAX_DEADLINES} deadlines");
        self.sent.clear();
    }

    /// Orders something from a BMC that answers everything at once.
    fn expect_end_with_answers(&mut self, mood: u8) {
        self.order(true, Level::Operator);
        for _ in 0..MAX_ANSWERS {
            if self.running.is_none() {
                return;
            }
            if self.sent.is_empty() {
                self.pass_deadline();
            }
            self.deliver(mood, &Flaw::Nothing);
            self.heard.clear();
        }
        panic!("no end after {MAX_ANSWERS} answers with the code {mood:02x}h");
    }
}
