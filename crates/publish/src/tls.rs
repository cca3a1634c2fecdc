//! TLS to a destination: rustls with ring. Whom to trust, and who we are, are arguments.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

/// What proves to a destination who we are: a certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity(CertifiedKey);

impl Identity {
    /// A certificate, followed by those that it comes from, and its key.
    ///
    /// # Errors
    /// They do not belong together, or cannot be used.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).map(Self)
    }
}

/// How a destination is spoken to whose certificate comes from one of `roots`, and to which we are `identity`.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn client(
    roots: RootCertStore,
    identity: Option<&Identity>,
) -> Result<ClientConfig, rustls::Error> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    Ok(match identity {
        Some(Identity(key)) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone())))
        }
        None => builder.with_no_client_auth(),
    })
}
