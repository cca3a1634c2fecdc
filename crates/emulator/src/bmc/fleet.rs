//! Serves emulated BMCs on UDP sockets: one socket for each, one event loop for all. It knows nothing of IPMI.
//!
//! The sockets hang on one level-triggered epoll instance. So a datagram costs one receive and one send, without a task,
//! a waker or a second receive that finds nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opendcre_ipmi::packet::MAX_DATAGRAM;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use thiserror::Error;

use super::config::{ConfigError, FleetConfig};
use super::emulated_bmc::Bmc;
use super::fault::Reply;
use crate::bus::StopFlag;
use crate::clock;

/// Sockets that are looked at together.
const BATCH: usize = 256;
/// Datagrams that wait for their time are at most so many; further ones are lost.
const MAX_DELAYED: usize = 65_536;
/// The number of the stop flag among the sockets.
const STOP: u64 = u64::MAX;
/// Sleeping for longer than this is as good as for ever.
const LONG: Duration = Duration::from_secs(3600);

/// Why a fleet cannot be served.
#[derive(Debug, Error)]
pub enum FleetError {
    /// The configuration is not sound.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddrV4,
        /// Why.
        source: io::Error,
    },
    /// There may not be so many sockets.
    #[error("cannot open socket {opened} of {wanted}: too many open files; raise the limit (ulimit -n)")]
    TooManyFiles {
        /// How many could be opened, and this one.
        opened: usize,
        /// How many are needed.
        wanted: usize,
    },
    /// The serving thread has panicked.
    #[error("the thread that serves the emulated BMCs has panicked")]
    Panicked,
    /// The operating system fails at something else.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// BMCs with their sockets, ready to be served. Dropping it closes the sockets.
#[derive(Debug)]
pub struct Fleet {
    sockets: Vec<UdpSocket>,
    bmcs: Bmcs,
    ready: OwnedFd,
}

/// Reaches into the BMCs of a fleet, before and while it is served. Clones reach into the same.
#[derive(Debug, Clone)]
pub struct Bmcs {
    addresses: Arc<[SocketAddrV4]>,
    bmcs: Arc<[Mutex<Bmc>]>,
}

impl Fleet {
    /// Makes the BMCs and binds their sockets. From now on, requests wait to be served.
    ///
    /// # Errors
    /// Every [`FleetError`].
    pub fn bind(config: &FleetConfig) -> Result<Self, FleetError> {
        let bmcs = Bmc::fleet(config, clock::now(), clock::unix_seconds())?;
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system("make an epoll instance"))?;
        let mut sockets = Vec::with_capacity(bmcs.len());
        let mut addresses = Vec::with_capacity(bmcs.len());
        for (index, bmc) in (0_u64..).zip(&bmcs) {
            let (socket, address) = listen(bmc.address(), sockets.len(), bmcs.len())?;
            watch(&ready, &socket, index)?;
            sockets.push(socket);
            addresses.push(address);
        }
        let bmcs = Bmcs { addresses: addresses.into(), bmcs: bmcs.into_iter().map(Mutex::new).collect() };
        Ok(Self { sockets, bmcs, ready })
    }

    /// The BMCs.
    #[must_use]
    pub const fn bmcs(&self) -> &Bmcs {
        &self.bmcs
    }

    /// Serves in a thread of its own.
    ///
    /// # Errors
    /// [`FleetError::System`] if there can be no further thread.
    pub fn spawn(self) -> Result<Handle, FleetError> {
        let stop = StopFlag::new().map_err(io::Error::other).map_err(failed("make a stop flag"))?;
        let bmcs = self.bmcs.clone();
        let thread = std::thread::Builder::new().name("emulated BMCs".into()).spawn({
            let stop = stop.clone();
            move || self.run(&stop)
        });
        let thread = thread.map_err(failed("start a thread for the emulated BMCs"))?;
        Ok(Handle { bmcs, stop, thread: Some(thread) })
    }

    /// Serves until the flag is raised, whatever comes in.
    ///
    /// # Errors
    /// [`FleetError::System`] if the operating system fails.
    pub fn run(self, stop: &StopFlag) -> Result<(), FleetError> {
        let Self { sockets, bmcs, ready } = self;
        watch(&ready, stop, STOP)?;
        let mut service = Service { sockets, bmcs, delayed: BinaryHeap::new(), sent: 0 };
        let mut events = Vec::with_capacity(BATCH);
        loop {
            events.clear();
            let timeout = service.until_due(clock::now());
            poll(&ready, &mut events, timeout).map_err(system("wait for datagrams"))?;
            if events.iter().any(|event: &epoll::Event| event.data.u64() == STOP) {
                return Ok(());
            }
            service.serve(&events);
            service.send_due(clock::now());
        }
    }
}

impl Bmcs {
    /// Where they listen, in their order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddrV4] {
        &self.addresses
    }

    /// Does something with the BMC with this index, which is not served meanwhile; nothing if there is none.
    pub fn with<T>(&self, index: usize, act: impl FnOnce(&mut Bmc, Instant) -> T) -> Option<T> {
        self.bmcs.get(index).map(|bmc| act(&mut lock(bmc), clock::now()))
    }
}

/// A fleet that is being served. Dropping it ends that and closes the sockets.
#[derive(Debug)]
pub struct Handle {
    bmcs: Bmcs,
    stop: StopFlag,
    thread: Option<JoinHandle<Result<(), FleetError>>>,
}

impl Handle {
    /// The BMCs.
    #[must_use]
    pub const fn bmcs(&self) -> &Bmcs {
        &self.bmcs
    }

    /// Ends serving. When this returns, the sockets are closed.
    ///
    /// # Errors
    /// Why serving has ended before, if it has.
    pub fn stop(mut self) -> Result<(), FleetError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), FleetError> {
        self.stop.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(FleetError::Panicked),
            None => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(error = &error as &dyn std::error::Error, "the emulated BMCs have failed");
        }
    }
}

/// What is being served.
struct Service {
    sockets: Vec<UdpSocket>,
    bmcs: Bmcs,
    delayed: BinaryHeap<Reverse<Delayed>>,
    /// Numbers delayed datagrams, so that those for the same moment stay in their order.
    sent: u64,
}

/// A datagram that waits for its time. The order is that of the first two fields.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Delayed {
    at: Instant,
    number: u64,
    socket: usize,
    peer: SocketAddrV4,
    bytes: Vec<u8>,
}

impl Service {
    /// Takes one datagram from each socket that has some.
    fn serve(&mut self, events: &[epoll::Event]) {
        let now = clock::now();
        let mut buffer = [0; MAX_DATAGRAM + 1];
        for event in events {
            let Ok(index) = usize::try_from(event.data.u64()) else { continue };
            let Some(socket) = self.sockets.get(index) else { continue };
            match socket.recv_from(&mut buffer) {
                Ok((length, SocketAddr::V4(peer))) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.on_datagram(index, peer, bytes, now);
                }
                Ok((_, SocketAddr::V6(_))) => {}
                // Nothing there after all, or an answer that did not arrive.
                Err(error) => tracing::trace!(index, %error, "no datagram"),
            }
        }
    }

    fn on_datagram(&mut self, index: usize, peer: SocketAddrV4, bytes: &[u8], now: Instant) {
        let Some(bmc) = self.bmcs.bmcs.get(index) else { return };
        let replies = lock(bmc).on_datagram(peer, bytes, now);
        for Reply { delay, bytes } in replies {
            if delay.is_zero() {
                self.send(index, peer, &bytes);
            } else if self.delayed.len() < MAX_DELAYED {
                self.sent += 1;
                let delayed = Delayed { at: now + delay, number: self.sent, socket: index, peer, bytes };
                self.delayed.push(Reverse(delayed));
            }
        }
    }

    fn send(&self, index: usize, peer: SocketAddrV4, bytes: &[u8]) {
        let Some(socket) = self.sockets.get(index) else { return };
        if let Err(error) = socket.send_to(bytes, peer) {
            // As on any network, it is lost then.
            tracing::debug!(index, %peer, %error, "cannot send");
        }
    }

    /// How long until a delayed datagram is due.
    fn until_due(&self, now: Instant) -> Duration {
        self.delayed.peek().map_or(LONG, |Reverse(first)| first.at.saturating_duration_since(now))
    }

    fn send_due(&mut self, now: Instant) {
        while self.delayed.peek().is_some_and(|Reverse(first)| first.at <= now) {
            if let Some(Reverse(delayed)) = self.delayed.pop() {
                self.send(delayed.socket, delayed.peer, &delayed.bytes);
            }
        }
    }
}

fn listen(
    address: SocketAddrV4,
    opened: usize,
    wanted: usize,
) -> Result<(UdpSocket, SocketAddrV4), FleetError> {
    let bind = || -> io::Result<_> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        match socket.local_addr()? {
            SocketAddr::V4(bound) => Ok((socket, bound)),
            SocketAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    };
    bind().map_err(|source| match source.raw_os_error() {
        Some(code) if code == Errno::MFILE.raw_os_error() => {
            FleetError::TooManyFiles { opened: opened + 1, wanted }
        }
        _ => FleetError::Listen { address, source },
    })
}

/// Watches a socket, or whatever else becomes readable.
fn watch(ready: &OwnedFd, source: impl AsFd, number: u64) -> Result<(), FleetError> {
    epoll::add(ready, source, epoll::EventData::new_u64(number), epoll::EventFlags::IN)
        .map_err(system("watch a socket"))
}

/// Waits for sockets that have datagrams.
fn poll(ready: &OwnedFd, events: &mut Vec<epoll::Event>, timeout: Duration) -> Result<(), Errno> {
    let timeout = Timespec::try_from(timeout).ok();
    match epoll::wait(ready, spare_capacity(events), timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// A BMC; also one whose visitor has panicked, because every change to it is complete in itself.
fn lock(bmc: &Mutex<Bmc>) -> MutexGuard<'_, Bmc> {
    bmc.lock().unwrap_or_else(PoisonError::into_inner)
}

fn system(action: &'static str) -> impl Fn(Errno) -> FleetError {
    move |errno| failed(action)(errno.into())
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> FleetError {
    move |source| FleetError::System { action, source }
}
