//! The receivers of OTLP, as the configuration names them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use opendcre_gateway::Defect;
use opendcre_model::WallClock;
use opendcre_publish::{Meters, OtlpLogs, OtlpMetrics, OtlpSettings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::{ExposeSecret, SecretString};

use super::login::authorities_text;
use super::publish::{hostname, trusted};
use crate::config::{self, Compression, Config, Signal};
use crate::input::read_text;

/// A file with more in it holds something else than a key.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// What sends readings, and what of it cannot be used.
///
/// # Errors
/// A file that the configuration names cannot be read.
pub(super) fn open(config: &Config, clock: &Arc<dyn WallClock>) -> anyhow::Result<(Meters, Vec<Defect>)> {
    Ok(Meters::open(&settings(config)?, &hostname(), clock))
}

/// Every receiver.
///
/// # Errors
/// A file that the configuration names cannot be read.
pub(super) fn settings(config: &Config) -> anyhow::Result<Vec<OtlpSettings>> {
    let receivers = config.otlp.iter();
    receivers.map(|table| receiver(config, table).with_context(|| format!("otlp {:?}", table.name))).collect()
}

fn receiver(config: &Config, table: &config::Otlp) -> anyhow::Result<OtlpSettings> {
    let headers = config.otlp_headers(table);
    let metrics = OtlpMetrics { interval: table.interval, nodes: table.nodes()? };
    let logs = OtlpLogs { patience: table.give_up_after, filter: table.filter() };
    Ok(OtlpSettings {
        name: table.name.clone(),
        endpoint: table.endpoint.clone(),
        headers: headers.map_err(|(key, error)| anyhow::Error::new(error).context(key))?,
        roots: trusted(table.ca.as_deref()).context("ca")?,
        identity: identity(table)?,
        timeout: table.timeout,
        is_compressed: table.compression == Compression::Gzip,
        resource: table.resource.clone(),
        metrics: table.sends(Signal::Metrics).then_some(metrics),
        logs: table.sends(Signal::Logs).then_some(logs),
    })
}

fn identity(table: &config::Otlp) -> anyhow::Result<Option<Arc<CertifiedKey>>> {
    let (Some(certificate), Some(key)) = (&table.certificate, &table.key) else { return Ok(None) };
    let text = authorities_text(certificate).context("certificate")?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let chain = chain.context("certificate: it is not in PEM")?;
    if chain.is_empty() {
        bail!("certificate: there is none in {}; write it there in PEM", certificate.display());
    }
    let ring = rustls::crypto::ring::default_provider();
    let identity = CertifiedKey::from_der(chain, private_key(key).context("key")?, &ring);
    Ok(Some(Arc::new(identity.context("certificate and key do not go together")?)))
}

fn private_key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let text = read_text(path, MAX_KEY_BYTES).with_context(|| format!("cannot read {}", path.display()))?;
    let text = SecretString::from(text);
    PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()).context("it is not in PEM")
}
