//! A certificate for those who have none: signed by itself, made once, and kept.
//!
//! Nobody vouches for it, so people compare its fingerprint. That is why it is made to last: a new one would have to be
//! compared again, and one that ends unnoticed cuts everybody off. So it is not made again either when the service gets
//! other names; what it lacks is said in the log, and people decide.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Tls, TlsFiles};

/// How long a certificate lasts, in days: ten years.
const DAYS: i64 = 3650;
/// How long before it is made it is valid already, in days: clocks differ.
const DAYS_BEFORE: i64 = 1;
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
/// The longest common name of a certificate (RFC 5280, appendix A.1, ub-common-name).
const MAX_COMMON_NAME: usize = 64;

/// Why no certificate was made.
#[derive(Debug, Error)]
pub enum MakeError {
    /// A file cannot be written.
    #[error("cannot write {}: {reason}; check that this user may write there, and that the disk has room", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The library refuses.
    #[error("cannot make a certificate: {0}; name one of your own instead")]
    Refused(#[from] rcgen::Error),
}

impl Tls {
    /// The files `cert.pem` and `key.pem` in `folder`, which are made if either is missing: a key for ECDSA on P-256, which
    /// only this user may read, and a certificate that it signs for itself, for the name of this machine, `localhost`,
    /// the loopback addresses, the address it listens on, and `hosts`. It lasts ten years. What one that is there lacks
    /// of these is logged as a warning.
    ///
    /// # Errors
    /// Every [`MakeError`].
    pub fn make(
        folder: &Path,
        listen: IpAddr,
        hosts: &[String],
        now: Timestamp,
    ) -> Result<TlsFiles, MakeError> {
        let files = TlsFiles::new(folder.join("cert.pem"), folder.join("key.pem"));
        let host = host_name();
        let names = names(&host, listen, hosts);
        if !(files.certificate.exists() && files.key.exists()) {
            make(folder, &files, &host, &names, now)?;
        }
        warn_if_lacking(&files.certificate, &names);
        Ok(files)
    }
}

fn make(
    folder: &Path,
    files: &TlsFiles,
    host: &str,
    names: &[String],
    now: Timestamp,
) -> Result<(), MakeError> {
    let (certificate, key) = pair(host, names, now)?;
    let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|reason| MakeError::Write { path: folder.to_owned(), reason })?;
    // The key first: whoever finds a certificate finds its key as well.
    write(&files.key, &key, 0o600)?;
    write(&files.certificate, &certificate, 0o644)
}

/// A certificate and its key as PEM.
fn pair(host: &str, names: &[String], now: Timestamp) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let names: Vec<String> = names.iter().filter(|name| is_usual(name)).cloned().collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name(host));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let ((year, month, day), (end_year, end_month, end_day)) = (date(now, -DAYS_BEFORE), date(now, DAYS));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    params.not_after = rcgen::date_time_ymd(end_year, end_month, end_day);
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// The names and addresses that clients may use, each once.
fn names(host: &str, listen: IpAddr, hosts: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let address = (!listen.is_unspecified()).then(|| listen.to_canonical().to_string());
    let hosts = hosts.iter().map(|host| host.to_ascii_lowercase());
    for name in address.into_iter().chain([host.to_ascii_lowercase()]).chain(hosts) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether a certificate can hold a name.
fn is_usual(name: &str) -> bool {
    let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    name.parse::<IpAddr>().is_ok() || !name.is_empty() && name.chars().all(is_usual)
}

/// Says which of `names` a certificate is not for. One that cannot be read is for those to complain about who use it.
fn warn_if_lacking(path: &Path, names: &[String]) {
    let Some(held) = CertificateDer::from_pem_file(path).ok().and_then(|certificate| held(&certificate))
    else {
        return;
    };
    let lacking: Vec<&str> = names.iter().filter(|name| !held.contains(name)).map(String::as_str).collect();
    if !lacking.is_empty() {
        tracing::warn!(
            path = %path.display(),
            names = lacking.join(", "),
            "the certificate that was made is not for all names of this service; clients that use its fingerprint do not \
             mind; otherwise remove it to have another one made, which has another fingerprint"
        );
    }
}

/// The names and addresses that a certificate is for.
fn held(certificate: &[u8]) -> Option<Vec<String>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    Some(names.value.general_names.iter().filter_map(name).collect())
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// The name as far as it may be a common name.
fn common_name(host: &str) -> &str {
    host.split_at(host.floor_char_boundary(MAX_COMMON_NAME)).0
}

/// The name of this machine, if it is one that certificates can hold.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if is_usual(&name) { name } else { "localhost".to_owned() }
}

/// The year, month and day, so many days from now.
fn date(now: Timestamp, days: i64) -> (i32, u8, u8) {
    let second = now.as_second().saturating_add(days.saturating_mul(SECONDS_PER_DAY));
    let date = Timestamp::from_second(second).unwrap_or(now).to_zoned(TimeZone::UTC).date();
    (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// Writes a file so that it is there completely or not at all, and never readable for more people than it will be.
fn write(path: &Path, content: &str, mode: u32) -> Result<(), MakeError> {
    let new = path.with_extension("new");
    let written = write_new(&new, content, mode)
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()));
    written.map_err(|reason| MakeError::Write { path: path.to_owned(), reason })
}

fn write_new(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}
