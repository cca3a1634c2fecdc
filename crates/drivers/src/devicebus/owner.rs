//! The one task that uses the tty.
//!
//! It takes requests from the queue, lets the master run them, and moves bytes and time between the master and the
//! line. When the line goes away it fails what waits, says so to whoever asks meanwhile, and tries to get the line
//! back for as long as it lives.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opendcre_devicebus::{Completion, Master, Statistics, Transmit};
use tokio::sync::Notify;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::config::BusConfig;
use super::line::{Line, LineError};
use super::queue::{Failure, Queue};
use crate::clock::{now, sleep_until};

/// A line that takes no bytes for this long is stuck.
const WRITE_LIMIT: Duration = Duration::from_secs(1);
/// First and longest pause between attempts to open a lost line.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const LAST_BACK_OFF: Duration = Duration::from_secs(5);

/// What the owner and its callers share.
#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    statistics: Mutex<Statistics>,
    /// Wakes the owner when something waits.
    pub(super) wake: Notify,
}

impl Shared {
    pub(super) fn new(backlog: usize) -> Self {
        Self { queue: Mutex::new(Queue::new(backlog)), statistics: Mutex::default(), wake: Notify::new() }
    }

    /// Held for bookkeeping only, never over I/O; a panic elsewhere leaves it consistent.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn statistics(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Owns one bus. Nothing happens on the bus until [`BusOwner::run`] is polled.
#[derive(Debug)]
pub struct BusOwner {
    bus: Bus,
    /// Nothing as long as the line has not been there.
    line: Option<Line>,
}

#[derive(Debug)]
struct Bus {
    config: BusConfig,
    shared: Arc<Shared>,
    master: Master,
    /// When the request on the wire was sent.
    started: Instant,
    back_off: Duration,
}

/// Why serving a line ended.
enum End {
    Stopped,
    Lost(io::Error),
}

impl BusOwner {
    pub(super) fn open(config: BusConfig, shared: Arc<Shared>) -> Result<Self, LineError> {
        let line = Line::open(&config.device, config.baud)?;
        info!(bus = config.name, device = %config.device.display(), baud = config.baud, "bus open");
        Ok(Self { bus: Bus::new(config, shared), line: Some(line) })
    }

    /// The owner of a bus whose line cannot be opened now, which it goes on trying.
    pub(super) fn absent(config: BusConfig, shared: Arc<Shared>, error: &LineError) -> Self {
        shared.queue().close(&format!("{error}; it is opened when it can be"), false);
        Self { bus: Bus::new(config, shared), line: None }
    }

    /// Serves the bus until `stop`; what is on the wire then is finished first.
    pub async fn run(self, stop: CancellationToken) {
        let Self { mut bus, mut line } = self;
        if line.is_none() {
            line = bus.recover(&stop).await;
        }
        while let Some(current) = line.take() {
            if let End::Lost(error) = bus.serve(&current, &stop).await {
                bus.lose(&error);
                drop(current);
                line = bus.recover(&stop).await;
            }
        }
        // What is on the wire has been finished, or its line was lost.
        bus.shared.queue().close("the gateway is shutting down", false);
        info!(bus = bus.config.name, statistics = ?bus.master.statistics(), "bus closed");
    }
}

impl Bus {
    fn new(config: BusConfig, shared: Arc<Shared>) -> Self {
        let master = Master::new(config.master());
        Self { config, shared, master, started: now(), back_off: FIRST_BACK_OFF }
    }

    async fn serve(&mut self, line: &Line, stop: &CancellationToken) -> End {
        let mut buffer = [0; 512];
        loop {
            if self.master.is_idle() {
                if stop.is_cancelled() {
                    return End::Stopped;
                }
                self.start_next();
            }
            while let Some(transmit) = self.master.poll_transmit() {
                if let Err(error) = self.transmit(line, &transmit).await {
                    return End::Lost(error);
                }
            }
            if let Some(completion) = self.master.poll_completion() {
                self.finish(completion);
                continue;
            }
            let idle = self.master.is_idle();
            let deadline = self.master.next_deadline();
            tokio::select! {
                biased;
                read = line.read(&mut buffer) => match read {
                    Ok(count) => self.receive(buffer.get(..count).unwrap_or_default()),
                    Err(error) => return End::Lost(error),
                },
                () = sleep_until(deadline) => self.master.on_timer(now()),
                () = self.shared.wake.notified(), if idle => {}
                () = stop.cancelled(), if idle => {}
            }
        }
    }

    /// Begins the next transaction that can be sent, if anything waits.
    fn start_next(&mut self) {
        loop {
            let Some(request) = self.shared.queue().take(now()) else {
                return;
            };
            self.started = now();
            match self.master.start(request, self.started) {
                Ok(()) => return,
                Err(error) => self.shared.queue().finish(&Err(Failure::Transaction(error)), Duration::ZERO),
            }
        }
    }

    async fn transmit(&self, line: &Line, transmit: &Transmit) -> io::Result<()> {
        if transmit.discard_input {
            line.discard_input()?;
        }
        debug!(bus = self.config.name, bytes = %Hex(&transmit.bytes), "sent");
        match time::timeout(WRITE_LIMIT, line.write(&transmit.bytes)).await {
            Ok(written) => written,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the tty takes no bytes")),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        debug!(bus = self.config.name, bytes = %Hex(bytes), "received");
        let now = now();
        self.master.on_bytes(bytes, now);
        // A line that always has bytes must not keep the time from passing.
        self.master.on_timer(now);
    }

    fn finish(&mut self, completion: Completion) {
        self.back_off = FIRST_BACK_OFF;
        *self.shared.statistics() = self.master.statistics();
        let outcome = completion.map_err(Failure::Transaction);
        self.shared.queue().finish(&outcome, now().duration_since(self.started));
    }

    fn lose(&mut self, error: &io::Error) {
        let device = self.config.device.display();
        warn!(bus = self.config.name, %device, %error, "line lost; trying to get it back");
        let sent = self.master.has_sent();
        self.master.abort();
        let reason = format!("{device} is gone ({error}); it is opened again when it returns");
        self.shared.queue().close(&reason, sent);
    }

    /// Opens the line again, with growing pauses, or gives up at `stop`.
    async fn recover(&mut self, stop: &CancellationToken) -> Option<Line> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = time::sleep(self.back_off) => {}
            }
            self.back_off = (self.back_off * 2).min(LAST_BACK_OFF);
            match Line::open(&self.config.device, self.config.baud) {
                Ok(line) => {
                    info!(bus = self.config.name, device = %self.config.device.display(), "line is back");
                    self.shared.queue().reopen();
                    return Some(line);
                }
                Err(error) => debug!(bus = self.config.name, %error, "line still gone"),
            }
        }
    }
}

impl Drop for Bus {
    /// Also when the owner panics: nobody may wait for a bus that nobody serves.
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        if queue.gone().is_none() {
            queue.close("the bus is not served any more", true);
        }
    }
}

/// Shows bytes as hexadecimal pairs, the way bus captures are written.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (byte, separator) in self.0.iter().zip(std::iter::once("").chain(std::iter::repeat(" "))) {
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}
