//! Receivers of OTLP in the configuration: where readings and events are sent to, and as whom.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use opendcre_auth::http_client::Endpoint;
use opendcre_gateway::{NodeRange, RangeError};
use opendcre_publish::Filter;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::publish::{self, LeastSeverity, PATIENCE, TIMEOUT};
use super::secret::{self, SecretError};
use super::{Config, text};

/// More often, receivers would mostly get what they have.
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3600);

/// The most header fields or attributes of one table, and the longest of them.
const MOST_FIELDS: usize = 32;
const MAX_FIELD: usize = 1024;

/// A receiver of OTLP over HTTP, such as a collector: readings are sent there as metrics, events as logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Its name in logs and metrics: 1 to 32 letters, digits, `-` and `_`, unique.
    pub name: String,
    /// The URL to which `/v1/metrics` and `/v1/logs` are added: an `https` URL, or an `http` URL of this machine.
    pub endpoint: String,
    /// What is sent.
    #[serde(default = "default_signals")]
    pub signals: Vec<Signal>,
    /// The file that holds the bearer token that every request has. A relative path counts from the systemd credentials of
    /// the service if it has any, and from this file otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// The name of the token in the sealed store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_name: Option<String>,
    /// Other header fields that every request has, none of them secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Header fields with secrets, each the file that holds its value. Relative paths as those of `token_file`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header_files: BTreeMap<String, PathBuf>,
    /// The authorities in PEM that the certificate of the receiver comes from; those of the system unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The certificate in PEM that is shown to a receiver that asks for one, followed by those that lead to its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM. A relative path as that of `token_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// How requests are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// How long one request may take, 1s to 1m.
    #[serde(default = "default_timeout", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub timeout: Duration,
    /// Attributes of the resource, which stands for this gateway, besides or instead of the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource: BTreeMap<String, String>,
    /// How often readings are sent, 5s to 1h.
    #[serde(default = "default_interval", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub interval: Duration,
    /// The node range of the boards whose readings are sent; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<String>,
    /// For how long the same event is tried before it becomes a dead letter, 1m to 720h.
    #[serde(default = "default_give_up_after", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub give_up_after: Duration,
    /// The kinds of events that are wanted; every kind unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The least severity of events that is wanted.
    #[serde(default)]
    pub severity: LeastSeverity,
    /// Only events about boards in these racks; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<String>,
}

/// What is sent to a receiver of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Readings.
    Metrics,
    /// Events.
    Logs,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// To a tenth or less.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

fn default_signals() -> Vec<Signal> {
    vec![Signal::Metrics, Signal::Logs]
}

const fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

const fn default_interval() -> Duration {
    Duration::from_secs(60)
}

const fn default_give_up_after() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

/// Everything that is wrong with the tables.
pub(super) fn check(receivers: &[Otlp], findings: &mut Findings) {
    publish::check_names("otlp", receivers.iter().map(|receiver| receiver.name.as_str()), findings);
    for (index, receiver) in receivers.iter().enumerate() {
        receiver.check(&format!("otlp.{index}"), findings);
    }
}

impl Otlp {
    /// Whether this is sent.
    #[must_use]
    pub fn sends(&self, signal: Signal) -> bool {
        self.signals.contains(&signal)
    }

    /// The boards whose readings are sent; all of them if nothing is said.
    ///
    /// # Errors
    /// It is no node range, which no configuration has that was checked.
    pub fn nodes(&self) -> Result<Option<NodeRange>, RangeError> {
        self.nodes.as_deref().map(str::parse).transpose()
    }

    /// Which events are wanted; all of them if a word is unknown, which no configuration has that was checked.
    #[must_use]
    pub fn filter(&self) -> Filter {
        publish::filter(&self.kinds, self.severity, &self.racks).unwrap_or_default()
    }

    /// The files that are named and hold no secret.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.ca.iter_mut().chain(&mut self.certificate)
    }

    /// The files that hold secrets.
    pub(super) fn secret_files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.token_file.iter_mut().chain(&mut self.key).chain(self.header_files.values_mut())
    }

    fn check(&self, path: &str, findings: &mut Findings) {
        let key = |name: &str| format!("{path}.{name}");
        if let Err(error) = self.endpoint.parse::<Endpoint>() {
            findings.add(key("endpoint"), error.to_string());
        }
        if self.signals.is_empty() {
            findings
                .add(key("signals"), "is empty; write \"metrics\", \"logs\" or both, or remove the table");
        }
        let named = [self.token_file.is_some(), self.token_env.is_some(), self.token_name.is_some()];
        if named.into_iter().filter(|is_named| *is_named).count() > 1 {
            findings.add(path, "has several tokens; write one of token_file, token_env and token_name");
        }
        if self.certificate.is_some() != self.key.is_some() {
            findings.add(path, "needs both certificate and key, or neither");
        }
        for (name, table) in [("headers", &self.headers), ("resource", &self.resource)] {
            check_fields(&key(name), table, findings);
        }
        findings.range(&key("header_files"), &self.header_files.len(), &(0..=MOST_FIELDS));
        findings.duration(&key("timeout"), self.timeout, &TIMEOUT);
        findings.duration(&key("interval"), self.interval, &INTERVAL);
        findings.duration(&key("give_up_after"), self.give_up_after, &PATIENCE);
        if let Err(error) = self.nodes() {
            findings.add(key("nodes"), error.to_string());
        }
        publish::check_filter(path, publish::filter(&self.kinds, self.severity, &self.racks), findings);
    }
}

fn check_fields(path: &str, fields: &BTreeMap<String, String>, findings: &mut Findings) {
    findings.range(path, &fields.len(), &(0..=MOST_FIELDS));
    for (name, value) in fields {
        findings.length(path, name, MAX_FIELD);
        findings.length(path, value, MAX_FIELD);
    }
}

impl Config {
    /// The header fields of the requests to a receiver; those with secrets are looked for where the table says.
    ///
    /// # Errors
    /// The key of the table whose secret is not there, and why.
    pub fn otlp_headers(
        &self,
        receiver: &Otlp,
    ) -> Result<BTreeMap<String, SecretString>, (String, SecretError)> {
        let plain = receiver.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        let mut headers: BTreeMap<String, SecretString> = plain.collect();
        for (name, file) in &receiver.header_files {
            let missing = |error| (format!("header_files.{name}"), error);
            let value = secret::text(Some(file), None).and_then(|value| value.ok_or(SecretError::Empty));
            headers.insert(name.clone(), value.map_err(missing)?);
        }
        let token = self.named_secret(
            receiver.token_file.as_deref(),
            receiver.token_env.as_deref(),
            receiver.token_name.as_deref(),
        );
        if let Some(token) = token.map_err(|error| ("token".to_owned(), error))? {
            let bearer = format!("Bearer {}", secrecy::ExposeSecret::expose_secret(&token));
            headers.insert("authorization".to_owned(), bearer.into());
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::tests::problems;

    const TABLE: &str = "[[otlp]]\nname = 'hub'\nendpoint = 'https://hub.example:4318'\n";

    #[test]
    fn receivers_have_the_documented_defaults() {
        let config = Config::parse(TABLE).unwrap();
        let [hub] = &config.otlp[..] else { panic!("one receiver") };
        assert!(hub.sends(Signal::Metrics) && hub.sends(Signal::Logs));
        assert_eq!((hub.interval, hub.timeout), (Duration::from_secs(60), Duration::from_secs(10)));
        assert_eq!(hub.compression, Compression::Gzip);
        assert!(hub.nodes().unwrap().is_none());
        assert_eq!(hub.filter(), Filter::default());
        assert!(config.otlp_headers(hub).unwrap().is_empty());
    }

    #[test]
    fn receivers_that_make_no_sense_are_refused() {
        for (text, expected) in [
            ("[otlp]\nname = 'x'", "1: otlp: invalid type: map, expected a table for each receiver of OTLP"),
            (&TABLE.replace("https", "http"), "3: otlp \"hub\".endpoint: \"http://hub.example:4318\" is no"),
            (&format!("{TABLE}signals = []"), "4: otlp \"hub\".signals: is empty"),
            (&format!("{TABLE}signals = ['traces']"), "4: otlp \"hub\".signals: unknown variant `traces`"),
            (&format!("{TABLE}token_file = 'x'\ntoken_env = 'X'"), "1: otlp \"hub\": has several tokens"),
            (&format!("{TABLE}certificate = 'x.pem'"), "1: otlp \"hub\": needs both certificate and key"),
            (&format!("{TABLE}interval = '1s'"), "4: otlp \"hub\".interval: 1s is out of range"),
            (&format!("{TABLE}nodes = '['"), "4: otlp \"hub\".nodes: "),
            (&format!("{TABLE}kinds = ['fire']"), "4: otlp \"hub\".kinds: \"fire\" is no kind of event"),
            (&format!("{TABLE}{TABLE}"), "5: otlp \"hub\".name: \"hub\" is already the name of another"),
        ] {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn secrets_come_from_files_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("opendcre.toml");
        let keys = "token_file = 'token'\nheaders = { tenant = 'a' }\nheader_files = { api-key = 'key' }\n";
        std::fs::write(&path, format!("{TABLE}{keys}")).unwrap();
        let config = Config::load(&path).unwrap();
        let headers = || config.otlp_headers(&config.otlp[0]);
        assert_eq!(headers().unwrap_err().0, "header_files.api-key");
        std::fs::write(folder.path().join("key"), "k3y\n").unwrap();
        assert!(matches!(headers(), Err((key, SecretError::Unreadable(_))) if key == "token"));
        std::fs::write(folder.path().join("token"), "t0ken\n").unwrap();
        let headers = headers().unwrap();
        let told: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(told, [("api-key", "k3y"), ("authorization", "Bearer t0ken"), ("tenant", "a")]);
    }
}
