//! Our side: the broker as the gateway uses it, in a process of its own that asks some BMCs and prints what it cost.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
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
use opendcre_model::{Context, DeviceId, Priority, WallClock};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cost::{self, Cost};

/// The first argument of such a process.
pub(crate) const WORD: &str = "client";
/// Long enough that only what is silent exceeds it.
const PATIENCE: Duration = Duration::from_secs(30);
/// As many questions as the broker sends at once. More would only wait, and take memory.
const AT_ONCE: usize = 256;
/// From one question to the next when latency is measured, and how often everybody is asked.
const PAUSE: Duration = Duration::from_millis(1);
const SECONDS: usize = 5;
/// Every BMC that is asked has so many sensors that can be read.
const FEWEST_SENSORS: usize = 8;

/// What such a process does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    task: Task,
    bmcs: Vec<SocketAddr>,
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
pub(crate) fn measure(task: Task, bmcs: &[SocketAddr], rounds: usize) -> Vec<Cost> {
    let output = order(&Order { task, bmcs: bmcs.to_vec(), rounds, silent: Vec::new() });
    serde_json::from_slice(&output).expect("costs")
}

/// How long answers took, in seconds, while `silent` were asked, too.
pub(crate) fn latencies(bmcs: &[SocketAddr], silent: &[SocketAddr]) -> Vec<f64> {
    let (bmcs, silent) = (bmcs.to_vec(), silent.to_vec());
    let output = order(&Order { task: Task::Latency, bmcs, rounds: SECONDS, silent });
    serde_json::from_slice(&output).expect("latencies")
}

fn order(order: &Order) -> Vec<u8> {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    serde_json::to_writer(child.stdin.take().expect("a pipe"), order).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?}", order.task);
    output.stdout
}

/// Follows the order on the standard input.
pub(crate) fn run() -> io::Result<()> {
    let order: Order = serde_json::from_reader(io::stdin().lock())?;
    let runtime = tokio::runtime::Runtime::new()?;
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
    count: u16,
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
        let config = |(device, address): (u16, &SocketAddr)| BmcConfig {
            device: DeviceId(device),
            address: *address,
            access: Arc::clone(&access),
            asset_text: None,
        };
        let configs: Vec<_> = (0..).zip(bmcs).map(config).collect();
        let count = u16::try_from(configs.len()).expect("less than 65536 BMCs");
        let (bmcs, owner) = Bmcs::open(configs, Settings::default(), Arc::new(SystemClock)).expect("sockets");
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(owner.run(stop.clone()));
        Self { bmcs: Arc::new(bmcs), count, owner: tasks, stop }
    }

    /// Asks every BMC, many at once, and waits for all answers.
    async fn ask_all<F: Future<Output = ()> + Send + 'static>(&self, ask: impl Fn(Arc<Bmcs>, DeviceId) -> F) {
        let mut questions = JoinSet::new();
        for device in 0..self.count {
            if questions.len() == AT_ONCE {
                questions.join_next().await.expect("a question").expect("an answer");
            }
            questions.spawn(ask(Arc::clone(&self.bmcs), DeviceId(device)));
        }
        while let Some(asked) = questions.join_next().await {
            asked.expect("an answer");
        }
    }

    /// Logs out everywhere.
    async fn close(mut self) {
        self.stop.cancel();
        while self.owner.join_next().await.is_some() {}
    }
}

async fn power(bmcs: Arc<Bmcs>, device: DeviceId) {
    bmcs.run(device, Single(GetChassisStatus), context()).await.expect("a power state");
}

/// Everybody waits as long as it takes.
fn context() -> Context {
    Context { deadline: Instant::now() + PATIENCE, priority: Priority::Read }
}

async fn cold(order: &Order) -> Vec<Cost> {
    let mut costs = Vec::new();
    for _ in 0..order.rounds {
        let meter = Meter::start(order.bmcs.len());
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
        let meter = Meter::start(order.bmcs.len());
        broker.ask_all(power).await;
        costs.push(meter.stop());
    }
    broker.close().await;
    costs
}

async fn sensors(order: &Order) -> Vec<Cost> {
    let broker = Broker::open(order.bmcs.iter());
    let known: Arc<Mutex<HashMap<DeviceId, Arc<[Sensor]>>>> = Arc::default();
    broker
        .ask_all(|bmcs, device| {
            let known = Arc::clone(&known);
            async move {
                let walk = WalkSdr::new(Source::Repository);
                let repository = bmcs.run(device, walk, context()).await.expect("descriptions");
                known.lock().expect("nobody fails").insert(device, repository.sensors().collect());
            }
        })
        .await;
    let mut costs = Vec::new();
    for _ in 0..order.rounds {
        let meter = Meter::start(order.bmcs.len());
        broker
            .ask_all(|bmcs, device| {
                let sensors = Arc::clone(&known.lock().expect("nobody fails")[&device]);
                let read = ReadSensors::new(sensors, Quirks::default());
                async move {
                    let outcomes = bmcs.run(device, read, context()).await.expect("readings");
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

async fn latency(order: &Order) -> Vec<f64> {
    let broker = Broker::open(order.bmcs.iter().chain(&order.silent));
    // Everybody has a session, or is known to be silent.
    let mut questions = JoinSet::new();
    for device in (0..broker.count).map(DeviceId) {
        let bmcs = Arc::clone(&broker.bmcs);
        questions.spawn(async move { bmcs.run(device, Single(GetChassisStatus), context()).await.is_ok() });
    }
    let answered = questions.join_all().await.into_iter().filter(|answered| *answered).count();
    assert_eq!(answered, order.bmcs.len());

    let mut questions = JoinSet::new();
    let begun = tokio::time::Instant::now();
    for number in 0..order.rounds * usize::from(broker.count) {
        tokio::time::sleep_until(begun + PAUSE * u32::try_from(number).expect("some")).await;
        let device = DeviceId(u16::try_from(number % usize::from(broker.count)).expect("a device"));
        let bmcs = Arc::clone(&broker.bmcs);
        questions.spawn(async move {
            let asked = Instant::now();
            let answer = bmcs.run(device, Single(GetChassisStatus), context()).await;
            answer.ok().map(|_| asked.elapsed().as_secs_f64())
        });
    }
    let times = questions.join_all().await.into_iter().flatten().collect();
    broker.close().await;
    times
}

/// Measures one round.
struct Meter {
    nodes: usize,
    begun: Instant,
    processor: f64,
}

impl Meter {
    fn start(nodes: usize) -> Self {
        Self { nodes, begun: Instant::now(), processor: cost::processor_seconds() }
    }

    fn stop(self) -> Cost {
        Cost {
            nodes: self.nodes,
            seconds: self.begun.elapsed().as_secs_f64(),
            processor: cost::processor_seconds() - self.processor,
            megabytes: cost::megabytes(std::process::id(), "VmHWM"),
        }
    }
}

struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
