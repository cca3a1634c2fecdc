//! The request side of the bus emulator: any bytes and any requests, to rooms that use every feature, with faults.
//!
//! The promises: what a room builds are packets that carry the right sequence number; there are never more answers than
//! devices; faults do not let answers grow without bound.

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use opendcre_devicebus::{Packet, address};
use opendcre_emulator::bus::{
    FaultPlan, Faults, Headers, Protocol, Requests, Responder, ResponderOptions, Room, TimedAnswer,
};

/// Answers are built from the configuration and the request.
static BUILT: LazyLock<Room> = LazyLock::new(|| room(include_str!("../rooms/built.json")));
/// Answers are byte lists of the configuration, well-formed or not.
static RAW: LazyLock<Room> = LazyLock::new(|| room(include_str!("../rooms/raw.json")));
/// No room above holds more devices, raw packets included.
const MAX_ANSWERS: usize = 16;
/// The most stray bytes that a fault puts before an answer.
const MAX_NOISE: usize = 8;

/// Plays one script; bytes that are no script are ignored.
pub fn emulator_request(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    play(&script, &BUILT, true);
    play(&script, &RAW, false);
}

fn room(text: &str) -> Room {
    match Room::from_json(text) {
        Ok(room) => room,
        Err(error) => panic!("{error}"),
    }
}

#[derive(Debug, Arbitrary)]
struct Script {
    generation: Generation,
    full_headers: bool,
    rates: Rates,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Generation {
    First,
    Second,
    Third,
}

/// What may be out of range or no number at all.
#[derive(Debug, Arbitrary)]
struct Rates {
    seed: u64,
    drop: f64,
    corrupt: f64,
    delay: f64,
    delay_max: Duration,
    duplicate: f64,
    noise: f64,
    truncate: f64,
    silence: f64,
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// What the line brings.
    Bytes(Vec<u8>),
    /// A valid packet.
    Request {
        sequence: u8,
        kind_code: u8,
        /// Flags in the high byte; few boards, so that they are hit.
        board: (u8, u8),
        device: u8,
        data: Vec<u8>,
    },
}

impl Script {
    fn options(&self) -> ResponderOptions {
        ResponderOptions {
            protocol: match self.generation {
                Generation::First => Protocol::V1_1,
                Generation::Second => Protocol::V1_2,
                Generation::Third => Protocol::V1_3,
            },
            headers: match self.full_headers {
                true => Headers::Full,
                false => Headers::Legacy,
            },
        }
    }

    fn faults(&self) -> Faults {
        let rates = &self.rates;
        Faults::new(FaultPlan {
            seed: rates.seed,
            drop: rates.drop,
            corrupt: rates.corrupt,
            delay: rates.delay,
            delay_max: rates.delay_max,
            duplicate: rates.duplicate,
            noise: rates.noise,
            truncate: rates.truncate,
            silence: rates.silence,
        })
    }
}

impl Step {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Request { sequence, kind_code, board: (flags, board), device, data } => {
                let packet = Packet {
                    sequence: *sequence,
                    kind_code: *kind_code,
                    board: u32::from_be_bytes([*flags, 0, 0, *board]),
                    device: u16::from(*device),
                    data: data.clone(),
                };
                packet.encode().unwrap_or_default()
            }
        }
    }
}

fn play(script: &Script, room: &Room, is_built: bool) {
    let options = script.options();
    let mut responder = Responder::new(room.clone(), options);
    let mut faults = script.faults();
    let mut requests = Requests::default();
    for step in &script.steps {
        requests.push(&step.bytes());
        for found in requests.by_ref() {
            let Ok(request) = found else { continue };
            let answers = responder.respond(&request);
            assert!(answers.len() <= MAX_ANSWERS, "{answers:02x?}");
            let is_scan = request.data == b"D" || request.data == b"?";
            // Scans of all boards may be damaged on purpose, as the configuration says.
            if is_built && !is_scan {
                answers.iter().for_each(|answer| check_built(answer, &request, options));
            }
            if request.board & address::SAVE != 0 {
                assert!(answers.is_empty(), "an answer to a save");
            }
            check_spoiled(answers, &mut faults, script.rates.delay_max);
        }
    }
}

fn check_built(answer: &[u8], request: &Packet, options: ResponderOptions) {
    let packet = Packet::decode(answer);
    let sequence = packet.as_ref().map(|packet| packet.sequence);
    let expected = match options.protocol {
        Protocol::V1_1 => 1,
        Protocol::V1_2 | Protocol::V1_3 => request.sequence,
    };
    assert_eq!(sequence, Ok(expected), "{packet:?} to {request:?}");
    let board = packet.map(|packet| packet.board);
    if options.headers == Headers::Full {
        assert_eq!(board, Ok(request.board));
    }
}

fn check_spoiled(answers: Vec<Vec<u8>>, faults: &mut Faults, delay_max: Duration) {
    let count = answers.len();
    let longest = answers.iter().map(Vec::len).max().unwrap_or(0);
    let spoiled = faults.apply(answers);
    assert!(spoiled.len() <= 2 * count, "{count} answers became {}", spoiled.len());
    for TimedAnswer { delay, bytes } in spoiled {
        assert!(delay <= delay_max);
        assert!(bytes.len() <= longest + MAX_NOISE);
    }
}
