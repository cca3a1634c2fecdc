//! The receivers of OTLP, as the configuration names them.

use std::sync::Arc;

use anyhow::Context;
use opendcre_gateway::Defect;
use opendcre_model::WallClock;
use opendcre_publish::{Meters, OtlpLogs, OtlpMetrics, OtlpSettings};

use super::publish::{hostname, identity, trusted};
use crate::config::{self, Compression, Config, Signal};

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
        identity: identity(table.certificate.as_deref(), table.key.as_deref())?,
        timeout: table.timeout,
        is_compressed: table.compression == Compression::Gzip,
        resource: table.resource.clone(),
        metrics: table.sends(Signal::Metrics).then_some(metrics),
        logs: table.sends(Signal::Logs).then_some(logs),
    })
}
