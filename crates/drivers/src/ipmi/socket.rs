//! The UDP sockets of a worker: one for IPv4 and one for IPv6, each only if some BMC needs it.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracing::debug;

use super::core::Transmit;

/// How many datagrams are taken at once before everything else gets a chance.
const BATCH: usize = 256;
/// How many datagrams may wait for a system that takes none.
const MAX_UNSENT: usize = 4096;

/// What sockets have to tell.
#[derive(Debug)]
pub(super) enum Arrival<'a> {
    /// A datagram has arrived from there.
    Datagram(SocketAddr, &'a [u8]),
    /// The system cannot send to there.
    Unreachable(SocketAddr),
}

/// One socket and what could not be sent on it yet.
#[derive(Debug)]
struct Socket {
    udp: UdpSocket,
    unsent: VecDeque<Transmit>,
}

/// The sockets of one worker.
#[derive(Debug)]
pub(super) struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

impl Sockets {
    /// Opens what is needed to reach `addresses`.
    pub(super) fn open(addresses: impl Iterator<Item = SocketAddr>, buffer: usize) -> io::Result<Self> {
        let (mut v4, mut v6) = (None, None);
        for address in addresses {
            match address {
                SocketAddr::V4(_) if v4.is_none() => {
                    v4 = Some(Socket::open((Ipv4Addr::UNSPECIFIED, 0).into(), buffer)?);
                }
                SocketAddr::V6(_) if v6.is_none() => {
                    v6 = Some(Socket::open((Ipv6Addr::UNSPECIFIED, 0).into(), buffer)?);
                }
                SocketAddr::V4(_) | SocketAddr::V6(_) => {}
            }
        }
        Ok(Self { v4, v6 })
    }

    /// Sends a datagram now or as soon as the system takes it.
    pub(super) fn send(&mut self, transmit: Transmit, arrivals: &mut impl FnMut(Arrival<'_>)) {
        let socket = if transmit.to.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        if let Some(socket) = socket {
            socket.unsent.push_back(transmit);
            socket.flush(arrivals);
        }
    }

    /// Sends what was left over, and takes what has arrived, up to a bound.
    pub(super) fn exchange(&mut self, buffer: &mut [u8], arrivals: &mut impl FnMut(Arrival<'_>)) {
        for socket in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            socket.flush(arrivals);
            socket.receive(buffer, arrivals);
        }
    }

    /// Waits until there is something to take, or until something left over can be sent.
    pub(super) async fn ready(&self) {
        tokio::select! {
            () = ready(self.v4.as_ref()) => {}
            () = ready(self.v6.as_ref()) => {}
        }
    }
}

impl Socket {
    /// Opens a socket on a port that the system chooses.
    fn open(local: SocketAddr, buffer: usize) -> io::Result<Self> {
        let udp = std::net::UdpSocket::bind(local)?;
        udp.set_nonblocking(true)?;
        // More than the system allows takes a privilege that we may happen to have.
        let enlarged = sockopt::set_socket_recv_buffer_size_force(&udp, buffer)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&udp, buffer));
        if let Err(error) = enlarged {
            debug!(%error, "the receive buffer keeps its size");
        }
        Ok(Self { udp: UdpSocket::from_std(udp)?, unsent: VecDeque::new() })
    }

    fn flush(&mut self, arrivals: &mut impl FnMut(Arrival<'_>)) {
        while let Some(Transmit { to, bytes }) = self.unsent.front() {
            match self.udp.try_send_to(bytes, *to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // As good as lost on the way, which says nothing about the address.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => {}
                Err(error) => {
                    debug!(%to, %error, "cannot send");
                    arrivals(Arrival::Unreachable(*to));
                }
                Ok(_) => {}
            }
            self.unsent.pop_front();
        }
        // Datagrams may get lost, so these may, too.
        self.unsent.truncate(MAX_UNSENT);
    }

    fn receive(&self, buffer: &mut [u8], arrivals: &mut impl FnMut(Arrival<'_>)) {
        for _ in 0..BATCH {
            match self.udp.try_recv_from(buffer) {
                Ok((length, from)) => {
                    arrivals(Arrival::Datagram(from, buffer.get(..length).unwrap_or_default()));
                }
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        debug!(%error, "cannot receive");
                    }
                    return;
                }
            }
        }
    }

    async fn ready(&self) {
        let writable = if self.unsent.is_empty() { Interest::READABLE } else { Interest::WRITABLE };
        // An error shows again when the socket is used.
        self.udp.ready(Interest::READABLE | writable).await.ok();
    }
}

async fn ready(socket: Option<&Socket>) {
    match socket {
        Some(socket) => socket.ready().await,
        None => std::future::pending().await,
    }
}
