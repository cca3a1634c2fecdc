//! What tests share: no wait is without an end, no port that must be closed can be opened by another test, and there is
//! somebody who signs certificates.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::Identity;

/// For how long sockets are waited for: also on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(60);

/// What comes of `future`, which must come before `limit`.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    let waited = timeout(limit, future).await;
    waited.unwrap_or_else(|_| panic!("waited {limit:?} in vain: {what}"))
}

/// The same for sockets.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(LIMIT, what, future).await
}

/// A port at which nobody listens, and which nobody else gets as long as the socket lives.
pub(crate) fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// An authority that everybody in a test trusts.
pub(crate) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub(crate) roots: RootCertStore,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (key, mut authority) = (rcgen::KeyPair::generate().unwrap(), rcgen::CertificateParams::default());
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let mut roots = RootCertStore::empty();
        roots.add(authority.self_signed(&key).unwrap().der().clone()).unwrap();
        Self { issuer: rcgen::Issuer::new(authority, key), roots }
    }

    /// A certificate for `name`, and its key.
    fn certify(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// What proves to servers of this authority who a client is.
    pub(crate) fn client(&self) -> Identity {
        let (chain, key) = self.certify("gateway");
        Identity::new(chain, key).unwrap()
    }

    /// A server on this machine that takes only clients with a certificate of this authority.
    pub(crate) fn server(&self) -> TlsAcceptor {
        let ring = Arc::new(ring::default_provider());
        let roots = Arc::new(self.roots.clone());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&ring)).build().unwrap();
        let (chain, key) = self.certify("localhost");
        let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
        Arc::new(config).into()
    }
}
