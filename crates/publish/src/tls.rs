//! TLS to a destination: rustls with ring. Whom to trust is an argument.

use std::sync::Arc;

use rustls::client::WantsClientCert;
#[cfg(feature = "mqtt")]
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// How a destination is spoken to whose certificate comes from one of `roots`.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    Ok(builder(roots)?.with_no_client_auth())
}

/// The same with a certificate and key of ours, if there are any.
///
/// # Errors
/// TLS cannot be set up, as when the key is not that of the certificate.
#[cfg(feature = "mqtt")]
pub(crate) fn client_as(
    roots: RootCertStore,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig, rustls::Error> {
    let builder = builder(roots)?;
    match identity {
        Some((certificates, key)) => builder.with_client_auth_cert(certificates, key),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn builder(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots))
}
