//! How well the gateway uses a serial line: utilisation, latency of one read, sharing of equal reads.
//!
//! The far side is the emulator, paced at 115200 baud in both directions, on a real pty. What the bytes of request
//! and reply allow is the measure. Run by `cargo xtask bench`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and reads the clock"
)]

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use opendcre_devicebus::wire_time;
use opendcre_drivers::devicebus::{BusConfig, DeviceBus};
use opendcre_emulator::bus::{EmulatedBus, Handle, Options, Room};
use opendcre_model::{
    BoardId, Context, DeviceAddress, DeviceId, DeviceKind, Driver, Priority, Query, WallClock,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const BAUD: u32 = 115_200;
/// A read request without text, and its answer with three digits.
const READ_BYTES: usize = 13 + 15;
const DEVICES: u16 = 8;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const SINGLE_READS: usize = 1000;
const CLIENTS: usize = 64;
const SHARED_ROUNDS: usize = 200;

struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let far_side = emulator();
    let (bus, owner) =
        DeviceBus::open(BusConfig::new("bench", far_side.tty()), Arc::new(SystemClock)).expect("a bus");
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(owner.run(stop.clone()));
    let bus = Arc::new(bus);
    let mut out = io::stdout().lock();
    utilisation(&bus, &mut out).await?;
    latency(&bus, &mut out).await?;
    sharing(&bus, &far_side, &mut out).await?;
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

fn emulator() -> Handle {
    let device = |id| {
        let read = serde_json::json!({"repeatable": true, "responses": [656]});
        serde_json::json!({"device_id": format!("{id:04x}"), "device_type": "thermistor", "read": read})
    };
    let devices: Vec<_> = (0..DEVICES).map(device).collect();
    let board = serde_json::json!({"board_id": "1", "firmware_version": "bench", "devices": devices});
    let room = Room::from_json(&serde_json::json!({"boards": [board]}).to_string()).expect("a room");
    let options = Options { baud: Some(BAUD), ..Options::default() };
    EmulatedBus::open(room, options).expect("a pty").spawn().expect("a thread")
}

async fn read(bus: &DeviceBus, device: u16) {
    let device = DeviceAddress { board: BoardId(1), device: DeviceId(device) };
    let query = Query::Sensor { device, kind: DeviceKind::Thermistor };
    let deadline = Instant::now() + Duration::from_secs(10);
    bus.read(query, Context { deadline, priority: Priority::Read }).await.expect("an answer");
}

/// Reads of different devices, always some waiting, as the poll of a room makes them.
async fn utilisation(bus: &Arc<DeviceBus>, out: &mut impl Write) -> io::Result<()> {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut readers = JoinSet::new();
        for device in 0..DEVICES {
            let bus = Arc::clone(bus);
            readers.spawn(async move {
                let mut count = 0_u32;
                while begun.elapsed() < ROUND {
                    read(&bus, device).await;
                    count += 1;
                }
                count
            });
        }
        let counts = readers.join_all().await;
        rates.push(f64::from(counts.iter().sum::<u32>()) / begun.elapsed().as_secs_f64());
    }
    let rate = median(rates);
    let possible = 1.0 / wire_time(READ_BYTES, BAUD).as_secs_f64();
    writeln!(out, "| reads per second at {BAUD} baud, median of {ROUNDS} rounds | {rate:.1} |")?;
    writeln!(out, "| what {READ_BYTES} bytes a read allow | {possible:.1} |")?;
    writeln!(out, "| bus utilisation | {:.1} % |", rate / possible * 100.0)
}

/// One read at a time on an idle bus.
async fn latency(bus: &DeviceBus, out: &mut impl Write) -> io::Result<()> {
    let mut times = Vec::new();
    for _ in 0..SINGLE_READS {
        let begun = Instant::now();
        read(bus, 0).await;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let wire = wire_time(READ_BYTES, BAUD).as_secs_f64() * 1e3;
    let time = median(times);
    writeln!(out, "| latency of one read, median of {SINGLE_READS} | {time:.2} ms |")?;
    writeln!(out, "| of it time on the wire | {wire:.2} ms |")
}

/// Everybody asks for the same reading, gets it, and asks again when all have it.
async fn sharing(bus: &Arc<DeviceBus>, far_side: &Handle, out: &mut impl Write) -> io::Result<()> {
    let before = far_side.statistics().requests();
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (bus, barrier) = (Arc::clone(bus), Arc::clone(&barrier));
        clients.spawn(async move {
            for _ in 0..SHARED_ROUNDS {
                barrier.wait().await;
                read(&bus, 0).await;
            }
        });
    }
    clients.join_all().await;
    let transactions = far_side.statistics().requests() - before;
    let answers = CLIENTS * SHARED_ROUNDS;
    writeln!(
        out,
        "| transactions for {answers} answers to {CLIENTS} clients in {SHARED_ROUNDS} rounds | {transactions} |"
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("at least one value")
}
