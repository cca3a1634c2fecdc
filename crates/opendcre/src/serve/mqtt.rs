//! The MQTT brokers that the configuration names, ready to be served.

use anyhow::{Context, anyhow};
use opendcre_publish::{MqttSettings, MqttTls};

use super::publish::{identity, trusted};
use crate::config::{self, Config};

/// The longest client id of which the host name is a part.
const MAX_CLIENT_ID: usize = 64;

/// What is told to which broker, by a gateway on the machine `hostname`.
///
/// # Errors
/// A file or password that the configuration names cannot be read.
pub(super) fn settings(config: &Config, hostname: &str) -> anyhow::Result<Vec<MqttSettings>> {
    let tables = config.mqtt.iter();
    let broker = |table: &config::Mqtt| {
        broker(config, table, hostname).with_context(|| format!("mqtt {:?}", table.name))
    };
    tables.map(broker).collect()
}

fn broker(config: &Config, table: &config::Mqtt, hostname: &str) -> anyhow::Result<MqttSettings> {
    let place = table.place().ok_or_else(|| anyhow!("url: {:?} is none", table.url))?;
    Ok(MqttSettings {
        name: table.name.clone(),
        host: place.host,
        port: place.port,
        tls: if place.is_tls { Some(tls(table)?) } else { None },
        credentials: config.mqtt_login(table).context("password")?,
        client_id: table.client_id.clone().unwrap_or_else(|| client_id(hostname)),
        prefix: table.prefix.clone(),
        discovery: Some(table.discovery.clone()).filter(|prefix| !prefix.is_empty()),
        nodes: table.nodes.clone(),
        retain: table.retain,
        acknowledged: table.qos > 0,
        interval: table.interval,
        filter: table.filter(),
    })
}

fn tls(table: &config::Mqtt) -> anyhow::Result<MqttTls> {
    let identity = identity(table.certificate.as_deref(), table.key.as_deref())?;
    Ok(MqttTls { roots: trusted(table.ca.as_deref()).context("ca")?, identity })
}

/// What a broker knows the gateway of a machine as, unless the configuration says something else.
fn client_id(hostname: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    "opendcre-".chars().chain(hostname.chars().map(safe)).take(MAX_CLIENT_ID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_makes_a_client_id() {
        assert_eq!(client_id("dcre-1.lan"), "opendcre-dcre-1_lan");
        assert_eq!(client_id(&"ä/+#".repeat(99)).len(), MAX_CLIENT_ID);
    }
}
