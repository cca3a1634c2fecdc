//! MQTT brokers in the configuration. It is the same in every build; whether a broker can be served, `serve` says.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use opendcre_gateway::NodeRange;
use opendcre_publish::Filter;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::publish::{LeastSeverity, check_filter, check_names, filter, place};
use super::{Config, SecretError, text};

/// The ports of MQTT, without and with TLS (MQTT 5.0 §4.2).
const PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;

/// The longest client id; every broker must take 23 characters (MQTT 5.0 §3.1.3.1), and those of today take more.
const MAX_CLIENT_ID: usize = 64;

/// The longest prefix of topics, and what it may have besides letters and digits. So it has no wildcards in it.
const MAX_PREFIX: usize = 128;
const PREFIX_PUNCTUATION: &str = "-_./";

/// The longest user name.
const MAX_USER: usize = 256;

const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60 * 60);

/// An MQTT broker (MQTT 5.0), which is told how boards are, and of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Its name in logs and metrics: 1 to 32 letters, digits, `-` and `_`, unique.
    pub name: String,
    /// Where it is: `mqtts://` or `mqtt://` and a host name or address, with a port if it is not 8883 or 1883.
    pub url: String,
    /// The user name, if it wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The file that holds the password. A relative path counts from the systemd credentials of the service if it has
    /// any, and from this file otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// The name of the password in the sealed store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_name: Option<String>,
    /// The authorities in PEM that its certificate comes from; those of the system unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// A certificate in PEM that is shown to it, with those between it and its authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of the certificate in PEM. A relative path counts as that of `password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// What the broker knows the gateway as, unique there: 1 to 64 letters, digits, `-` and `_`; `opendcre-` and the host
    /// name unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What topics begin with: levels of letters, digits, `-`, `_` and `.`, with `/` between them.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// What topics begin with by which Home Assistant finds boards; empty for none.
    #[serde(default = "default_discovery")]
    pub discovery: String,
    /// The boards that it is told of, a node range; every one unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<String>,
    /// Whether it keeps the last state of everything for those who come later.
    #[serde(default = "default_retain")]
    pub retain: bool,
    /// The quality of service: 1 for acknowledged, 0 for not.
    #[serde(default = "default_qos")]
    pub qos: u8,
    /// How often is looked for what is new, 1s to 1h.
    #[serde(default = "default_interval", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub interval: Duration,
    /// The kinds of events that are wanted; every kind unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The least severity that is wanted.
    #[serde(default)]
    pub severity: LeastSeverity,
    /// Only events about boards in these racks; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<String>,
}

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerPlace {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken there.
    pub is_tls: bool,
}

fn default_prefix() -> String {
    "opendcre".to_owned()
}

fn default_discovery() -> String {
    "homeassistant".to_owned()
}

const fn default_retain() -> bool {
    true
}

const fn default_qos() -> u8 {
    1
}

fn default_interval() -> Duration {
    Duration::from_secs(10)
}

/// Everything that is wrong with the tables.
pub(super) fn check(brokers: &[Mqtt], findings: &mut Findings) {
    check_names("mqtt", brokers.iter().map(|broker| broker.name.as_str()), findings);
    for (index, broker) in brokers.iter().enumerate() {
        broker.check(&format!("mqtt.{index}"), findings);
    }
}

impl Mqtt {
    /// Where it is, if the URL says so.
    #[must_use]
    pub fn place(&self) -> Option<BrokerPlace> {
        let (scheme, rest) = self.url.split_once("://")?;
        let (is_tls, usual) = match scheme {
            "mqtts" => (true, TLS_PORT),
            "mqtt" => (false, PORT),
            _ => return None,
        };
        let (host, port) = place(rest.strip_suffix('/').unwrap_or(rest), usual)?;
        Some(BrokerPlace { host, port, is_tls })
    }

    /// Which events are wanted; all of them if a word is unknown, which no configuration has that was checked.
    #[must_use]
    pub fn filter(&self) -> Filter {
        filter(&self.kinds, self.severity, &self.racks).unwrap_or_default()
    }

    /// The files that are named, other than those with secrets.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.ca.iter_mut().chain(&mut self.certificate)
    }

    /// The files with secrets that are named.
    pub(super) fn secret_files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.password_file.iter_mut().chain(&mut self.key)
    }

    fn check(&self, path: &str, findings: &mut Findings) {
        let key = |name: &str| format!("{path}.{name}");
        self.check_place(path, findings);
        self.check_password(path, findings);
        if self.certificate.is_some() != self.key.is_some() {
            findings.add(path, "certificate and key go together; write both or none of them");
        }
        if let Some(client_id) = &self.client_id {
            findings.label(&key("client_id"), client_id, MAX_CLIENT_ID, "-_");
        }
        check_prefix(&key("prefix"), &self.prefix, findings);
        if !self.discovery.is_empty() {
            check_prefix(&key("discovery"), &self.discovery, findings);
        }
        if let Some(Err(error)) = self.nodes.as_ref().map(|nodes| nodes.parse::<NodeRange>()) {
            findings.add(key("nodes"), error.to_string());
        }
        findings.range(&key("qos"), &self.qos, &(0..=1));
        findings.duration(&key("interval"), self.interval, &INTERVAL);
        check_filter(path, filter(&self.kinds, self.severity, &self.racks), findings);
    }

    fn check_place(&self, path: &str, findings: &mut Findings) {
        let Some(BrokerPlace { host, is_tls, .. }) = self.place() else {
            let message =
                format!("{:?} is no broker; write a URL such as \"mqtts://broker.example\"", self.url);
            return findings.add(format!("{path}.url"), message);
        };
        let is_here = host == "localhost" || host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
        if !is_tls && !is_here && self.has_password() {
            let message = "would send the password so that everybody on the way can read it; use mqtts";
            findings.add(format!("{path}.url"), message);
        }
        let files = [("ca", &self.ca), ("certificate", &self.certificate)];
        for (name, _) in files.iter().filter(|(_, file)| file.is_some() && !is_tls) {
            findings.add(format!("{path}.{name}"), "is of use only with mqtts");
        }
    }

    fn check_password(&self, path: &str, findings: &mut Findings) {
        let named = [self.password_file.is_some(), self.password_env.is_some(), self.password_name.is_some()];
        if named.into_iter().filter(|is_named| *is_named).count() > 1 {
            findings.add(
                path,
                "has several passwords; write one of password_file, password_env and password_name",
            );
        }
        if self.has_password() != self.username.is_some() {
            findings.add(path, "username and password go together; write both or none of them");
        }
        if let Some(username) = &self.username {
            findings.length(&format!("{path}.username"), username, MAX_USER);
        }
    }

    const fn has_password(&self) -> bool {
        self.password_file.is_some() || self.password_env.is_some() || self.password_name.is_some()
    }
}

fn check_prefix(path: &str, prefix: &str, findings: &mut Findings) {
    findings.label(path, prefix, MAX_PREFIX, PREFIX_PUNCTUATION);
    if !prefix.is_empty() && prefix.split('/').any(str::is_empty) {
        findings.add(path, format!("{prefix:?} has a level without a name; write it without / at its ends"));
    }
}

impl Config {
    /// As whom to log in to a broker, and with which password, which is looked for where the table says; nothing if it
    /// wants none.
    ///
    /// # Errors
    /// The password is not there.
    #[cfg_attr(not(feature = "mqtt"), expect(dead_code, reason = "nobody logs in to a broker without MQTT"))]
    pub(crate) fn mqtt_login(&self, mqtt: &Mqtt) -> Result<Option<(String, SecretString)>, SecretError> {
        let Mqtt { username: Some(username), password_file, password_env, password_name, .. } = mqtt else {
            return Ok(None);
        };
        let password =
            self.named_secret(password_file.as_deref(), password_env.as_deref(), password_name.as_deref())?;
        Ok(Some((username.clone(), password.ok_or(SecretError::Empty)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::problems;

    const HALL: &str = "[[mqtt]]\nname = 'hall'\nurl = 'mqtts://broker.example'\n";

    fn broker(text: &str) -> Mqtt {
        Config::parse(text).unwrap().mqtt.remove(0)
    }

    #[test]
    fn a_broker_has_the_documented_defaults() {
        let broker = broker(HALL);
        assert_eq!((broker.prefix.as_str(), broker.discovery.as_str()), ("opendcre", "homeassistant"));
        assert_eq!((broker.retain, broker.qos, broker.interval), (true, 1, Duration::from_secs(10)));
        assert_eq!(broker.filter(), Filter::default());
        let place = BrokerPlace { host: "broker.example".to_owned(), port: 8883, is_tls: true };
        assert_eq!(broker.place(), Some(place));
    }

    #[test]
    fn a_url_says_where_a_broker_is() {
        let place = |url: &str| {
            let place = Mqtt { url: url.to_owned(), ..broker(HALL) }.place();
            place.map(|BrokerPlace { host, port, is_tls }| (host, port, is_tls))
        };
        for (url, host, port, is_tls) in [
            ("mqtt://127.0.0.1", "127.0.0.1", 1883, false),
            ("mqtts://broker:1/", "broker", 1, true),
            ("mqtt://[fd00::9]:1884", "fd00::9", 1884, false),
        ] {
            assert_eq!(place(url), Some((host.to_owned(), port, is_tls)), "{url}");
        }
        for url in
            ["", "broker", "https://broker", "mqtt://", "mqtt://user@broker", "mqtt://a/b", "MQTT://a#b"]
        {
            assert_eq!(place(url), None, "{url}");
        }
    }

    #[test]
    fn brokers_that_make_no_sense_are_refused() {
        let plain = HALL.replace("mqtts", "mqtt");
        let login = "username = 'u'\npassword_env = 'P'";
        for (text, expected) in [
            ("[mqtt]\nname = 'x'", "1: mqtt: invalid type: map, expected a table for each MQTT broker"),
            (&HALL.replace("mqtts:", "tcp:"), "3: mqtt \"hall\".url: \"tcp://broker.example\" is no broker"),
            (&format!("{plain}{login}"), "3: mqtt \"hall\".url: would send the password so that everybody"),
            (&format!("{plain}ca = 'x'"), "4: mqtt \"hall\".ca: is of use only with mqtts"),
            (&format!("{HALL}username = 'u'"), "1: mqtt \"hall\": username and password go together"),
            (&format!("{HALL}{login}\npassword_name = 'x'"), "1: mqtt \"hall\": has several passwords"),
            (&format!("{HALL}key = 'x'"), "1: mqtt \"hall\": certificate and key go together"),
            (&format!("{HALL}prefix = 'a/#'"), "4: mqtt \"hall\".prefix: \"a/#\" will not do"),
            (&format!("{HALL}prefix = '/a'"), "4: mqtt \"hall\".prefix: \"/a\" has a level without a name"),
            (&format!("{HALL}discovery = '+'"), "4: mqtt \"hall\".discovery: \"+\" will not do"),
            (&format!("{HALL}client_id = ''"), "4: mqtt \"hall\".client_id: \"\" will not do"),
            (&format!("{HALL}nodes = '['"), "4: mqtt \"hall\".nodes: "),
            (&format!("{HALL}qos = 2"), "4: mqtt \"hall\".qos: 2 is out of range"),
            (&format!("{HALL}interval = '0s'"), "4: mqtt \"hall\".interval: 0s is out of range"),
            (&format!("{HALL}kinds = ['fire']"), "4: mqtt \"hall\".kinds: \"fire\" is no kind of event"),
            (&format!("{HALL}{HALL}"), "5: mqtt \"hall\".name: \"hall\" is already the name of another"),
        ] {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(expected), "{text}: {found:?}");
        }
    }
}
