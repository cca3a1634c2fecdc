//! TLS to a destination: rustls with ring. Whom to trust is an argument.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// How a destination is spoken to whose certificate comes from one of `roots`.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
