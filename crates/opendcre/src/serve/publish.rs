//! Everything that events are brought to, as the configuration names it.

use std::path::Path;
use std::sync::Arc;

#[cfg(not(all(feature = "mqtt", feature = "otlp")))]
use anyhow::ensure;
use anyhow::{Context, anyhow};
use opendcre_auth::http_client::roots;
use opendcre_gateway::{Defect, EventLog};
use opendcre_model::WallClock;
use opendcre_publish::{
    BackOff, Identity, PublishSettings, Publisher, SyslogSettings, SyslogTransport, WebhookSettings,
};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;

use super::login::{authorities, authorities_text};
use crate::config::{self, Config, Transport};
use crate::input::read_text;

/// The largest file that holds a key, in bytes.
const MAX_KEY: u64 = 64 << 10;

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
    #[cfg(not(feature = "mqtt"))]
    ensure!(
        config.mqtt.is_empty(),
        "mqtt: this program was built without it; build it with `--features mqtt`, or remove the tables"
    );
    #[cfg(not(feature = "otlp"))]
    ensure!(
        config.otlp.is_empty(),
        "otlp: this program was built without it; build it with `--features otlp`, or remove the tables"
    );
    let webhooks = config.webhook.iter();
    let webhooks =
        webhooks.map(|table| webhook(config, table).with_context(|| format!("webhook {:?}", table.name)));
    let syslogs = config.syslog.iter();
    let syslogs = syslogs.map(|table| syslog(table).with_context(|| format!("syslog {:?}", table.name)));
    let hostname = hostname();
    Ok(PublishSettings {
        directory: config.publish_directory(),
        #[cfg(feature = "mqtt")]
        mqtts: super::mqtt::settings(config, &hostname)?,
        hostname,
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
        identity: identity(table.certificate.as_deref(), table.key.as_deref())?,
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
        Transport::Tls => {
            let identity = identity(table.certificate.as_deref(), table.key.as_deref())?;
            SyslogTransport::Tls(trusted(table.ca.as_deref()).context("ca")?, identity)
        }
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

/// The authorities in a file, or those of the system.
pub(super) fn trusted(ca: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let text = ca.map(authorities_text).transpose()?;
    Ok(roots(text.as_deref())?)
}

/// Who the gateway is to a receiver, if it is to say so.
pub(super) fn identity(certificate: Option<&Path>, key: Option<&Path>) -> anyhow::Result<Option<Identity>> {
    let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(None) };
    let chain = authorities(certificate).context("certificate")?;
    let unreadable = || format!("key: cannot read {}", key.display());
    let text = read_text(key, MAX_KEY).map(SecretString::from).with_context(unreadable)?;
    let private = PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes());
    let private = private.with_context(|| format!("key: {} does not hold a key in PEM", key.display()))?;
    let identity = Identity::new(chain, private);
    let unusable = || format!("the certificate {} and the key {}", certificate.display(), key.display());
    identity.map(Some).with_context(unusable)
}
