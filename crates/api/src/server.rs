//! The HTTP server: accepts connections within their limits, and stops without cutting anybody off.
//!
//! It knows sockets, TLS, and the versions of HTTP, but not what is asked, nor who may ask it.

mod activity;
mod connection;
mod exchange;
mod greeting;
mod listener;
mod pace;
mod patient;
mod place;

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use opendcre_gateway::{Defect, Gateway, Part};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Api;
use crate::tls::Tls;

pub use listener::{BindError, Listen};

pub(crate) use place::Places;

use connection::Connections;
use listener::Listener;

/// Tells of an address that is listened on although no network interface has it.
#[derive(Debug)]
struct AwaitedAddress(SocketAddr);

impl Part for AwaitedAddress {
    /// Asks the kernel, which knows without waiting for anybody.
    fn defects(&self) -> Vec<Defect> {
        let Self(address) = self;
        if listener::is_here(address.ip()) {
            return Vec::new();
        }
        let message = format!(
            "no network interface of this machine has the address {address}: nobody can reach the service there; bring up the \
             network, or correct the address to listen on"
        );
        vec![Defect { name: "server.listen".to_owned(), code: "address_missing", message }]
    }
}

/// A server that listens, but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
}

impl Server {
    /// Listens on all `addresses`. Port 0 takes any free port. The file of a Unix socket is replaced if nobody listens there
    /// any more, may be used by this user and group, and is removed when the server stops.
    ///
    /// # Errors
    /// Every [`BindError`].
    pub async fn bind(addresses: impl IntoIterator<Item = Listen>) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.push(Listener::bind(address).await?);
        }
        Ok(Self { listeners })
    }

    /// Where the server listens.
    pub fn addresses(&self) -> impl Iterator<Item = &Listen> {
        self.listeners.iter().map(Listener::address)
    }

    /// The first address in the network where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses().find_map(|address| match address {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        })
    }

    /// Tells `gateway` of addresses in the network that are not there.
    pub fn watch_addresses(&self, gateway: &Gateway) {
        for address in self.addresses() {
            // Any address of this machine is always there.
            if let Listen::Tcp(address) = address
                && !address.ip().is_unspecified()
            {
                gateway.watch_over(Arc::new(AwaitedAddress(*address)));
            }
        }
    }

    /// Answers requests until `shutdown` is cancelled, then stops accepting, lets running requests finish (as long
    /// as [`Limits::drain_timeout`](crate::Limits::drain_timeout) allows), and shuts the gateway down, so that every change
    /// that has begun is finished and recorded when this returns. With `tls`, all addresses but Unix sockets speak nothing
    /// else.
    pub async fn run(self, api: Api, tls: Option<Arc<Tls>>, shutdown: CancellationToken) {
        let gateway = api.gateway().clone();
        let stopping = api.stopping().clone();
        let tasks = TaskTracker::new();
        let connections = Connections::new(api, tls, &tasks);
        let accepting =
            join_all(self.listeners.iter().map(|listener| accept_all(listener, &connections, &tasks)));
        shutdown.run_until_cancelled(accepting).await;
        drop(self.listeners);
        stopping.cancel();
        connections.drain(&tasks).await;
        gateway.shutdown().await;
    }
}

/// Accepts connections for ever, but only as many as may be open at a time.
async fn accept_all(listener: &Listener, connections: &Connections, tasks: &TaskTracker) {
    loop {
        let (socket, remote) = listener.accept().await;
        if let Some(place) = connections.admit(remote).await {
            tasks.spawn(connections.clone().serve(socket, remote, place));
        }
    }
}
