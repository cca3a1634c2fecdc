//! TLS as the client speaks it: whom it trusts, and what it says when it does not.
//!
//! A server is trusted for its authority, or for being the one certificate whose fingerprint was given. A certificate
//! that is not trusted is named by its fingerprint, which is what the server says at its own start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use opendcre_auth::http_client::{TrustError, roots};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::server_url::ServerUrl;
use crate::cli::{AccessOptions, Fingerprint};
use crate::input::read_text;

/// A file with more in it holds something else than certificates. The authorities of a system have some 200 KiB.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why the client cannot speak TLS as it was told to.
#[derive(Debug, Error)]
pub(super) enum TlsError {
    /// A file cannot be read.
    #[error("{option} {}: cannot read it: {reason}", path.display())]
    Unreadable {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// Nobody would be trusted.
    #[error("--ca-file {}: {reason}", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: TrustError,
    },
    /// A certificate or its key is missing.
    #[error("--client-certificate and --client-key belong together; give both")]
    HalfIdentity,
    /// They are not what they should be, or do not belong together.
    #[error("--client-certificate, --client-key: {0}")]
    Identity(String),
    /// The library refuses.
    #[error("cannot prepare to talk over TLS: {0}")]
    Setup(String),
}

/// A certificate that is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}; the fingerprint of the certificate is {fingerprint}")]
pub(super) struct Untrusted {
    reason: String,
    fingerprint: Fingerprint,
}

/// TLS as `options` want it for `server`.
pub(super) fn config(options: &AccessOptions, server: &ServerUrl) -> Result<ClientConfig, TlsError> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    // To load the authorities of the system takes longer than to ask a server on this machine.
    let trust = if server.is_https() { trust(options, &ring)? } else { Trust::Nobody };
    let verifier = Verifier { trust, ring: Arc::clone(&ring) };
    let builder = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (&options.client_certificate, &options.client_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let (chain, key) = identity(certificate, key)?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| TlsError::Identity(error.to_string()))
        }
        _ => Err(TlsError::HalfIdentity),
    }
}

/// The authorities that `options` name, or those of the system.
pub(super) fn authorities(options: &AccessOptions) -> Result<RootCertStore, TlsError> {
    let Some(path) = &options.ca_file else {
        return roots(None).map_err(|error| TlsError::Setup(error.to_string()));
    };
    let pem = read("--ca-file", path)?;
    let trust = |reason| TlsError::Trust { path: path.clone(), reason };
    roots(Some(pem.expose_secret().as_bytes())).map_err(trust)
}

fn trust(options: &AccessOptions, ring: &Arc<CryptoProvider>) -> Result<Trust, TlsError> {
    if let Some(fingerprint) = options.fingerprint {
        return Ok(Trust::Pinned(fingerprint));
    }
    let authorities = authorities(options)?;
    if authorities.is_empty() {
        return Ok(Trust::Nobody);
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(ring)).build();
    verifier.map(Trust::Authorities).map_err(|error| TlsError::Setup(error.to_string()))
}

fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let wrong = |error: rustls::pki_types::pem::Error| TlsError::Identity(error.to_string());
    let pem = read("--client-certificate", certificate)?;
    let chain = CertificateDer::pem_slice_iter(pem.expose_secret().as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let key = read("--client-key", key)?;
    Ok((chain, PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(wrong)?))
}

fn read(option: &'static str, path: &Path) -> Result<SecretString, TlsError> {
    let text = read_text(path, MAX_FILE_BYTES).map(SecretString::from);
    text.map_err(|reason| TlsError::Unreadable { option, path: path.to_owned(), reason })
}

/// Whom to trust.
#[derive(Debug)]
enum Trust {
    /// Whoever has a certificate of these authorities for the name that was asked for.
    Authorities(Arc<WebPkiServerVerifier>),
    /// Whoever has the key of this certificate. Neither its name nor its age matters then.
    Pinned(Fingerprint),
    /// The system knows no authority, and none was named.
    Nobody,
}

/// Decides about certificates, and says which one was refused.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    ring: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint(Sha256::digest(certificate).into());
        let reason = match &self.trust {
            Trust::Authorities(verifier) => {
                match verifier.verify_server_cert(certificate, intermediates, name, ocsp, now) {
                    Ok(verified) => return Ok(verified),
                    Err(error) => explained(&error),
                }
            }
            Trust::Pinned(expected) if *expected == found => return Ok(ServerCertVerified::assertion()),
            Trust::Pinned(_) => "it has another certificate than the one that --fingerprint names".to_owned(),
            Trust::Nobody => "this system knows no authority to trust".to_owned(),
        };
        Err(rustls::Error::Other(OtherError(Arc::new(Untrusted { reason, fingerprint: found }))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.ring.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.ring.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.ring.signature_verification_algorithms.supported_schemes()
    }
}

/// What is wrong with a certificate, in words for people.
fn explained(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            // An authority of the same name with another key is another authority.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "no authority that is trusted here has signed its certificate".to_owned()
            }
            CertificateError::Other(_) => "its certificate is not one of a server".to_owned(),
            error => error.to_string(),
        },
        error => error.to_string(),
    }
}

#[cfg(test)]
#[path = "tls/tests.rs"]
mod tests;
