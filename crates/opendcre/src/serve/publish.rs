//! Everything that events are brought to, as the configuration names it.

use std::path::Path;
use std::sync::Arc;

#[cfg(not(feature = "otlp"))]
use anyhow::bail;
use anyhow::{Context, anyhow};
use opendcre_auth::http_client::roots;
use opendcre_gateway::{Defect, EventLog};
use opendcre_model::WallClock;
use opendcre_publish::{
    BackOff, PublishSettings, Publisher, SyslogSettings, SyslogTransport, WebhookSettings,
};
use rustls::RootCertStore;
use tokio::task::spawn_blocking;

use super::login::authorities_text;
use crate::config::{self, Config, Transport};

/// What brings the events of `log` to others; nothing if nobody wants them. Also what of it cannot be used.
///
/// # Errors
/// A file that the configuration names cannot be read.
pub(super) async fn open(
    config: &Config,
    log: Option<&EventLog>,
    clock: &Arc<dyn WallClock>,
) -> anyhow::Result<(Option<Publisher>, Vec<Defect>)> {
    let settings = settings(config)?;
    let Some(log) = log.filter(|_| !settings.is_empty()) else {
        return Ok((None, Vec::new()));
    };
    let (log, clock) = (log.clone(), Arc::clone(clock));
    let opened = spawn_blocking(move || Publisher::open(settings, log, clock)).await;
    let (publisher, defects) = opened.context("nothing is published by a fault of this program")?;
    Ok((Some(publisher), defects))
}

/// Checks everything that can be checked without asking anybody, and without a state.
///
/// # Errors
/// What would keep the service from starting.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    settings(config).map(drop)
}

/// The name of this machine.
pub(super) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn settings(config: &Config) -> anyhow::Result<PublishSettings> {
    #[cfg(not(feature = "otlp"))]
    if !config.otlp.is_empty() {
        bail!(
            "otlp: this program was built without it; build it with `--features otlp`, or remove the tables"
        );
    }
    let webhooks = config.webhook.iter();
    let webhooks =
        webhooks.map(|table| webhook(config, table).with_context(|| format!("webhook {:?}", table.name)));
    let syslogs = config.syslog.iter();
    let syslogs = syslogs.map(|table| syslog(table).with_context(|| format!("syslog {:?}", table.name)));
    Ok(PublishSettings {
        directory: config.publish_directory(),
        hostname: hostname(),
        webhooks: webhooks.collect::<anyhow::Result<_>>()?,
        syslogs: syslogs.collect::<anyhow::Result<_>>()?,
        #[cfg(feature = "otlp")]
        otlps: super::otlp::settings(config)?,
        back_off: BackOff::default(),
    })
}

fn webhook(config: &Config, table: &config::Webhook) -> anyhow::Result<WebhookSettings> {
    Ok(WebhookSettings {
        name: table.name.clone(),
        url: table.url.clone(),
        secret: config.webhook_secret(table).context("secret")?,
        roots: trusted(table.ca.as_deref()).context("ca")?,
        timeout: table.timeout,
        patience: table.give_up_after,
        filter: table.filter(),
    })
}

fn syslog(table: &config::Syslog) -> anyhow::Result<SyslogSettings> {
    let (host, port) = table.place().ok_or_else(|| anyhow!("server: {:?} is none", table.server))?;
    let transport = match table.transport {
        Transport::Udp => SyslogTransport::Udp,
        Transport::Tcp => SyslogTransport::Tcp,
        Transport::Tls => SyslogTransport::Tls(trusted(table.ca.as_deref()).context("ca")?),
    };
    Ok(SyslogSettings {
        name: table.name.clone(),
        host,
        port,
        transport,
        facility: table.facility(),
        app_name: table.app_name.clone(),
        enterprise: table.enterprise,
        filter: table.filter(),
    })
}

pub(super) fn trusted(ca: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let text = ca.map(authorities_text).transpose()?;
    Ok(roots(text.as_deref())?)
}
