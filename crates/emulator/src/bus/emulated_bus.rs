//! Serves a room on a pseudo-terminal: the only part of the emulated bus that does I/O, waits and reads the clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opendcre_devicebus::{Packet, Protocol};
use rustix::event::Timespec;
use rustix::io::Errno;
use thiserror::Error;

use super::fault::{FaultPlan, Faults, TimedAnswer};
use super::line::Line;
use super::link::Link;
use super::pty::{Event, Pty, Sent};
use super::request::Requests;
use super::responder::{Headers, Responder, ResponderOptions};
use super::room::Room;
use super::stop::StopFlag;
use crate::clock;

/// How long to wait before looking again for a client. The kernel does not announce that one has come.
const CLIENT_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// The kernel wakes a sleeper this much too late at worst; the rest of a wait is spent looking at the clock.
const WAKE_UP_MARGIN: Duration = Duration::from_micros(150);
/// More than any request; what is longer is read in pieces.
const READ_SIZE: usize = 4096;

/// Why an emulated bus cannot be served.
#[derive(Debug, Error)]
pub enum EmulatorError {
    /// The operating system refused something.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The link to the pseudo-terminal cannot be made.
    #[error("cannot make the link {}", path.display())]
    Link {
        /// Where it was to be.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Something that is no link stands where the link is to be.
    #[error("{} exists and is not a symbolic link; choose another name or remove it", path.display())]
    LinkOccupied {
        /// Where it stands.
        path: PathBuf,
    },
    /// Another terminal that is alive has the link already.
    #[error(
        "{} already leads to {}, which another emulator may be using; choose another name or remove it",
        link.display(),
        target.display()
    )]
    LinkInUse {
        /// Where the link stands.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// The serving thread has panicked.
    #[error("the thread that serves the emulated bus has panicked")]
    Panicked,
}

impl EmulatorError {
    /// Makes the error of a failed system call.
    pub(super) fn system(action: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::System { action, source: errno.into() }
    }
}

/// How a bus behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The protocol generation that all boards speak.
    pub protocol: Protocol,
    /// What the headers of answers hold.
    pub headers: Headers,
    /// Line speed in bits per second, which both directions keep to; `None` for a line that takes no time.
    pub baud: Option<u32>,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// A symbolic link to make to the pseudo-terminal.
    pub link: Option<PathBuf>,
}

impl Options {
    /// A bus of this protocol generation with its usual headers, without line speed, faults and link.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            headers: Headers::usual(protocol),
            baud: None,
            faults: FaultPlan::default(),
            link: None,
        }
    }
}

impl Default for Options {
    /// The newest generation.
    fn default() -> Self {
        Self::new(Protocol::V1_3)
    }
}

/// What an emulated bus has seen so far. Counts only grow.
#[derive(Debug, Default)]
pub struct Statistics {
    requests: AtomicU64,
    answered: AtomicU64,
    damaged: AtomicU64,
}

impl Statistics {
    /// Valid packets received, whether anything answered them or not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests with at least one answer that was, or is being, sent.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Candidates for a packet that turned out damaged. Noise may look like several.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }
}

/// A room behind a pseudo-terminal, ready to be served. Dropping it unplugs the bus: clients see a hang-up.
#[derive(Debug)]
pub struct EmulatedBus {
    // Dropped first: while the terminal exists, no other can have its name.
    link: Option<Link>,
    pty: Pty,
    responder: Responder,
    faults: Faults,
    line: Line,
    requests: Requests,
    statistics: Arc<Statistics>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    /// Nobody listens to the rest of the answers.
    Abandon,
    Stop,
}

impl EmulatedBus {
    /// Makes the pseudo-terminal and the link to it. Clients can open it from now on and are answered as soon as the
    /// bus is served.
    ///
    /// # Errors
    /// [`EmulatorError`] if either cannot be made.
    pub fn open(room: Room, options: Options) -> Result<Self, EmulatorError> {
        let pty = Pty::open()?;
        let link = options.link.map(|path| Link::create(path, pty.tty())).transpose()?;
        let responder_options = ResponderOptions { protocol: options.protocol, headers: options.headers };
        Ok(Self {
            link,
            pty,
            responder: Responder::new(room, responder_options),
            faults: Faults::new(options.faults),
            line: Line::new(options.baud),
            requests: Requests::default(),
            statistics: Arc::default(),
        })
    }

    /// The name of the terminal for clients. A link stays valid where this name may not: see [`EmulatedBus::run`].
    #[must_use]
    pub fn tty(&self) -> &Path {
        self.pty.tty()
    }

    /// What the bus has seen, now and later.
    #[must_use]
    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.statistics)
    }

    /// Serves in a thread of its own.
    ///
    /// # Errors
    /// [`EmulatorError::System`] if there can be no further thread.
    pub fn spawn(self) -> Result<Handle, EmulatorError> {
        let stop = StopFlag::new()?;
        let (tty, statistics) = (self.tty().to_owned(), self.statistics());
        let thread = std::thread::Builder::new().name("emulated bus".into()).spawn({
            let stop = stop.clone();
            move || self.run(&stop)
        });
        let thread = thread.map_err(|source| EmulatorError::System {
            action: "start a thread for the emulated bus",
            source,
        })?;
        Ok(Handle { tty, statistics, stop, thread: Some(thread) })
    }

    /// Serves until the flag is raised, whatever clients send and however often they come and go.
    ///
    /// A client that dies with an exclusive use of the terminal (`TIOCEXCL`) leaves it locked for ordinary users. If
    /// there is a link, it is led to a new terminal then.
    ///
    /// # Errors
    /// [`EmulatorError`] if the operating system fails.
    pub fn run(mut self, stop: &StopFlag) -> Result<(), EmulatorError> {
        let mut buffer = [0; READ_SIZE];
        let mut has_client = false;
        loop {
            match self.pty.wait(stop)? {
                Event::Stop => return Ok(()),
                Event::Input => {
                    has_client = true;
                    let length = self.pty.read(&mut buffer)?;
                    let bytes = buffer.get(..length).unwrap_or_default();
                    if self.on_bytes(bytes, stop)? == Flow::Stop {
                        return Ok(());
                    }
                }
                Event::NoClient => {
                    if std::mem::take(&mut has_client) {
                        self.on_client_gone()?;
                    }
                    if stop.wait(&CLIENT_INTERVAL)? {
                        return Ok(());
                    }
                    has_client = self.pty.has_client()?;
                }
            }
        }
    }

    /// Answers every request that is complete with these bytes.
    fn on_bytes(&mut self, bytes: &[u8], stop: &StopFlag) -> Result<Flow, EmulatorError> {
        self.line.receive(bytes.len(), clock::now());
        self.requests.push(bytes);
        while let Some(found) = self.requests.next() {
            let flow = match found {
                Ok(packet) => self.on_request(&packet, stop)?,
                Err(error) => {
                    self.statistics.damaged.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%error, "damaged request");
                    Flow::Continue
                }
            };
            if flow == Flow::Stop {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue)
    }

    fn on_request(&mut self, packet: &Packet, stop: &StopFlag) -> Result<Flow, EmulatorError> {
        let answers = self.responder.respond(packet);
        let answers = self.faults.apply(answers);
        tracing::debug!(request = ?packet, answers = answers.len(), "request");
        self.statistics.requests.fetch_add(1, Ordering::Relaxed);
        if !answers.is_empty() {
            self.statistics.answered.fetch_add(1, Ordering::Relaxed);
        }
        for answer in &answers {
            match self.send(answer, stop)? {
                Flow::Continue => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Continue)
    }

    /// Sends an answer, every byte at the moment at which it is through on the line.
    fn send(&mut self, answer: &TimedAnswer, stop: &StopFlag) -> Result<Flow, EmulatorError> {
        let bytes = &answer.bytes;
        let plan = self.line.send(bytes.len(), answer.delay, clock::now());
        let mut sent = 0;
        while let Some(at) = plan.next_at(sent) {
            if wait_until(at, stop)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            let due = plan.due(sent, clock::now());
            let part = bytes.get(sent..due).unwrap_or_default();
            match self.pty.write(part, stop)? {
                Sent::All => sent = due,
                Sent::Lost => return Ok(Flow::Abandon),
                Sent::Stop => return Ok(Flow::Stop),
            }
        }
        Ok(Flow::Continue)
    }

    /// Makes the terminal ready for the next client.
    fn on_client_gone(&mut self) -> Result<(), EmulatorError> {
        self.requests.clear();
        self.line.clear();
        if self.pty.clear_after_client()? {
            return Ok(());
        }
        let Some(link) = &mut self.link else {
            tracing::warn!(
                tty = %self.pty.tty().display(),
                "the last client has left the terminal locked; serve it under a link to have it replaced"
            );
            return Ok(());
        };
        let pty = Pty::open()?;
        link.retarget(pty.tty())?;
        tracing::info!(tty = %pty.tty().display(), "the last client has left the terminal locked; serving a new one");
        self.pty = pty;
        Ok(())
    }
}

/// Waits until `at`, precisely: sleeps for most of the time and looks at the clock for the rest.
fn wait_until(at: Instant, stop: &StopFlag) -> Result<Flow, EmulatorError> {
    loop {
        let left = at.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(Flow::Continue);
        }
        match left.checked_sub(WAKE_UP_MARGIN).map(Timespec::try_from) {
            Some(Ok(sleep)) if stop.wait(&sleep)? => return Ok(Flow::Stop),
            Some(_) => {}
            None => std::hint::spin_loop(),
        }
    }
}

/// A bus that is being served. Dropping it ends that and unplugs the bus: clients see a hang-up, the link goes away.
/// A new bus with the same link brings it back.
#[derive(Debug)]
pub struct Handle {
    tty: PathBuf,
    statistics: Arc<Statistics>,
    stop: StopFlag,
    thread: Option<JoinHandle<Result<(), EmulatorError>>>,
}

impl Handle {
    /// The name of the terminal for clients, as it was in the beginning: see [`EmulatedBus::run`].
    #[must_use]
    pub fn tty(&self) -> &Path {
        &self.tty
    }

    /// What the bus has seen so far.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Ends serving and unplugs the bus. When this returns, the terminal and the link are gone.
    ///
    /// # Errors
    /// Why serving has ended before, if it has.
    pub fn unplug(mut self) -> Result<(), EmulatorError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), EmulatorError> {
        self.stop.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(EmulatorError::Panicked),
            None => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(error = &error as &dyn std::error::Error, "emulated bus has failed");
        }
    }
}
