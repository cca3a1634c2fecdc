//! Where the server listens: in the network, or on a Unix socket.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};
use tokio::time::sleep;
use tokio_util::either::Either;

use crate::peer::Remote;

/// A connection before anything is said on it.
pub(super) type Socket = Either<TcpStream, UnixStream>;

/// How long to leave the system alone when it cannot give another socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);
/// Connections that wait in the kernel's queue; the system may allow fewer.
const BACKLOG: u32 = 1024;
/// Who may use a Unix socket: this user and its group.
const SOCKET_MODE: u32 = 0o660;
/// How much the kernel takes of what a client has not taken yet, in bytes; it doubles this for its own needs. Little enough
/// that a slow client is noticed soon and many of them need no memory, and enough for 1 MiB/s over 100 ms.
const SEND_BUFFER: usize = 128 * 1024;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address in the network.
    Tcp(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

/// Why an address cannot be listened on.
#[derive(Debug, Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "port {} on {} is in use by another program; stop that program or listen on another port",
        .0.port(), .0.ip()
    )]
    InUse(SocketAddr),
    /// The system does not let this user listen there.
    #[error(
        "not permitted to listen on {0}; use a port from 1024 on, or give the service the right to low ports"
    )]
    NotPermitted(SocketAddr),
    /// No network interface has the address.
    #[error("no network interface of this machine has the address {0}; correct the address to listen on")]
    NotHere(SocketAddr),
    /// Another program listens on the Unix socket.
    #[error("another program listens on the socket {}; stop that program or use another file", .0.display())]
    SocketInUse(PathBuf),
    /// The file of a Unix socket is something else, which must not be removed.
    #[error("{} is not a socket; remove it or use another file", .0.display())]
    NotASocket(PathBuf),
    /// Anything else.
    #[error("cannot listen on {address}: {reason}")]
    Other {
        /// Where to listen.
        address: Listen,
        /// What the system says.
        reason: io::Error,
    },
}

/// One address that is listened on.
#[derive(Debug)]
pub(super) struct Listener {
    address: Listen,
    socket: Either<TcpListener, (UnixListener, SocketFile)>,
}

/// The file of a Unix socket; removed when it is dropped, unless it is somebody else's by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

// === impl Listen ===

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

// === impl Listener ===

impl Listener {
    pub(super) async fn bind(address: Listen) -> Result<Self, BindError> {
        match address {
            Listen::Tcp(address) => Self::bind_tcp(address).await,
            Listen::Unix(path) => Self::bind_unix(path),
        }
    }

    async fn bind_tcp(address: SocketAddr) -> Result<Self, BindError> {
        let explain = |reason| explain(address, reason);
        let listener = match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                tracing::warn!(%address, "no network interface has the address to listen on yet");
                listen_ahead(address)
            }
            bound => bound,
        };
        let listener = listener.map_err(explain)?;
        // Connections inherit it.
        rustix::net::sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER)
            .map_err(|error| explain(error.into()))?;
        let address = listener.local_addr().map_err(explain)?.into();
        Ok(Self { address, socket: Either::Left(listener) })
    }

    fn bind_unix(path: PathBuf) -> Result<Self, BindError> {
        remove_stale(&path)?;
        let address = Listen::Unix(path.clone());
        match listen_unix(path) {
            Ok(socket) => Ok(Self { address, socket: Either::Right(socket) }),
            Err(reason) => Err(BindError::Other { address, reason }),
        }
    }

    pub(super) const fn address(&self) -> &Listen {
        &self.address
    }

    /// The next connection. Errors are survived: one client that hung up is nothing, and if the system is out of files
    /// there will be some again.
    pub(super) async fn accept(&self) -> (Socket, Remote) {
        loop {
            match self.accept_one().await {
                Ok(accepted) => return accepted,
                Err(error) if is_about_one_client(&error) => {
                    tracing::debug!(%error, "a client hung up before it was accepted");
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections for the moment");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn accept_one(&self) -> io::Result<(Socket, Remote)> {
        match &self.socket {
            Either::Left(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Either::Left(stream), Remote::Tcp(address)))
            }
            Either::Right((listener, _)) => {
                let (stream, _) = listener.accept().await?;
                let user = stream.peer_cred().ok().map(|peer| peer.uid());
                Ok((Either::Right(stream), Remote::Unix(user)))
            }
        }
    }
}

/// Listens on an address that no network interface has yet, so that whoever starts this service need not wait for the network.
fn listen_ahead(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    if address.is_ipv4() {
        rustix::net::sockopt::set_ip_freebind(&socket, true)?;
    } else {
        rustix::net::sockopt::set_ipv6_freebind(&socket, true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether a network interface of this machine has `address`. Nothing is sent.
pub(super) fn is_here(address: IpAddr) -> bool {
    !matches!(
        UdpSocket::bind((address, 0)),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable
    )
}

fn explain(address: SocketAddr, reason: io::Error) -> BindError {
    match reason.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        io::ErrorKind::PermissionDenied => BindError::NotPermitted(address),
        io::ErrorKind::AddrNotAvailable => BindError::NotHere(address),
        _ => BindError::Other { address: address.into(), reason },
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Removes the file of a socket on which nobody listens any more.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let Ok(about) = fs::symlink_metadata(path) else { return Ok(()) };
    if !about.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|reason| BindError::Other { address: Listen::Unix(path.to_owned()), reason }),
        _ => Err(BindError::SocketInUse(path.to_owned())),
    }
}

/// Listens only when the permissions are right: until then, nobody can connect.
fn listen_unix(path: PathBuf) -> io::Result<(UnixListener, SocketFile)> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(&path)?;
    let file = SocketFile { inode: fs::symlink_metadata(&path)?.ino(), path };
    fs::set_permissions(&file.path, Permissions::from_mode(SOCKET_MODE))?;
    Ok((socket.listen(BACKLOG)?, file))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|about| about.ino() == self.inode);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the file of the socket");
        }
    }
}
