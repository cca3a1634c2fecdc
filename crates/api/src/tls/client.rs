//! Who decides on client certificates: their authorities, and what these have revoked.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{ClientCertificates, TlsError, suite};

/// The authorities in the file at `path`.
pub(super) fn authorities(
    path: &Path,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.into_iter().enumerate() {
        let added = store.add(certificate);
        added.map_err(|reason| TlsError::Certificate {
            path: path.to_owned(),
            position: index + 1,
            reason: reason.to_string(),
        })?;
    }
    Ok(store)
}

/// Who lets client certificates pass that are signed by `authorities` and not in the lists of `revoked`, which say with
/// their file what is revoked. A list that is out of date vouches for nobody.
pub(super) fn verifier(
    path: &Path,
    authorities: RootCertStore,
    revoked: Option<(&Path, Vec<CertificateRevocationListDer<'static>>)>,
    certificates: ClientCertificates,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let provider = Arc::new(suite::provider());
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let mut path = path;
    if let Some((file, lists)) = revoked {
        path = file;
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    if certificates == ClientCertificates::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| TlsError::Client { path: path.to_owned(), reason: error.to_string() })
}
