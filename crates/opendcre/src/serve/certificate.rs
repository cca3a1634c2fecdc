//! The certificate of the server: one of the owner, or one that is made and kept, or, where nothing can be kept, one for the
//! life of the process.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use opendcre_api::{ClientCertificates, MakeError, Tls, TlsFiles};
use opendcre_gateway::Defect;
use opendcre_model::WallClock;
use tempfile::TempDir;

use crate::clock;
use crate::config::{self, Config};

/// The TLS side of the server.
pub(super) struct Certificate {
    /// Nothing if TLS is not spoken.
    pub(super) tls: Option<Arc<Tls>>,
    /// Where a certificate is that could not be kept; it goes away with this.
    pub(super) temporary: Option<TempDir>,
    /// That it could not be kept.
    pub(super) defect: Option<Defect>,
}

/// Opens what the configuration names, or makes it.
///
/// # Errors
/// The files cannot be used, or none can be made.
pub(super) fn open(config: &Config, clock: &Arc<dyn WallClock>) -> anyhow::Result<Certificate> {
    if !config.speaks_tls() {
        return Ok(Certificate { tls: None, temporary: None, defect: None });
    }
    let (own, temporary, defect) = match named(config) {
        Some(files) => (files, None, None),
        None => match make(&config.made_certificate(), config, &**clock) {
            Ok(files) => (files, None, None),
            Err(error @ MakeError::Write { .. }) => {
                let (files, folder) = make_for_now(config, &**clock).with_context(|| error.to_string())?;
                (files, Some(folder), Some(not_kept(&error)))
            }
            Err(error) => return Err(error.into()),
        },
    };
    let tls = Tls::open(with_clients(own, config), Arc::clone(clock))?;
    Ok(Certificate { tls: Some(Arc::new(tls)), temporary, defect })
}

/// Whether the files that the configuration names can be used. Nothing is made.
///
/// # Errors
/// They cannot.
pub(super) fn check(config: &Config, clock: &Arc<dyn WallClock>) -> anyhow::Result<()> {
    if let Some(files) = named(config).filter(|_| config.speaks_tls()) {
        Tls::open(with_clients(files, config), Arc::clone(clock))?;
    }
    Ok(())
}

/// The certificate of the owner.
fn named(config: &Config) -> Option<TlsFiles> {
    let (certificate, key) = config.tls.certificate.as_ref().zip(config.tls.key.as_ref())?;
    Some(TlsFiles::new(certificate, key))
}

fn make(folder: &Path, config: &Config, clock: &dyn WallClock) -> Result<TlsFiles, MakeError> {
    // A certificate from a clock that was never set would have ended by the time that it is.
    let now = clock.now().max(clock::built());
    Tls::make(folder, config.server.listen.ip(), &config.server.hosts, now)
}

/// A certificate in a folder that goes away with the process.
fn make_for_now(config: &Config, clock: &dyn WallClock) -> anyhow::Result<(TlsFiles, TempDir)> {
    let private = Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("opendcre-tls-").permissions(private).tempdir()?;
    let files = make(folder.path(), config, clock)?;
    Ok((files, folder))
}

fn not_kept(error: &MakeError) -> Defect {
    let message =
        format!("{error}; until then, every start makes another certificate, with another fingerprint");
    Defect { name: "tls.certificate".to_owned(), code: "certificate_not_kept", message }
}

/// `own`, and whom it trusts.
fn with_clients(own: TlsFiles, config: &Config) -> TlsFiles {
    let client_certificate = match config.tls.client_certificate {
        config::ClientCertificate::Optional => ClientCertificates::Optional,
        config::ClientCertificate::Required => ClientCertificates::Required,
    };
    TlsFiles {
        client_ca: config.tls.client_ca.clone(),
        client_crl: config.tls.client_crl.clone(),
        client_certificate,
        ..own
    }
}
