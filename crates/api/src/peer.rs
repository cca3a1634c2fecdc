//! The other end of a connection, as far as the connection itself says who it is.
//!
//! It knows nothing of requests: what they present to prove who sends them is looked at elsewhere.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use opendcre_auth::certificate::PeerCertificate;

use crate::tls::{Holder, Revoked};

/// Where the other end of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    /// Somewhere in the network, or on this machine.
    Tcp(SocketAddr),
    /// On this machine, through a Unix socket, as this user of the system where that is known.
    Unix(Option<u32>),
}

/// The other end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    remote: Remote,
    text: Arc<str>,
    encrypted: bool,
    holder: Option<Holder>,
}

/// The part of an IPv6 address that names a network; its owner chooses the rest at will (RFC 4291 §2.5.1).
const NETWORK_MASK: u128 = !(u64::MAX as u128);

/// What counts as one client: an IPv4 address, or a network of 64 bits in IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK_MASK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl Peer {
    /// Whoever is at `remote`, without encryption.
    pub(crate) fn new(remote: Remote) -> Self {
        let text = match remote {
            Remote::Tcp(address) => address.to_string(),
            Remote::Unix(Some(user)) => format!("unix:uid={user}"),
            Remote::Unix(None) => "unix".to_owned(),
        };
        Self { remote, text: text.into(), encrypted: false, holder: None }
    }

    /// The same, after a TLS handshake in which they have proved to hold a certificate, or have not.
    pub(crate) fn encrypted(self, holder: Option<Holder>) -> Self {
        Self { encrypted: true, holder, ..self }
    }

    /// Its address; nothing for a Unix socket.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self.remote {
            Remote::Tcp(address) => Some(address.ip().to_canonical()),
            Remote::Unix(_) => None,
        }
    }

    /// Where it is, for logs and the audit: made once for all requests of the connection.
    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether the connection itself is encrypted.
    pub(crate) const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// What its client certificate says, if it has shown one. To be asked for every request: connections outlive what
    /// was true when they were opened.
    ///
    /// # Errors
    /// The certificate has expired meanwhile, or the authorities and revocations that are in force now do not vouch
    /// for it. The request must be refused.
    pub(crate) fn certificate(&self) -> Result<Option<&PeerCertificate>, Revoked> {
        self.holder.as_ref().map(Holder::certificate).transpose()
    }
}
