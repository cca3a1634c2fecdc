//! A scripted board at the far end of a pty, and a bus that is served.

use std::fs::File;
use std::io::{Read, Write};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_devicebus::{Deframer, Packet};
use opendcre_drivers::devicebus::{BusConfig, DeviceBus};
use opendcre_model::{Context, Priority, WallClock};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the wall clock shows in every test.
pub(crate) const TIME: Timestamp = Timestamp::constant(1_450_000_000, 0);

pub(crate) struct FixedClock;

impl WallClock for FixedClock {
    fn now(&self) -> Timestamp {
        TIME
    }
}

pub(crate) fn context(priority: Priority) -> Context {
    Context { deadline: tokio::time::Instant::now().into_std() + Duration::from_secs(10), priority }
}

/// Waits for something that happens on the far side of a tty; real time passes there.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not happen: {what}");
}

/// A bus with its owner running.
#[derive(Clone)]
pub(crate) struct ServedBus {
    bus: Arc<DeviceBus>,
    stop: CancellationToken,
    owner: Arc<tokio::sync::Mutex<JoinSet<()>>>,
}

impl ServedBus {
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        while self.owner.lock().await.join_next().await.is_some() {}
    }
}

impl ServedBus {
    /// Ends the owner wherever it is, as a panic would.
    pub(crate) async fn abort(&self) {
        self.owner.lock().await.shutdown().await;
    }
}

impl Deref for ServedBus {
    type Target = DeviceBus;

    fn deref(&self) -> &DeviceBus {
        &self.bus
    }
}

pub(crate) fn open(config: BusConfig) -> ServedBus {
    let (bus, owner) = DeviceBus::open(config, Arc::new(FixedClock)).unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(owner.run(stop.clone()));
    ServedBus { bus: Arc::new(bus), stop, owner: Arc::new(tokio::sync::Mutex::new(tasks)) }
}

type Script = dyn Fn(&Packet) -> Vec<Packet> + Send + Sync;

/// The data of an answer that is to be damaged on its way.
const DAMAGED: &[u8] = b"damaged";

/// An answer whose checksum is wrong when it arrives.
pub(crate) fn damaged(packet: &Packet) -> Packet {
    Packet { data: DAMAGED.to_vec(), ..packet.clone() }
}

fn bytes_of(reply: &Packet) -> Vec<u8> {
    let mut bytes = reply.encode().unwrap();
    if reply.data == DAMAGED {
        let checksum = bytes.len() - 2;
        bytes[checksum] ^= 0x55;
    }
    bytes
}

/// One answer that carries the addresses of the request.
pub(crate) fn echo(packet: &Packet, data: &[u8]) -> Vec<Packet> {
    vec![Packet { data: data.to_vec(), ..packet.clone() }]
}

pub(crate) fn answer(data: &'static [u8]) -> impl Fn(&Packet) -> Vec<Packet> {
    move |packet| echo(packet, data)
}

pub(crate) fn silent() -> impl Fn(&Packet) -> Vec<Packet> {
    |_| Vec::new()
}

/// A board behind a link that stays the same when it is unplugged and plugged in again.
pub(crate) struct Board {
    directory: TempDir,
    script: Arc<Script>,
    requests: Arc<Mutex<Vec<Packet>>>,
    delay: Duration,
    hangs_up: bool,
    /// Ends the far side when cancelled.
    plugged: Option<CancellationToken>,
}

impl Board {
    pub(crate) fn start(script: impl Fn(&Packet) -> Vec<Packet> + Send + Sync + 'static) -> Self {
        Self::with(script, Duration::ZERO, false)
    }

    /// Answers, but not at once.
    pub(crate) fn start_slow(delay: Duration) -> Self {
        Self::with(answer(b"1"), delay, false)
    }

    /// Hangs up at the first request.
    pub(crate) fn start_hanging_up() -> Self {
        Self::with(silent(), Duration::ZERO, true)
    }

    fn with(
        script: impl Fn(&Packet) -> Vec<Packet> + Send + Sync + 'static,
        delay: Duration,
        hangs_up: bool,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let requests = Arc::default();
        let mut board =
            Self { directory, script: Arc::new(script), requests, delay, hangs_up, plugged: None };
        board.plug_in();
        board
    }

    fn link(&self) -> PathBuf {
        self.directory.path().join("tty")
    }

    pub(crate) fn config(&self) -> BusConfig {
        BusConfig::new("test", self.link())
    }

    /// Every request seen so far.
    pub(crate) fn requests(&self) -> Vec<Packet> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn plug_in(&mut self) {
        let pty = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&pty).unwrap();
        unlockpt(&pty).unwrap();
        let name = ptsname(&pty, Vec::new()).unwrap().into_string().unwrap();
        symlink(name, self.link()).unwrap();
        let plugged = CancellationToken::new();
        self.plugged = Some(plugged.clone());
        let (script, requests) = (Arc::clone(&self.script), Arc::clone(&self.requests));
        let (delay, hangs_up) = (self.delay, self.hangs_up);
        std::thread::spawn(move || serve(pty, &plugged, &*script, &requests, delay, hangs_up));
    }

    pub(crate) fn unplug(&mut self) {
        std::fs::remove_file(self.link()).unwrap();
        if let Some(plugged) = self.plugged.take() {
            plugged.cancel();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some(plugged) = self.plugged.take() {
            plugged.cancel();
        }
    }
}

fn serve(
    pty: OwnedFd,
    plugged: &CancellationToken,
    script: &Script,
    requests: &Mutex<Vec<Packet>>,
    delay: Duration,
    hangs_up: bool,
) {
    let mut pty = File::from(pty);
    let mut deframer = Deframer::default();
    let mut buffer = [0; 512];
    while !plugged.is_cancelled() {
        if !readable(&pty) {
            continue;
        }
        // Nobody has the near side open.
        let Ok(count) = pty.read(&mut buffer) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        deframer.push(&buffer[..count]);
        while let Some(found) = deframer.next_packet() {
            let packet = found.unwrap();
            requests.lock().unwrap().push(packet.clone());
            if hangs_up {
                return;
            }
            std::thread::sleep(delay);
            for reply in script(&packet) {
                pty.write_all(&bytes_of(&reply)).unwrap();
            }
        }
    }
}

/// Waits a little for bytes, so that the thread also sees that it was unplugged.
fn readable(pty: &File) -> bool {
    let mut polled = [rustix::event::PollFd::new(pty, rustix::event::PollFlags::IN)];
    let limit = rustix::event::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    rustix::event::poll(&mut polled, Some(&limit)).unwrap() > 0
}
