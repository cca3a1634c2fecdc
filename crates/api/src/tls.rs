//! TLS: who this server is, whom it trusts, and both again whenever the files change.
//!
//! Only TLS 1.2 and 1.3, only key agreements with forward secrecy and authenticated encryption. It knows nothing of
//! HTTP but the names of its two versions (ALPN, RFC 7301).

mod client;
mod holder;
mod make;
mod material;
mod revocation;
mod suite;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_gateway::{Defect, Part};
use opendcre_model::WallClock;
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::time_provider::TimeProvider;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

pub(crate) use holder::{Holder, Revoked};
pub use make::MakeError;
pub use material::TlsError;

use material::{Contents, Material};
use revocation::{Condition, Lists};

/// How often the files should be looked at for changes.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(30);

/// The names of HTTP/2 and HTTP/1.1 in ALPN (RFC 9113 §3.2, RFC 7301 §6), the one that we like better first.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
/// The name of HTTP/2 in ALPN.
pub(crate) const HTTP2: &[u8] = b"h2";

/// The files from which TLS lives, all of them PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the server, followed by those that lead to the authority, each signed by the next.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that sign client certificates; without them, clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// What these authorities have revoked. With it, every authority and every intermediate one needs a list of its
    /// own that is not out of date: whose state is not known is refused.
    pub client_crl: Option<PathBuf>,
    /// Whether clients must show a certificate; only with `client_ca`.
    pub client_certificate: ClientCertificates,
}

/// Whether clients must show a certificate. One that is shown must be good in either case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They may; there are other ways to prove who they are.
    #[default]
    Optional,
    /// They must, or there is no connection.
    Required,
}

/// The TLS side of a server.
pub struct Tls {
    files: TlsFiles,
    clock: Arc<dyn WallClock>,
    current: RwLock<Arc<Trust>>,
    /// The files as they were when they were last looked at, good or not. Held while they are read again, so that two
    /// who notice a change do not overtake each other.
    seen: Mutex<[u8; 32]>,
    /// What was said last of the revocation lists.
    told: Mutex<Condition>,
}

/// What is in force until the files change.
pub(crate) struct Trust {
    /// For new connections. Its tickets and sessions are its own, so that none of another is ever resumed with it.
    pub(crate) config: Arc<ServerConfig>,
    /// Who decides on client certificates; nobody if there are no authorities.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// By which the verifier knows what is revoked.
    lists: Lists,
    /// Grows with every change.
    generation: u64,
    fingerprint: [u8; 32],
    expires: Timestamp,
}

// === impl TlsFiles ===

impl TlsFiles {
    /// A certificate and its key; clients are not asked for theirs.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: None,
            client_crl: None,
            client_certificate: ClientCertificates::default(),
        }
    }
}

// === impl Tls ===

impl Tls {
    /// Reads and checks `files`. What will soon be wrong with them, or is odd, is logged as a warning.
    ///
    /// # Errors
    /// Every [`TlsError`].
    pub fn open(files: TlsFiles, clock: Arc<dyn WallClock>) -> Result<Self, TlsError> {
        let contents = Contents::read(&files)?;
        let seen = contents.digest();
        let trust = Trust::new(contents.parse(&files, clock.now())?, &clock, 0)?;
        let (current, seen) = (RwLock::new(Arc::new(trust)), Mutex::new(seen));
        let tls = Self { files, clock, current, seen, told: Mutex::default() };
        tls.warn_of_lists();
        Ok(tls)
    }

    /// The SHA-256 fingerprint of the certificate, as people and `openssl x509 -fingerprint -sha256` write it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Fingerprint(self.current().fingerprint).to_string()
    }

    /// When the certificate of the server expires.
    pub(crate) fn expires(&self) -> Timestamp {
        self.current().expires
    }

    /// Reads the files again, and uses them for new connections. Open connections stay; the client certificates that
    /// were shown on them are judged again before their next request.
    ///
    /// # Errors
    /// Every [`TlsError`]. Everything stays as it is then.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut seen = self.seen();
        self.replace(&mut seen, &Contents::read(&self.files)?)
    }

    /// Reads the files again if they have changed since they were last looked at, and says whether they have.
    ///
    /// # Errors
    /// As [`reload`](Self::reload), once for every change.
    fn refresh(&self) -> Result<bool, TlsError> {
        let mut seen = self.seen();
        let contents = Contents::read(&self.files)?;
        if contents.digest() == *seen {
            return Ok(false);
        }
        self.replace(&mut seen, &contents).map(|()| true)
    }

    /// Looks at the files every `interval`, such as [`WATCH_INTERVAL`], and reads them again when they have changed,
    /// until `stop` is cancelled. What is wrong with them is logged, also what only time has made so.
    pub async fn watch(self: Arc<Self>, interval: Duration, stop: CancellationToken) {
        watch::watch(self, interval, &stop).await;
    }

    /// Warns of revocation lists that are out of date, or will be soon, when that is news.
    fn warn_of_lists(&self) {
        let trust = self.current();
        let condition = trust.lists.condition(self.clock.now());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *told, condition) != condition {
            trust.lists.warn(condition);
        }
    }

    /// What is in force now.
    pub(crate) fn current(&self) -> Arc<Trust> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, seen: &mut [u8; 32], contents: &Contents) -> Result<(), TlsError> {
        *seen = contents.digest();
        let material = contents.parse(&self.files, self.clock.now())?;
        let trust = Trust::new(material, &self.clock, self.current().generation.wrapping_add(1))?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        self.warn_of_lists();
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, [u8; 32]> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part for Tls {
    fn defects(&self) -> Vec<Defect> {
        self.current().lists.defect(self.clock.now()).into_iter().collect()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

// === impl Trust ===

impl Trust {
    fn new(material: Material, clock: &Arc<dyn WallClock>, generation: u64) -> Result<Self, TlsError> {
        let (fingerprint, expires) = (material.fingerprint(), material.expires);
        let (verifier, lists) = (material.verifier, material.lists);
        let provider = Arc::new(suite::provider());
        let builder = ServerConfig::builder_with_details(provider, Arc::new(Clock(Arc::clone(clock))))
            .with_protocol_versions(suite::VERSIONS)
            .map_err(TlsError::Library)?;
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(material.resolver);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.ignore_client_order = true;
        config.ticketer = Ticketer::new().map_err(TlsError::Library)?;
        Ok(Self { config: Arc::new(config), verifier, lists, generation, fingerprint, expires })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// The clock of this program as the TLS library wants it.
struct Clock(Arc<dyn WallClock>);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A time as the TLS library wants it; it knows none before 1970.
fn unix_time(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0)))
}

/// The SHA-256 of a certificate, written as pairs of capital hexadecimal digits with colons between them.
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &[u8]) -> [u8; 32] {
        Sha256::digest(certificate).into()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}
