//! A certificate for those who have none: signed by itself, made once, and kept.
//!
//! Nobody vouches for it, so people compare its fingerprint. That is why it is made to last: a new one would have to be
//! compared again, and one that ends unnoticed cuts everybody off.

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
use thiserror::Error;

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
    /// the loopback addresses, and the address it listens on. It lasts ten years.
    ///
    /// # Errors
    /// Every [`MakeError`].
    pub fn make(folder: &Path, listen: IpAddr, now: Timestamp) -> Result<TlsFiles, MakeError> {
        let files = TlsFiles::new(folder.join("cert.pem"), folder.join("key.pem"));
        if files.certificate.exists() && files.key.exists() {
            return Ok(files);
        }
        let (certificate, key) = pair(&host_name(), listen, now)?;
        let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        created.map_err(|reason| MakeError::Write { path: folder.to_owned(), reason })?;
        // The key first: whoever finds a certificate finds its key as well.
        write(&files.key, &key, 0o600)?;
        write(&files.certificate, &certificate, 0o644)?;
        Ok(files)
    }
}

/// A certificate and its key as PEM.
fn pair(host: &str, listen: IpAddr, now: Timestamp) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names(host, listen))?;
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
fn names(host: &str, listen: IpAddr) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let address = (!listen.is_unspecified()).then(|| listen.to_canonical().to_string());
    for name in address.into_iter().chain([host.to_owned()]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The name as far as it may be a common name.
fn common_name(host: &str) -> &str {
    host.split_at(host.floor_char_boundary(MAX_COMMON_NAME)).0
}

/// The name of this machine, if it is one that certificates can hold.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if !name.is_empty() && name.chars().all(is_usual) { name } else { "localhost".to_owned() }
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
