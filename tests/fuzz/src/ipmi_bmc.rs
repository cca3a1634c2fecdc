//! An emulated BMC, given any datagrams at any time, between those of two clients that log in and send any command.
//!
//! The promises: a datagram has as many replies as the faults explain, and one at most without faults; replies fit into
//! datagrams, are in time and, without faults, are sound; clients come to an end with it. Its tables have bounds of
//! their own, which show here only as memory.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use opendcre_emulator::bmc::{AccessConfig, Bmc, FaultPlan, FleetConfig, MachineConfig};
use opendcre_ipmi::client::{Access, Client, Order, PrivilegeRange, Protocol, Repeat, Timing, UserLookup};
use opendcre_ipmi::packet::v1_5::{AuthType, Packet};
use opendcre_ipmi::packet::v2_0::{self, PayloadType};
use opendcre_ipmi::packet::{Datagram, MAX_DATAGRAM};
use opendcre_ipmi::{BMC_ADDRESS, CipherSuite, Message, NetFn, Privilege, REMOTE_CONSOLE, Request};

use crate::clock::some_instant;
use crate::entropy::Counting;
use crate::secret;

/// One of another session, one that was held back, and the reply twice.
const MAX_REPLIES: usize = 4;
const DELAY_MAX: Duration = Duration::from_millis(200);
const SLOW_BY: Duration = Duration::from_millis(500);
/// Datagrams of a client until its request is over; deadlines count too.
const MAX_EXCHANGES: usize = 2000;
/// Some second of the year 2026.
const SECONDS: u32 = 1_790_000_000;

/// Plays one script; bytes that are no script are ignored.
pub fn ipmi_bmc(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut bench = Bench::new(&script);
    for step in &script.steps {
        bench.play(step);
    }
    bench.consoles().for_each(|console| bench.exchange(console));
}

#[derive(Debug, Arbitrary)]
struct Script {
    logins: [(Login, Version); 2],
    /// Rates that may be out of range or no numbers at all.
    faults: Option<Rates>,
    knows_key: bool,
    session_limit: u8,
    read_limit: u8,
    seed: u64,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
struct Rates {
    loss: f64,
    delay: f64,
    duplicate: f64,
    reorder: f64,
    truncate: f64,
    corrupt: f64,
    busy: f64,
    session_loss: f64,
    foreign: f64,
    oversize: f64,
    defects: f64,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Login {
    Administrator,
    Operator,
    User,
    Guesser,
    Stranger,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Version {
    None,
    Md2,
    Md5,
    Password,
    Plus(u8),
}

#[derive(Debug, Arbitrary)]
enum Step {
    Datagram {
        console: bool,
        bytes: Vec<u8>,
    },
    /// A message outside of sessions.
    Question {
        netfn: u8,
        command: u8,
        data: Vec<u8>,
        is_2_0: bool,
    },
    /// What claims to begin a session of IPMI 2.0.
    Setup {
        payload_type: u8,
        payload: Vec<u8>,
    },
    /// A command in the session of a client, which opens one.
    Command {
        console: bool,
        netfn: u8,
        lun: u8,
        command: u8,
        data: Vec<u8>,
        once: bool,
    },
    /// The last datagram of a client once more, with some bits flipped.
    Repeat {
        console: bool,
        byte: u8,
        bits: u8,
    },
    Close {
        console: bool,
    },
    Wait {
        ms: u32,
    },
}

impl Script {
    fn config(&self) -> FleetConfig {
        let access = AccessConfig {
            cipher_suites: CipherSuite::ALL.iter().map(|suite| suite.id).collect(),
            kg: self.knows_key.then(|| secret(b"key")),
            session_limit: self.session_limit % 63 + 1,
            ..AccessConfig::default()
        };
        let machine = MachineConfig {
            read_limit: self.read_limit.max(8),
            event_log_capacity: 16,
            event_interval: Duration::from_secs(1),
            ..MachineConfig::default()
        };
        FleetConfig { access, machine, seed: self.seed, faults: self.plan(), ..FleetConfig::default() }
    }

    fn plan(&self) -> FaultPlan {
        let Some(rates) = &self.faults else { return FaultPlan::default() };
        FaultPlan {
            seed: self.seed,
            loss: rates.loss,
            delay: rates.delay,
            delay_max: DELAY_MAX,
            duplicate: rates.duplicate,
            reorder: rates.reorder,
            truncate: rates.truncate,
            corrupt: rates.corrupt,
            busy: rates.busy,
            session_loss: rates.session_loss,
            foreign: rates.foreign,
            oversize: rates.oversize,
            slow: rates.defects,
            slow_by: SLOW_BY,
            dead: rates.defects / 8.0,
            sdr_loop: rates.defects,
            sdr_endless: rates.defects,
            fru_endless: rates.defects,
        }
    }

    fn client(&self, login: Login, version: Version) -> Client {
        let (name, password): (&[u8], &[u8]) = match login {
            Login::Administrator => (b"ADMIN", b"ADMIN"),
            Login::Operator => (b"operator", b"operator"),
            Login::User => (b"user", b"user"),
            Login::Guesser => (b"ADMIN", b"guess"),
            Login::Stranger => (b"stranger", b""),
        };
        let access = Access {
            username: name.to_vec(),
            password: secret(password),
            bmc_key: self.knows_key.then(|| secret(b"key")),
            protocol: match version {
                Version::None => Protocol::V1_5(AuthType::None),
                Version::Md2 => Protocol::V1_5(AuthType::Md2),
                Version::Md5 => Protocol::V1_5(AuthType::Md5),
                Version::Password => Protocol::V1_5(AuthType::Password),
                Version::Plus(index) => {
                    let index = usize::from(index) % CipherSuite::ALL.len();
                    Protocol::V2_0(CipherSuite::ALL.iter().skip(index).copied().collect())
                }
            },
            lookup: UserLookup::Name,
            privilege: PrivilegeRange::default(),
        };
        Client::new(Arc::new(access), Timing::default())
    }
}

/// A BMC with its clients, and the clock.
struct Bench {
    bmc: Bmc,
    clients: [Client; 2],
    /// The last datagram of each client.
    last: [Vec<u8>; 2],
    entropy: Counting,
    now: Instant,
    has_faults: bool,
}

impl Bench {
    fn new(script: &Script) -> Self {
        let now = some_instant();
        let bmc = match Bmc::fleet(&script.config(), now, SECONDS) {
            Ok(bmcs) => bmcs.into_iter().next(),
            Err(error) => panic!("{error}"),
        };
        Self {
            bmc: bmc.unwrap_or_else(|| panic!("a fleet without a BMC")),
            clients: script.logins.map(|(login, version)| script.client(login, version)),
            last: [Vec::new(), Vec::new()],
            entropy: Counting(script.seed),
            now,
            has_faults: script.faults.is_some(),
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Datagram { console, bytes } => drop(self.ask((*console).into(), bytes)),
            Step::Question { netfn, command, data, is_2_0 } => {
                let message = Message {
                    to: BMC_ADDRESS,
                    netfn: NetFn(netfn & 0x3f),
                    to_lun: 0,
                    from: REMOTE_CONSOLE,
                    sequence: 1,
                    from_lun: 0,
                    command: *command,
                    data: data.clone(),
                };
                let bytes = match is_2_0 {
                    true => v2_0::plain(PayloadType::Ipmi, &message.encode()),
                    false => Packet::plain(message.encode()).encode(),
                };
                self.ask(0, &bytes);
            }
            Step::Setup { payload_type, payload } => {
                let payload_type = PayloadType::from_number(*payload_type);
                self.ask(0, &v2_0::plain(payload_type, payload));
            }
            Step::Command { console, netfn, lun, command, data, once } => {
                let request = Request {
                    netfn: NetFn(netfn & 0x3e),
                    lun: lun & 3,
                    command: *command,
                    data: data.iter().copied().take(128).collect(),
                };
                let repeat = if *once { Repeat::Never } else { Repeat::Safe };
                self.order((*console).into(), Order { request, repeat, privilege: Privilege::User });
            }
            Step::Repeat { console, byte, bits } => {
                let console = usize::from(*console);
                let mut bytes = self.last.get(console).cloned().unwrap_or_default();
                if let Some(byte) = bytes.get_mut(usize::from(*byte)) {
                    *byte ^= bits;
                }
                self.ask(console, &bytes);
            }
            Step::Close { console } => {
                let console = usize::from(*console);
                if let Some(client) = self.clients.get_mut(console) {
                    client.close(self.now, &mut self.entropy);
                }
                self.exchange(console);
            }
            Step::Wait { ms } => self.now += Duration::from_millis((*ms).into()),
        }
    }

    fn consoles(&self) -> std::ops::Range<usize> {
        0..self.clients.len()
    }

    fn order(&mut self, console: usize, order: Order) {
        if let Some(client) = self.clients.get_mut(console) {
            let taken = client.request(order, self.now, &mut self.entropy);
            assert!(taken.is_ok(), "the request before is not over");
        }
        self.exchange(console);
    }

    /// Carries datagrams between a client and the BMC until nothing is waited for.
    fn exchange(&mut self, console: usize) {
        for _ in 0..MAX_EXCHANGES {
            let Some(client) = self.clients.get_mut(console) else { return };
            while client.poll_event().is_some() {}
            if let Some(datagram) = client.poll_transmit() {
                let replies = self.ask(console, &datagram);
                self.last.get_mut(console).into_iter().for_each(|last| last.clone_from(&datagram));
                let Some(client) = self.clients.get_mut(console) else { return };
                for reply in replies {
                    client.on_datagram(&reply, self.now, &mut self.entropy);
                }
            } else if let Some(deadline) = client.next_deadline() {
                self.now = self.now.max(deadline);
                client.on_timer(self.now, &mut self.entropy);
            } else {
                return;
            }
        }
        panic!("no end after {MAX_EXCHANGES} exchanges");
    }

    /// Gives the BMC a datagram and holds its replies against the promises.
    fn ask(&mut self, console: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        let port = 1024 + u16::from(console != 0);
        let peer = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let replies = self.bmc.on_datagram(peer, bytes, self.now);
        let most = if self.has_faults { MAX_REPLIES } else { 1 };
        assert!(replies.len() <= most, "{} replies", replies.len());
        for reply in &replies {
            assert!(reply.bytes.len() <= MAX_DATAGRAM, "a reply of {} bytes", reply.bytes.len());
            assert!(reply.delay <= DELAY_MAX + SLOW_BY);
            assert!(self.has_faults || Datagram::decode(&reply.bytes).is_ok(), "{reply:02x?}");
        }
        replies.into_iter().map(|reply| reply.bytes).collect()
    }
}
