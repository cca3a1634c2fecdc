//! What the files for TLS hold, read and checked.
//!
//! Each error names the file and what to do. What works, but not for long or not well, is logged as a warning.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::revocation::Lists;
use super::{ClientCertificates, Fingerprint, TlsFiles, client, suite};

/// The largest file that is read, in bytes: a revocation list of some hundred thousand certificates.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// The most certificates from the one of the server to its authority.
const MAX_CHAIN: usize = 10;
/// How long before its end a certificate is warned about.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// The permission bits of everybody else.
const OTHERS: u32 = 0o007;

/// Why TLS cannot be served with these files.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}; check the path and who may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A file is larger than anything of its kind.
    #[error("{} is larger than {} MiB; name a file with PEM in it", .0.display(), MAX_FILE / (1024 * 1024))]
    TooLarge(PathBuf),
    /// A file is not PEM.
    #[error("{} is broken: {reason}; write it again in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: pem::Error,
    },
    /// A file holds nothing of what it should hold.
    #[error("{} holds no {what}; name a file in PEM with one", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The key is protected by a password.
    #[error(
        "the private key in {} is encrypted, and nobody is there to type its password; remove it with \
         `openssl pkey` and let the permissions of the file protect the key",
        .0.display()
    )]
    EncryptedKey(PathBuf),
    /// The key is of a kind that is not served, or broken.
    #[error("the private key in {} cannot be used: {reason}; use one for ECDSA P-256 or RSA", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: rustls::Error,
    },
    /// A certificate cannot be understood.
    #[error("certificate {position} in {} cannot be used: {reason}; have it issued again", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Which one, counted from 1.
        position: usize,
        /// Why not.
        reason: String,
    },
    /// More certificates than any authority needs.
    #[error(
        "{} holds more than {MAX_CHAIN} certificates; keep the one of this server and those that lead to its authority",
        .0.display()
    )]
    LongChain(PathBuf),
    /// The chain is in the wrong order, or has a gap.
    #[error(
        "certificate {position} in {} is not signed by the one that follows it; put the certificate of this server \
         first, then the one that signed it, and so on",
        path.display()
    )]
    Order {
        /// The file.
        path: PathBuf,
        /// Which one, counted from 1.
        position: usize,
    },
    /// The key is not that of the certificate.
    #[error(
        "the private key in {} does not belong to the certificate in {}; name the pair that was made together, with the \
         certificate of this server first in its file",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The file with the key.
        key: PathBuf,
        /// The file with the certificate.
        certificate: PathBuf,
    },
    /// The authorities for client certificates, or their revocations, cannot be used.
    #[error("{} cannot be used to check client certificates: {reason}; a list of revocations must be of version 2", path.display())]
    Client {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Client certificates are to be checked, but nobody says who signs them.
    #[error(
        "client certificates cannot be checked without `client_ca`; name the file with their authorities"
    )]
    NoAuthorities,
    /// The TLS library does not take what all checks have let pass.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
}

/// The bytes of all files.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    client_crl: Option<Vec<u8>>,
}

/// Who decides on client certificates, and the lists by which they know what is revoked.
type Verifier = (Arc<dyn ClientCertVerifier>, Lists);

/// What the files hold.
pub(super) struct Material {
    pub(super) resolver: Arc<SingleCertAndKey>,
    pub(super) verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// By which the verifier knows what is revoked.
    pub(super) lists: Lists,
    fingerprint: [u8; 32],
    /// When the certificate of the server expires.
    pub(super) expires: Timestamp,
}

// === impl Contents ===

impl Contents {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
            client_crl: files.client_crl.as_deref().map(read).transpose()?,
        })
    }

    /// A hash of all of it, by which changes are noticed.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut all = Sha256::new();
        for file in
            [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref(), self.client_crl.as_ref()]
        {
            all.update(Sha256::digest(file.map_or(&[][..], Vec::as_slice)));
        }
        all.finalize().into()
    }

    /// Takes it apart, and checks it as far as that can be done without a client.
    pub(super) fn parse(&self, files: &TlsFiles, now: Timestamp) -> Result<Material, TlsError> {
        warn_if_exposed(&files.key);
        let chain = certificates(&files.certificate, &self.certificate)?;
        let expires = check_chain(&files.certificate, &chain, now)?;
        let fingerprint = chain.first().map(|first| Fingerprint::of(first)).unwrap_or_default();
        let resolver = Arc::new(SingleCertAndKey::from(self.certified(files, chain)?));
        let (verifier, lists) = self.verifier(files)?.unzip();
        Ok(Material { resolver, verifier, lists: lists.unwrap_or_default(), fingerprint, expires })
    }

    fn certified(
        &self,
        files: &TlsFiles,
        chain: Vec<CertificateDer<'static>>,
    ) -> Result<CertifiedKey, TlsError> {
        let key = private_key(&files.key, &self.key)?;
        let key = suite::provider().key_provider.load_private_key(key);
        let key = key.map_err(|reason| TlsError::Key { path: files.key.clone(), reason })?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsError::Mismatch { key: files.key.clone(), certificate: files.certificate.clone() })
            }
            Err(reason) => Err(TlsError::Certificate {
                path: files.certificate.clone(),
                position: 1,
                reason: reason.to_string(),
            }),
        }
    }

    fn verifier(&self, files: &TlsFiles) -> Result<Option<Verifier>, TlsError> {
        let (Some(path), Some(bytes)) = (&files.client_ca, &self.client_ca) else {
            let needed =
                files.client_crl.is_some() || files.client_certificate == ClientCertificates::Required;
            return if needed { Err(TlsError::NoAuthorities) } else { Ok(None) };
        };
        let authorities = client::authorities(path, certificates(path, bytes)?)?;
        let revoked = match (&files.client_crl, &self.client_crl) {
            (Some(path), Some(bytes)) => Some((path.as_path(), revocations(path, bytes)?)),
            _ => None,
        };
        let lists = revoked.as_ref().map(|(path, lists)| Lists::of(path, lists)).unwrap_or_default();
        let verifier = client::verifier(path, authorities, revoked, files.client_certificate)?;
        Ok(Some((verifier, lists)))
    }
}

// === impl Material ===

impl Material {
    /// The SHA-256 of the certificate of the server.
    pub(super) const fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let explain = |reason| TlsError::Read { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(explain)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE) {
        Ok(bytes)
    } else {
        Err(TlsError::TooLarge(path.to_owned()))
    }
}

fn warn_if_exposed(key: &Path) {
    if fs::metadata(key).is_ok_and(|about| about.permissions().mode() & OTHERS != 0) {
        tracing::warn!(path = %key.display(), "every user of this machine may read the private key; run chmod 640 on it");
    }
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    sections(path, bytes, "certificate")
}

fn revocations(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    sections(path, bytes, "revocation list")
}

/// All sections of one kind; at least one.
fn sections<T: PemObject>(path: &Path, bytes: &[u8], what: &'static str) -> Result<Vec<T>, TlsError> {
    let found: Result<Vec<T>, _> = T::pem_slice_iter(bytes).collect();
    let found = found.map_err(|reason| TlsError::Pem { path: path.to_owned(), reason })?;
    if found.is_empty() { Err(TlsError::Missing { path: path.to_owned(), what }) } else { Ok(found) }
}

fn private_key(path: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    PrivateKeyDer::from_pem_slice(bytes).map_err(|reason| match reason {
        _ if bytes.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) => {
            TlsError::EncryptedKey(path.to_owned())
        }
        pem::Error::NoItemsFound => TlsError::Missing { path: path.to_owned(), what: "private key" },
        reason => TlsError::Pem { path: path.to_owned(), reason },
    })
}

/// Checks that each certificate is readable and signed by the next, and warns about the time of the first. Tells
/// when that expires.
fn check_chain(
    path: &Path,
    chain: &[CertificateDer<'static>],
    now: Timestamp,
) -> Result<Timestamp, TlsError> {
    if chain.len() > MAX_CHAIN {
        return Err(TlsError::LongChain(path.to_owned()));
    }
    let parse = |(index, der)| parse(path, index, der);
    let parsed: Vec<X509Certificate<'_>> = chain.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    let mut pairs = parsed.iter().zip(parsed.iter().skip(1));
    if let Some(index) = pairs.position(|(one, next)| one.issuer().as_raw() != next.subject().as_raw()) {
        return Err(TlsError::Order { path: path.to_owned(), position: index + 1 });
    }
    let Some(first) = parsed.first() else { return Ok(Timestamp::MAX) };
    warn_about_time(path, first, now);
    let expires = Timestamp::from_second(first.validity().not_after.timestamp());
    Ok(expires.unwrap_or(Timestamp::MAX))
}

fn parse<'a>(
    path: &Path,
    index: usize,
    certificate: &'a CertificateDer<'static>,
) -> Result<X509Certificate<'a>, TlsError> {
    let error = |reason: String| TlsError::Certificate { path: path.to_owned(), position: index + 1, reason };
    let (rest, parsed) =
        X509Certificate::from_der(certificate).map_err(|reason| error(reason.to_string()))?;
    if rest.is_empty() { Ok(parsed) } else { Err(error("something follows it".to_owned())) }
}

fn warn_about_time(path: &Path, certificate: &X509Certificate<'_>, now: Timestamp) {
    let validity = certificate.validity();
    let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let (path, now) = (path.display(), now.as_second());
    let soon = now.saturating_add(i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX));
    if until < now {
        tracing::warn!(%path, not_after = %validity.not_after, "the certificate has expired; clients will refuse it");
    } else if until < soon {
        tracing::warn!(%path, not_after = %validity.not_after, "the certificate expires soon; have it renewed");
    } else if from > now {
        tracing::warn!(%path, not_before = %validity.not_before, "the certificate is not valid yet; check the clock");
    }
}
