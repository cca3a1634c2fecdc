//! The bus master, driven through any sequence of requests, answers, noise, time and interruptions.
//!
//! The promises: it asks no more often than it may and never sends a changing command twice; a result belongs to what
//! was asked; it comes to an end by itself; and whatever happened before, the next clean answer is understood. That
//! received bytes do not pile up is asserted inside the deframer.

use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Unstructured};
use opendcre_devicebus::{
    Command, Completion, Master, MasterConfig, Packet, PowerSwitch, Protocol, Reply, ReplyMatching, Request,
    TransactionError,
};

use crate::clock::some_instant;

/// What the configuration allows.
const MAX_RETRIES: u8 = 10;

/// Plays one script; bytes that are no script are ignored.
pub fn master(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut bench = Bench::new(&script.settings);
    for step in &script.steps {
        bench.play(step);
    }
    bench.finish();
    bench.expect_clean_exchange(&script.noise);
    bench.expect_clean_scan();
}

#[derive(Debug, Arbitrary)]
struct Script {
    settings: Settings,
    noise: Vec<u8>,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
struct Settings {
    baud: u32,
    reply_timeout_ms: u16,
    compatible: bool,
    repeats: bool,
    retry_limit: u8,
    quiet_ms: u8,
    scan_pause_ms: u8,
    save_after_scan: bool,
}

impl Settings {
    fn config(&self) -> MasterConfig {
        MasterConfig {
            baud: self.baud,
            reply_timeout: Duration::from_millis(self.reply_timeout_ms.into()),
            matching: match self.compatible {
                true => ReplyMatching::Compatible,
                false => ReplyMatching::Strict,
            },
            protocol: if self.repeats { Protocol::V1_3 } else { Protocol::V1_1 },
            retry_limit: self.retry_limit % (MAX_RETRIES + 1),
            quiet: Duration::from_millis(self.quiet_ms.into()),
            scan_pause: Duration::from_millis(self.scan_pause_ms.into()),
            save_after_scan: self.save_after_scan,
        }
    }
}

#[derive(Debug, Arbitrary)]
enum Step {
    Ask {
        kind_code: u8,
        board: u32,
        device: u16,
        order: Order,
    },
    /// Bytes that nobody asked for.
    Noise(Vec<u8>),
    /// The answer to what was sent last, so many times.
    Answer {
        data: Vec<u8>,
        flaw: Flaw,
        times: u8,
    },
    /// Time passes unnoticed.
    Wait {
        ms: u16,
    },
    /// The timer is looked at, perhaps too early or too late.
    Timer,
    /// Time passes until the next deadline.
    Deadline,
    Abort,
}

#[derive(Debug, Arbitrary)]
enum Order {
    Scan,
    Version,
    Read,
    AssetText,
    SetAssetText(Vec<u8>),
    PowerStatus,
    PowerCycle,
    Repeat,
}

impl Order {
    fn command(&self) -> Command {
        match self {
            Self::Scan => Command::Scan,
            Self::Version => Command::Version,
            Self::Read => Command::Read,
            Self::AssetText => Command::AssetText,
            Self::SetAssetText(text) => Command::SetAssetText(text.clone()),
            Self::PowerStatus => Command::PowerStatus,
            Self::PowerCycle => Command::Power(PowerSwitch::Cycle),
            Self::Repeat => Command::Repeat,
        }
    }
}

/// What is wrong with an answer.
#[derive(Debug, Arbitrary)]
enum Flaw {
    Nothing,
    Sequence(u8),
    Board(u32),
    Device(u16),
    /// The addresses that responders of 1.1 put into every answer.
    Unaddressed,
    Flip {
        byte: u8,
        bits: u8,
    },
    CutOff {
        length: u8,
    },
}

/// A master together with the line and the clock.
struct Bench {
    master: Master,
    config: MasterConfig,
    now: Instant,
    /// What was asked and has no result yet.
    running: Option<Request>,
    /// What was sent for it.
    sent: Vec<Packet>,
    /// What came of the last request.
    completion: Option<Completion>,
}

impl Bench {
    fn new(settings: &Settings) -> Self {
        Self {
            master: Master::new(settings.config()),
            config: settings.config(),
            now: some_instant(),
            running: None,
            sent: Vec::new(),
            completion: None,
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Ask { kind_code, board, device, order } => {
                self.ask(Request::to_device(*kind_code, *board, *device, order.command()));
            }
            Step::Noise(bytes) => self.receive(bytes),
            Step::Answer { data, flaw, times } => self.answer(data, flaw, *times),
            Step::Wait { ms } => self.now += Duration::from_millis((*ms).into()),
            Step::Timer => {
                self.master.on_timer(self.now);
                self.collect();
            }
            Step::Deadline => self.pass_deadline(),
            Step::Abort => {
                self.master.abort();
                self.running = None;
                self.collect();
            }
        }
    }

    fn ask(&mut self, request: Request) {
        let was_idle = self.running.is_none();
        match self.master.start(request.clone(), self.now) {
            Ok(()) => {
                assert!(was_idle, "two transactions at the same time");
                self.running = Some(request);
                self.sent.clear();
            }
            Err(TransactionError::NotIdle) => assert!(!was_idle, "idle, but refuses to start"),
            Err(TransactionError::Unsendable(_)) => assert!(request.encode(0).is_err()),
            Err(other) => panic!("{request:?} could not be started: {other}"),
        }
        self.collect();
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.master.on_bytes(bytes, self.now);
        self.collect();
    }

    fn answer(&mut self, data: &[u8], flaw: &Flaw, times: u8) {
        for _ in 0..times {
            let request = self.running.as_ref().and(self.sent.last());
            let Some(bytes) = request.and_then(|request| flawed_answer(request, data, flaw)) else {
                return;
            };
            self.receive(&bytes);
        }
    }

    fn pass_deadline(&mut self) {
        if let Some(deadline) = self.master.next_deadline() {
            self.now = self.now.max(deadline);
            self.master.on_timer(self.now);
            self.collect();
        }
    }

    /// Takes what the master gives and holds it against its promises.
    fn collect(&mut self) {
        while let Some(transmit) = self.master.poll_transmit() {
            let sent = Packet::decode(&transmit.bytes);
            assert!(sent.is_ok(), "{transmit:?} is no packet");
            self.sent.extend(sent);
        }
        if let Some(completion) = self.master.poll_completion() {
            let request = self.running.take();
            assert!(request.is_some(), "a result that nobody asked for: {completion:?}");
            request.inspect(|request| self.check_completion(request, &completion));
            self.completion = Some(completion);
        }
        self.check_sent();
        assert_eq!(self.master.is_idle(), self.running.is_none());
        assert_eq!(self.master.next_deadline().is_some(), self.running.is_some());
    }

    fn check_sent(&self) {
        let attempts = usize::from(self.config.retry_limit) + 1;
        let saves = usize::from(self.config.save_after_scan);
        assert!(self.sent.len() <= attempts + saves, "sent {} packets", self.sent.len());
        if let Some(request) = self.running.as_ref().filter(|request| !request.command.is_safe()) {
            let data = request.command.encode();
            let times = self.sent.iter().filter(|packet| packet.data == data).count();
            assert!(times <= 1, "sent {request:?} {times} times");
        }
    }

    fn check_completion(&self, request: &Request, completion: &Completion) {
        let is_scan = request.command == Command::Scan;
        match completion {
            Ok(Reply::Packet { packet, .. }) => {
                assert!(!is_scan, "a scan ends with a list");
                if self.config.matching == ReplyMatching::Strict {
                    assert!(self.sent.iter().any(|sent| sent.sequence == packet.sequence));
                    let expected = request.packet(packet.sequence);
                    let addresses = |packet: &Packet| (packet.kind_code, packet.board, packet.device);
                    assert_eq!(addresses(packet), addresses(&expected));
                }
            }
            Ok(Reply::Scan(packets)) => {
                assert!(is_scan && !packets.is_empty());
                let asked = |packet: &Packet| request.is_scan_all() || packet.board == request.board;
                assert!(packets.iter().all(asked));
            }
            Err(
                TransactionError::Timeout
                | TransactionError::Unmatched { .. }
                | TransactionError::Corrupt { .. },
            ) => {}
            Err(TransactionError::TooManyReplies) => assert!(is_scan),
            Err(other) => panic!("{request:?} was started, then {other}"),
        }
    }

    /// Lets time pass, and nothing else, until the running transaction has come to its end.
    fn finish(&mut self) {
        // Settling at the most once, then for every attempt: silence, the end of the wait, and a pause.
        let deadlines = 3 * (usize::from(self.config.retry_limit) + 2);
        for _ in 0..deadlines {
            self.pass_deadline();
        }
        assert!(self.running.is_none(), "still running after {deadlines} deadlines");
    }

    /// Starts a request and waits until it has been sent.
    fn send(&mut self, request: Request) -> Packet {
        self.ask(request);
        // A late answer to the request before may have to pass first.
        if self.sent.is_empty() {
            self.pass_deadline();
        }
        match self.sent.as_slice() {
            [sent] => sent.clone(),
            other => panic!("sent {other:?} for one request"),
        }
    }

    fn expect_clean_exchange(&mut self, noise: &[u8]) {
        let sent = self.send(Request::to_device(0x9c, 1, 0x01ff, Command::Read));
        // Noise with a header in it may swallow the answer; all other noise must not.
        let noise: Vec<u8> = noise.iter().copied().filter(|byte| *byte != 1).collect();
        self.receive(&noise);
        let answer = Packet { data: b"656".to_vec(), ..sent };
        for byte in answer.encode().unwrap_or_default() {
            self.receive(&[byte]);
        }
        assert_eq!(self.completion, Some(Ok(Reply::Packet { packet: answer, repeated: false })));
    }

    fn expect_clean_scan(&mut self) {
        let sent = self.send(Request::to_board(1, Command::Scan));
        let answer = Packet { data: vec![sent.kind_code], device: 0x01ff, ..sent };
        self.receive(&answer.encode().unwrap_or_default());
        self.finish();
        assert_eq!(self.completion, Some(Ok(Reply::Scan(vec![answer]))));
    }
}

/// The bytes of an answer; `None` for data that no packet can hold.
fn flawed_answer(request: &Packet, data: &[u8], flaw: &Flaw) -> Option<Vec<u8>> {
    let mut packet = Packet { data: data.to_vec(), ..request.clone() };
    match flaw {
        Flaw::Sequence(sequence) => packet.sequence = *sequence,
        Flaw::Board(board) => packet.board = *board,
        Flaw::Device(device) => packet.device = *device,
        Flaw::Unaddressed => {
            (packet.sequence, packet.kind_code, packet.board, packet.device) = (1, 0xff, 0, 0xffff);
        }
        Flaw::Nothing | Flaw::Flip { .. } | Flaw::CutOff { .. } => {}
    }
    let mut bytes = packet.encode().ok()?;
    match flaw {
        Flaw::Flip { byte, bits } => {
            if let Some(byte) = bytes.get_mut(usize::from(*byte)) {
                *byte ^= bits;
            }
        }
        Flaw::CutOff { length } => bytes.truncate(usize::from(*length)),
        _ => {}
    }
    Some(bytes)
}
