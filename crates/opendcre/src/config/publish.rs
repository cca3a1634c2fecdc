//! Where events are brought to, in the configuration: webhooks and syslog servers.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opendcre_auth::http_client::Endpoint;
use opendcre_gateway::{EventKind, Severity};
use opendcre_publish::{Facility, Filter};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::secret::{self, SecretError};
use super::{Config, text};
use crate::secret::SealedStore;

/// The most destinations of one kind: each reads the events for itself.
const MOST: usize = 32;

/// The longest name, which is also a part of the names of files.
const MAX_NAME: usize = 32;

pub(super) const TIMEOUT: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(60);
pub(super) const PATIENCE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 60 * 60);

/// The port of syslog over UDP and TCP (RFC 5426 §3.3), and over TLS (RFC 5425 §4.1).
const PORT: u16 = 514;
const TLS_PORT: u16 = 6514;

/// The enterprise number for examples (RFC 5612).
const EXAMPLE_ENTERPRISE: u32 = 32_473;

/// A webhook: every event is posted there, signed, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its name in logs and metrics: 1 to 32 letters, digits, `-` and `_`, unique.
    pub name: String,
    /// Where events are posted to: an `https` URL, or an `http` URL of this machine.
    pub url: String,
    /// The file that holds the secret that events are signed with. A relative path counts from the systemd credentials of
    /// the service if it has any, and from this file otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// The environment variable that holds the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// The name of the secret in the sealed store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// The authorities in PEM that the certificate of the receiver comes from; those of the system unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The certificate in PEM that proves to the receiver who the gateway is, followed by those that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of that certificate in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// How long one request may take, 1s to 1m.
    #[serde(default = "default_timeout", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub timeout: Duration,
    /// For how long the same event is tried before it becomes a dead letter, 1m to 720h.
    #[serde(default = "default_give_up_after", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub give_up_after: Duration,
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

/// A syslog server (RFC 5424).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Syslog {
    /// Its name in logs and metrics: 1 to 32 letters, digits, `-` and `_`, unique.
    pub name: String,
    /// Its host name or address, with a port if it is not 514, or 6514 over TLS.
    pub server: String,
    /// How it is reached.
    #[serde(default)]
    pub transport: Transport,
    /// The authorities in PEM that its certificate comes from; those of the system unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The certificate in PEM that proves to the server who the gateway is, followed by those that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of that certificate in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The facility of every message: `user`, `daemon`, `auth`, `authpriv`, or `local0` to `local7`.
    #[serde(default = "default_facility")]
    pub facility: String,
    /// What calls itself the sender, 1 to 48 letters, digits, `-`, `_` and `.`.
    #[serde(default = "default_app_name")]
    pub app_name: String,
    /// Your private enterprise number, by which structured data are known; 32473 is one for examples.
    #[serde(default = "default_enterprise")]
    pub enterprise: u32,
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

/// How a syslog server is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams (RFC 5426): some get lost.
    Udp,
    /// One connection with counted octets (RFC 6587), which everybody on the way can read.
    Tcp,
    /// The same under TLS (RFC 5425).
    #[default]
    Tls,
}

/// The least severity of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeastSeverity {
    /// Every event.
    #[default]
    Info,
    /// What somebody should look after.
    Warning,
    /// What somebody should look after now.
    Critical,
}

fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

fn default_give_up_after() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

fn default_facility() -> String {
    Facility::default().name().to_owned()
}

fn default_app_name() -> String {
    "opendcre".to_owned()
}

const fn default_enterprise() -> u32 {
    EXAMPLE_ENTERPRISE
}

/// Everything that is wrong with the tables.
pub(super) fn check(webhooks: &[Webhook], syslogs: &[Syslog], findings: &mut Findings) {
    check_names("webhook", webhooks.iter().map(|webhook| webhook.name.as_str()), findings);
    check_names("syslog", syslogs.iter().map(|syslog| syslog.name.as_str()), findings);
    for (index, webhook) in webhooks.iter().enumerate() {
        webhook.check(&format!("webhook.{index}"), findings);
    }
    for (index, syslog) in syslogs.iter().enumerate() {
        syslog.check(&format!("syslog.{index}"), findings);
    }
}

pub(super) fn check_names<'a>(
    table: &str,
    names: impl ExactSizeIterator<Item = &'a str>,
    findings: &mut Findings,
) {
    if names.len() > MOST {
        findings.add(table, format!("there are {} of them; use at most {MOST}", names.len()));
    }
    let mut known = HashSet::new();
    for (index, name) in names.enumerate() {
        let path = format!("{table}.{index}.name");
        findings.label(&path, name, MAX_NAME, "-_");
        if !known.insert(name) {
            findings.add(path, format!("{name:?} is already the name of another one; names are unique"));
        }
    }
}

/// A certificate and its key are of use only together.
pub(super) fn check_identity(
    path: &str,
    certificate: Option<&PathBuf>,
    key: Option<&PathBuf>,
    findings: &mut Findings,
) {
    let (lonely, other) = match (certificate, key) {
        (Some(_), None) => ("certificate", "key"),
        (None, Some(_)) => ("key", "certificate"),
        _ => return,
    };
    findings.add(format!("{path}.{lonely}"), format!("is of use only with {other}"));
}

pub(super) fn check_filter(path: &str, filter: Result<Filter, (&str, String)>, findings: &mut Findings) {
    if let Err((key, message)) = filter {
        findings.add(format!("{path}.{key}"), message);
    }
}

/// Which events are wanted, or which key is wrong and why.
pub(super) fn filter(
    kinds: &[String],
    severity: LeastSeverity,
    racks: &[String],
) -> Result<Filter, (&'static str, String)> {
    let kind = |name: &String| {
        let found = EventKind::ALL.iter().copied().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
            ("kinds", format!("{name:?} is no kind of event; use {}", known.join(", ")))
        })
    };
    let kinds = kinds.iter().map(kind).collect::<Result<_, _>>()?;
    Filter::new(kinds, severity.meaning(), racks).map_err(|error| ("racks", error.to_string()))
}

/// The host and port of a server that is written with both, or with a host alone.
pub(super) fn place(server: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match server.rsplit_once(':') {
        // An address of IPv6 has colons of its own, and so a port only behind a bracket.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()?),
        _ => (server, usual),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let is_sound = !host.is_empty() && host.len() <= 253 && host.chars().all(is_host) && port > 0;
    is_sound.then(|| (host.to_owned(), port))
}

impl LeastSeverity {
    const fn meaning(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Critical => Severity::Critical,
        }
    }
}

impl Webhook {
    /// Which events are wanted; all of them if a word is unknown, which no configuration has that was checked.
    #[must_use]
    pub fn filter(&self) -> Filter {
        filter(&self.kinds, self.severity, &self.racks).unwrap_or_default()
    }

    /// The files that are named, other than that of the secret.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.ca.iter_mut().chain(&mut self.certificate).chain(&mut self.key)
    }

    fn check(&self, path: &str, findings: &mut Findings) {
        if let Err(error) = self.url.parse::<Endpoint>() {
            findings.add(format!("{path}.url"), error.to_string());
        }
        let named = [self.secret_file.is_some(), self.secret_env.is_some(), self.secret_name.is_some()];
        if named.into_iter().filter(|is_named| *is_named).count() != 1 {
            let message = "needs a secret to sign with; write one of secret_file, secret_env and secret_name";
            findings.add(path, message);
        }
        check_identity(path, self.certificate.as_ref(), self.key.as_ref(), findings);
        findings.duration(&format!("{path}.timeout"), self.timeout, &TIMEOUT);
        findings.duration(&format!("{path}.give_up_after"), self.give_up_after, &PATIENCE);
        check_filter(path, filter(&self.kinds, self.severity, &self.racks), findings);
    }
}

impl Syslog {
    /// Which events are wanted; all of them if a word is unknown, which no configuration has that was checked.
    #[must_use]
    pub fn filter(&self) -> Filter {
        filter(&self.kinds, self.severity, &self.racks).unwrap_or_default()
    }

    /// The facility; the default one if it is unknown, which no configuration has that was checked.
    #[must_use]
    pub fn facility(&self) -> Facility {
        self.known_facility().unwrap_or_default()
    }

    /// Its host and port, if it has both.
    #[must_use]
    pub fn place(&self) -> Option<(String, u16)> {
        let usual = if self.transport == Transport::Tls { TLS_PORT } else { PORT };
        place(&self.server, usual)
    }

    /// The files that are named.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.ca.iter_mut().chain(&mut self.certificate).chain(&mut self.key)
    }

    fn known_facility(&self) -> Option<Facility> {
        Facility::ALL.iter().copied().find(|facility| facility.name() == self.facility)
    }

    fn check(&self, path: &str, findings: &mut Findings) {
        let key = |name: &str| format!("{path}.{name}");
        if self.place().is_none() {
            let message = format!(
                "{:?} is no server; write a name or address such as \"siem.example:6514\"",
                self.server
            );
            findings.add(key("server"), message);
        }
        if self.known_facility().is_none() {
            let known: Vec<&str> = Facility::ALL.iter().map(|facility| facility.name()).collect();
            let message = format!("{:?} is no facility; use {}", self.facility, known.join(", "));
            findings.add(key("facility"), message);
        }
        for (name, file) in [("ca", &self.ca), ("certificate", &self.certificate)] {
            if file.is_some() && self.transport != Transport::Tls {
                findings.add(key(name), "is of use only with transport = \"tls\"");
            }
        }
        check_identity(path, self.certificate.as_ref(), self.key.as_ref(), findings);
        findings.label(&key("app_name"), &self.app_name, 48, "-_.");
        check_filter(path, filter(&self.kinds, self.severity, &self.racks), findings);
    }
}

impl Config {
    /// The secret of a webhook, which is looked for where the table says.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn webhook_secret(&self, webhook: &Webhook) -> Result<SecretString, SecretError> {
        let (file, variable) = (webhook.secret_file.as_deref(), webhook.secret_env.as_deref());
        self.named_secret(file, variable, webhook.secret_name.as_deref())?.ok_or(SecretError::Empty)
    }

    /// The secret that the sealed store, a file or the environment holds; nothing if none of them is named.
    pub(super) fn named_secret(
        &self,
        file: Option<&Path>,
        variable: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<SecretString>, SecretError> {
        let Some(name) = name else { return secret::text(file, variable) };
        let store = SealedStore::open(&self.sealed_secrets(), &self.secrets_key());
        let secret = store.and_then(|store| store.get(name));
        secret.map(Some).map_err(|error| SecretError::Sealed(error.to_string()))
    }

    /// Where is kept how far events were delivered, and what was not.
    #[must_use]
    pub fn publish_directory(&self) -> PathBuf {
        self.state.directory.join("publish")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::problems;

    const HOOK: &str = "[[webhook]]\nname = 'noc'\nurl = 'https://noc.example/hook'\nsecret_env = 'HOOK'\n";
    const SIEM: &str = "[[syslog]]\nname = 'siem'\nserver = 'siem.example'\n";

    fn syslog(keys: &str) -> Syslog {
        Config::parse(&format!("{SIEM}{keys}")).unwrap().syslog.remove(0)
    }

    #[test]
    fn destinations_have_the_documented_defaults() {
        let config = Config::parse(&format!("{HOOK}{SIEM}")).unwrap();
        let [webhook] = &config.webhook[..] else { panic!("one webhook") };
        assert_eq!((webhook.timeout, webhook.give_up_after), (default_timeout(), default_give_up_after()));
        assert_eq!(webhook.filter(), Filter::default());
        let [syslog] = &config.syslog[..] else { panic!("one syslog server") };
        assert_eq!(syslog.place(), Some(("siem.example".to_owned(), TLS_PORT)));
        assert_eq!((syslog.facility(), syslog.enterprise), (Facility::Local0, 32_473));
        assert_eq!(config.publish_directory(), std::path::Path::new("/var/lib/opendcre/publish"));
    }

    #[test]
    fn a_server_is_a_host_and_perhaps_a_port() {
        let place =
            |server: &str| Syslog { server: server.to_owned(), ..syslog("transport = 'tcp'") }.place();
        for (server, host, port) in [
            ("siem.example", "siem.example", 514),
            ("siem:1", "siem", 1),
            ("10.1.0.9:601", "10.1.0.9", 601),
            ("fd00::9", "fd00::9", 514),
            ("[fd00::9]", "fd00::9", 514),
            ("[fd00::9]:601", "fd00::9", 601),
        ] {
            assert_eq!(place(server), Some((host.to_owned(), port)), "{server}");
        }
        for server in ["", ":514", "siem:", "siem:0", "siem:70000", "a b", "tcp://siem"] {
            assert_eq!(place(server), None, "{server}");
        }
    }

    #[test]
    fn destinations_that_make_no_sense_are_refused() {
        for (text, expected) in [
            ("[webhook]\nname = 'x'", "1: webhook: invalid type: map, expected a table for each webhook"),
            ("[syslog]\nname = 'x'", "1: syslog: invalid type: map, expected a table for each syslog server"),
            (
                "[[webhook]]\nname = 'x'\nurl = 'https://x.example'",
                "1: webhook \"x\": needs a secret to sign with; write one of secret_file",
            ),
            (&format!("{HOOK}secret_file = 'x'"), "1: webhook \"noc\": needs a secret to sign with"),
            (
                &HOOK.replace("https", "http"),
                "3: webhook \"noc\".url: \"http://noc.example/hook\" is no https",
            ),
            (&HOOK.replace("'noc'", "'../noc'"), "2: webhook \"../noc\".name: \"../noc\" will not do"),
            (&format!("{HOOK}{HOOK}"), "6: webhook \"noc\".name: \"noc\" is already the name of another"),
            (&format!("{HOOK}timeout = '0s'"), "5: webhook \"noc\".timeout: 0s is out of range"),
            (&format!("{HOOK}give_up_after = '1s'"), "5: webhook \"noc\".give_up_after: 1s is out of"),
            (
                &format!("{HOOK}kinds = ['fire']"),
                "5: webhook \"noc\".kinds: \"fire\" is no kind of event; use",
            ),
            (&format!("{HOOK}severity = 'bad'"), "5: webhook \"noc\".severity: unknown variant `bad`"),
            (&format!("{HOOK}racks = ['']"), "5: webhook \"noc\".racks: the pattern \"\" will not do"),
            (
                &format!("{SIEM}facility = 'kern'"),
                "4: syslog \"siem\".facility: \"kern\" is no facility; use",
            ),
            (&format!("{SIEM}app_name = 'a b'"), "4: syslog \"siem\".app_name: \"a b\" will not do"),
            (
                &format!("{SIEM}transport = 'udp'\nca = 'x.pem'"),
                "5: syslog \"siem\".ca: is of use only with transport",
            ),
            (&format!("{HOOK}certificate = 'x'"), "5: webhook \"noc\".certificate: is of use only with key"),
            (&format!("{SIEM}key = 'x'"), "4: syslog \"siem\".key: is of use only with certificate"),
            (
                &format!("{SIEM}transport = 'tcp'\ncertificate = 'x'\nkey = 'y'"),
                "5: syslog \"siem\".certificate: is of use only with transport",
            ),
            (&SIEM.replace("siem.example", "siem:x"), "3: syslog \"siem\".server: \"siem:x\" is no server"),
        ] {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn the_secret_of_a_webhook_comes_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, secret) = (folder.path().join("opendcre.toml"), folder.path().join("hook"));
        std::fs::write(&path, HOOK.replace("secret_env = 'HOOK'", "secret_file = 'hook'")).unwrap();
        let config = Config::load(&path).unwrap();
        let found = |config: &Config| config.webhook_secret(&config.webhook[0]);
        assert!(matches!(found(&config), Err(SecretError::Unreadable(_))));
        std::fs::write(&secret, "s3cret\n").unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&found(&config).unwrap()), "s3cret");
    }
}
