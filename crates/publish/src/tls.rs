//! TLS to a destination: rustls with ring. Whom to trust is an argument, and as whom to appear.

use std::sync::Arc;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

/// How a destination is spoken to whose certificate comes from one of `roots`, showing it the certificate of `identity` if
/// it asks for one.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn client(
    roots: RootCertStore,
    identity: Option<Arc<CertifiedKey>>,
) -> Result<ClientConfig, rustls::Error> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    Ok(match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        None => builder.with_no_client_auth(),
    })
}
