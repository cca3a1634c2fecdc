//! Our side: the broker as the gateway uses it, in a process of its own that asks some BMCs and prints what it cost.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use opendcre_drivers::ipmi::{BmcConfig, Bmcs, Settings};
use opendcre_ipmi::chassis::GetChassisStatus;
use opendcre_ipmi::cipher::CipherSuite;
use opendcre_ipmi::client::{Access, PrivilegeRange, Protocol, UserLookup};
use opendcre_ipmi::quirk::Quirks;
use opendcre_ipmi::sdr::{Sensor, Source, WalkSdr};
use opendcre_ipmi::sensor::ReadSensors;
use opendcre_ipmi::{Secret, Single};
use opendcre_model::{BoardId, Context, Priority, WallClock};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cost::Cost;
use crate::fleet::Fleet;
use crate::measure::{megabytes, processor_seconds};

/// The first argument of such a process.
pub(crate) const WORD: &str = "client";
/// Long enough that only what is silent exceeds it.
const PATIENCE: Duration = Duration::from_secs(30);
/// As many questions as the broker sends at once. More would only wait, and take memory.
const AT_ONCE: usize = 256;
/// From one question to the next when latency is measured, and for how long if there are a thousand BMCs.
const PAUSE: Duration = Duration::from_millis(1);
const SECONDS: usize = 60;
/// Every BMC that is asked has so many sensors that can be read.
const FEWEST_SENSORS: usize = 8;

/// What such a process does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    task: Task,
    bmcs: Vec<SocketAddr>,
    /// Those of the BMCs.
    processes: Vec<u32>,
    rounds: usize,
    /// Asked like the others, but not measured.
    silent: Vec<SocketAddr>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Task {
    /// The power state, with a login before and a logout after it.
    Cold,
    /// The power state in sessions that are held.
    Warm,
    /// All sensors in sessions that are held, their descriptions known.
    Sensors,
    /// How long each answer takes when the BMCs are asked one after the other.
    Latency,
}

/// What each of some rounds cost.
pub(crate) fn measure(task: Task, fleet: &Fleet, bmcs: &[SocketAddr], rounds: usize) -> Vec<Cost> {
    let (bmcs, processes) = (bmcs.to_vec(), fleet.processes());
    let output = order(&Order { task, bmcs, processes, rounds, silent: Vec::new() });
    serde_json::from_slice(&output).expect("costs")
}

/// How long the answers of each half of the BMCs took, in seconds. The broker of the second half has `silent` BMCs, too.
/// Both are asked in the same seconds, so that the noise of the machine is the same.
pub(crate) fn latencies(bmcs: &[SocketAddr], silent: &[SocketAddr]) -> [Vec<f64>; 2] {
    let (bmcs, silent, processes) = (bmcs.to_vec(), silent.to_vec(), Vec::new());
    let output = order(&Order { task: Task::Latency, bmcs, processes, rounds: SECONDS, silent });
    serde_json::from_slice(&output).expect("latencies")
}

/// How many instructions a power status in a held session takes, as valgrind counts them: the same whatever else the
/// machine does. What comes before is subtracted by a run of another length.
pub(crate) fn instructions(fleet: &Fleet, bmcs: &[SocketAddr], rounds: usize) -> f64 {
    let counted = |rounds| {
        let (bmcs, processes) = (bmcs.to_vec(), fleet.processes());
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        valgrind.arg(std::env::current_exe().expect("this program"));
        let output =
            run_as(valgrind, &Order { task: Task::Warm, bmcs, processes, rounds, silent: Vec::new() });
        let report = String::from_utf8(output.stderr).expect("text");
        let count = report.lines().find_map(|line| line.split_once("Collected : ")).expect("a count").1;
        count.trim().parse::<f64>().expect("a number")
    };
    (counted(3 * rounds) - counted(rounds)) / (2 * rounds * bmcs.len()) as f64
}

fn order(order: &Order) -> Vec<u8> {
    run_as(Command::new(std::env::current_exe().expect("this program")), order).stdout
}

fn run_as(mut program: Command, order: &Order) -> Output {
    program.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("it starts");
    serde_json::to_writer(child.stdin.take().expect("a pipe"), order).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {complaint}", order.task);
    output
}

/// Follows the order on the standard input.
pub(crate) fn run() -> io::Result<()> {
    let order: Order = serde_json::from_reader(io::stdin().lock())?;
    // One thread, as FreeIPMI's programs have one: questions and broker do not wake each other across processors.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        match order.task {
            Task::Cold => serde_json::to_vec(&cold(&order).await),
            Task::Warm => serde_json::to_vec(&warm(&order).await),
            Task::Sensors => serde_json::to_vec(&sensors(&order).await),
            Task::Latency => serde_json::to_vec(&latency(&order).await),
        }
    })?;
    io::stdout().write_all(&answer)
}

/// The broker with its task.
struct Broker {
    bmcs: Arc<Bmcs>,
    count: u32,
    owner: JoinSet<()>,
    stop: CancellationToken,
}

impl Broker {
    fn open<'a>(bmcs: impl Iterator<Item = &'a SocketAddr>) -> Self {
        let access = Arc::new(Access {
            username: b"ADMIN".to_vec(),
            password: Secret::new(b"ADMIN").expect("a short password"),
            bmc_key: None,
            // What FreeIPMI uses unless told otherwise, and the best that ipmi_sim knows.
            protocol: Protocol::V2_0(vec![CipherSuite::from_id(3).expect("a suite")]),
            lookup: UserLookup::default(),
            privilege: PrivilegeRange::default(),
        });
        let config = |(number, address): (u32, &SocketAddr)| {
            BmcConfig::new(BoardId(number), *address, Arc::clone(&access))
        };
        let configs: Vec<_> = (0..).zip(bmcs).map(config).collect();
        let count = u32::try_from(configs.len()).expect("some BMCs");
        let (bmcs, owner) = Bmcs::open(configs, Settings::default(), Arc::new(SystemClock)).expect("sockets");
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(owner.run(stop.clone()));
        Self { bmcs: Arc::new(bmcs), count, owner: tasks, stop }
    }

    /// Asks every BMC, many at once, and waits for all answers.
    async fn ask_all<F: Future<Output = ()> + Send + 'static>(&self, ask: impl Fn(Arc<Bmcs>, BoardId) -> F) {
        let mut questions = JoinSet::new();
        for board in 0..self.count {
            if questions.len() == AT_ONCE {
                questions.join_next().await.expect("a question").expect("an answer");
            }
            questions.spawn(ask(Arc::clone(&self.bmcs), BoardId(board)));
        }
        while let Some(asked) = questions.join_next().await {
            asked.expect("an answer");
        }
    }

    /// Asks every BMC and says how many have answered.
    async fn ask_once(&self) -> usize {
        let mut questions = JoinSet::new();
        for board in (0..self.count).map(BoardId) {
            let bmcs = Arc::clone(&self.bmcs);
            questions
                .spawn(async move { bmcs.run(board, Single(GetChassisStatus), context()).await.is_ok() });
        }
        questions.join_all().await.into_iter().filter(|answered| *answered).count()
    }

    /// Logs out everywhere.
    async fn close(mut self) {
        self.stop.cancel();
        while self.owner.join_next().await.is_some() {}
    }
}

async fn power(bmcs: Arc<Bmcs>, board: BoardId) {
    bmcs.run(board, Single(GetChassisStatus), context()).await.expect("a power state");
}

/// Everybody waits as long as it takes.
fn context() -> Context {
    Context { deadline: Instant::now() + PATIENCE, priority: Priority::Read }
}

async fn cold(order: &Order) -> Vec<Cost> {
    let mut costs = Vec::new();
    for _ in 0..order.rounds {
        let meter = Meter::start(order);
        let broker = Broker::open(order.bmcs.iter());
        broker.ask_all(power).await;
        broker.close().await;
        costs.push(meter.stop());
    }
    costs
}

async fn warm(order: &Order) -> Vec<Cost> {
    let broker = Broker::open(order.bmcs.iter());
    broker.ask_all(power).await;
    let mut costs = Vec::new();
    for _ in 0..order.rounds {
        let meter = Meter::start(order);
        broker.ask_all(power).await;
        costs.push(meter.stop());
    }
    broker.close().await;
    costs
}

async fn sensors(order: &Order) -> Vec<Cost> {
    let broker = Broker::open(order.bmcs.iter());
    let known: Arc<Mutex<HashMap<BoardId, Arc<[Sensor]>>>> = Arc::default();
    broker
        .ask_all(|bmcs, board| {
            let known = Arc::clone(&known);
            async move {
                let walk = WalkSdr::new(Source::Repository);
                let repository = bmcs.run(board, walk, context()).await.expect("descriptions");
                known.lock().expect("nobody fails").insert(board, repository.sensors().collect());
            }
        })
        .await;
    let mut costs = Vec::new();
    for _ in 0..order.rounds {
        let meter = Meter::start(order);
        broker
            .ask_all(|bmcs, board| {
                let sensors = Arc::clone(&known.lock().expect("nobody fails")[&board]);
                let read = ReadSensors::new(sensors, Quirks::default());
                async move {
                    let outcomes = bmcs.run(board, read, context()).await.expect("readings");
                    let values = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
                    assert!(values >= FEWEST_SENSORS, "{outcomes:?}");
                }
            })
            .await;
        costs.push(meter.stop());
    }
    broker.close().await;
    costs
}

async fn latency(order: &Order) -> [Vec<f64>; 2] {
    let (first, second) = order.bmcs.split_at(order.bmcs.len() / 2);
    let brokers = [Broker::open(first.iter()), Broker::open(second.iter().chain(&order.silent))];
    // Everybody gets a session, or is known to be silent.
    let answered = brokers[0].ask_once().await + brokers[1].ask_once().await;
    assert_eq!(answered, order.bmcs.len());

    let mut questions = [JoinSet::new(), JoinSet::new()];
    let begun = tokio::time::Instant::now();
    for number in 0..order.rounds * order.bmcs.len() {
        tokio::time::sleep_until(begun + PAUSE * u32::try_from(number).expect("some")).await;
        let broker = &brokers[number % 2];
        let board = BoardId(u32::try_from(number / 2).expect("some") % broker.count);
        let bmcs = Arc::clone(&broker.bmcs);
        questions[number % 2].spawn(async move {
            let asked = Instant::now();
            let answer = bmcs.run(board, Single(GetChassisStatus), context()).await;
            answer.ok().map(|_| asked.elapsed().as_secs_f64())
        });
    }
    let [first, second] = questions;
    let times = [first.join_all().await, second.join_all().await];
    for broker in brokers {
        broker.close().await;
    }
    times.map(|times| times.into_iter().flatten().collect())
}

/// Measures one round.
struct Meter<'a> {
    order: &'a Order,
    processor: f64,
    processor_of_bmcs: f64,
    begun: Instant,
}

impl<'a> Meter<'a> {
    fn start(order: &'a Order) -> Self {
        let (processor, processor_of_bmcs) = Self::processors(order);
        Self { order, processor, processor_of_bmcs, begun: Instant::now() }
    }

    fn stop(self) -> Cost {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (processor, processor_of_bmcs) = Self::processors(self.order);
        Cost {
            nodes: self.order.bmcs.len(),
            seconds,
            processor: processor - self.processor,
            processor_of_bmcs: processor_of_bmcs - self.processor_of_bmcs,
            megabytes: megabytes(std::process::id(), "VmHWM"),
        }
    }

    /// The processor time that this process and the BMCs have used so far.
    fn processors(order: &Order) -> (f64, f64) {
        let us = [std::process::id()];
        (processor_seconds(&us), processor_seconds(&order.processes))
    }
}

struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
