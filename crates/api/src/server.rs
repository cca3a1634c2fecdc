//! The HTTP server: accepts connections within their limits, and stops without cutting anybody off.
//!
//! It knows sockets and HTTP/1, but not what is asked.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alarm::ConnectionTimer;
use crate::api::Api;
use crate::limits::Limits;

/// The smallest buffer that the HTTP library takes.
const MIN_BUFFER: usize = 8192;

/// How long to leave the system alone when it cannot give another socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

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
    /// Anything else.
    #[error("cannot listen on {address}: {reason}")]
    Other {
        /// Where to listen.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
}

/// A server that listens, but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// What every connection needs.
#[derive(Clone)]
struct Connections {
    api: Api,
    http: http1::Builder,
    limits: Limits,
    /// Connections finish their request and close.
    closing: CancellationToken,
    /// Connections close at once.
    cut_off: CancellationToken,
}

// === impl Server ===

impl Server {
    /// Listens on `address`; port 0 takes any free port.
    ///
    /// # Errors
    /// Every [`BindError`].
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let explain = |reason| explain(address, reason);
        let listener = TcpListener::bind(address).await.map_err(explain)?;
        let address = listener.local_addr().map_err(explain)?;
        Ok(Self { listener, address })
    }

    /// Where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is cancelled, then stops accepting, lets running requests finish (as long
    /// as [`Limits::drain_timeout`] allows), and shuts the gateway down, so that every change that has begun is
    /// finished and recorded when this returns.
    pub async fn run(self, api: Api, shutdown: CancellationToken) {
        let gateway = api.gateway().clone();
        let stopping = api.stopping().clone();
        let connections = Connections::new(api);
        let tasks = TaskTracker::new();
        let accepting = accept_all(&self.listener, &connections, &tasks);
        shutdown.run_until_cancelled(accepting).await;
        drop(self.listener);
        stopping.cancel();
        connections.drain(&tasks).await;
        gateway.shutdown().await;
    }
}

fn explain(address: SocketAddr, reason: io::Error) -> BindError {
    match reason.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        io::ErrorKind::PermissionDenied => BindError::NotPermitted(address),
        io::ErrorKind::AddrNotAvailable => BindError::NotHere(address),
        _ => BindError::Other { address, reason },
    }
}

/// Accepts connections for ever, but only as many as may be open at a time.
async fn accept_all(listener: &TcpListener, connections: &Connections, tasks: &TaskTracker) {
    let places = Arc::new(Semaphore::new(connections.limits.connections));
    // The semaphore is never closed, so this loop does not end by itself.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, remote) = accept(listener).await;
        tasks.spawn(connections.clone().serve(stream, remote, place));
    }
}

/// The next connection. Errors are survived: one client that hung up is nothing, and if the system is out of files
/// there will be some again.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
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

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

// === impl Connections ===

impl Connections {
    fn new(api: Api) -> Self {
        let limits = api.limits();
        let mut http = http1::Builder::new();
        http.header_read_timeout(limits.header_timeout)
            // A client that has said everything (`nc -N`) still wants its answer.
            .half_close(true)
            .max_header_size(limits.header_bytes)
            .max_buf_size(limits.header_bytes.max(MIN_BUFFER));
        Self { api, http, limits, closing: CancellationToken::new(), cut_off: CancellationToken::new() }
    }

    /// Serves one client until it leaves or the server stops, and then gives its place to the next.
    async fn serve(self, stream: TcpStream, remote: SocketAddr, _place: OwnedSemaphorePermit) {
        if let Err(error) = prepare(&stream, &self.limits) {
            tracing::debug!(%error, %remote, "a client hung up at once");
            return;
        }
        let (api, caller) = (self.api, Arc::<str>::from(remote.to_string()));
        let service = service_fn(move |request| {
            let (api, caller) = (api.clone(), Arc::clone(&caller));
            async move { Ok::<_, Infallible>(api.respond_to(request, caller).await) }
        });
        let mut http = self.http.clone();
        http.timer(ConnectionTimer::new(self.limits.header_timeout));
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        // A token of its own: every wake-up looks at it, and a shared one is a lock between all connections.
        let closing = self.closing.child_token();
        let served = tokio::select! {
            biased;
            served = connection.as_mut() => Some(served),
            () = closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                self.cut_off.run_until_cancelled(connection).await
            }
        };
        if let Some(Err(error)) = served {
            tracing::debug!(%error, %remote, "a connection broke");
        }
    }

    /// Lets connections finish their requests, and cuts off those that take too long.
    async fn drain(&self, tasks: &TaskTracker) {
        tasks.close();
        self.closing.cancel();
        if timeout(self.limits.drain_timeout, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "cutting off requests that take too long to finish");
            self.cut_off.cancel();
            tasks.wait().await;
        }
    }
}

/// Answers leave at once, and a client that no longer takes them does not keep its place.
fn prepare(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let patience = u32::try_from(limits.send_timeout.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, patience)?;
    Ok(())
}
