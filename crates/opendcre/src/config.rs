//! The configuration file: what may be in it, what it means and what is wrong with it.
//!
//! Everything is parsed and checked here, before anything starts; the rest of the program sees typed values with
//! their defaults filled in. This module opens no device and no socket and starts nothing.

mod annotation;
mod auth;
mod bmc;
mod board;
mod change;
mod check;
mod command;
mod devicebus;
mod document;
mod event;
pub(crate) mod exposure;
mod group;
mod history;
mod inventory;
mod ipmi;
mod legacy;
mod mqtt;
mod otlp;
mod poll;
mod publish;
mod sealed;
pub(crate) mod secret;
mod state;
mod text;
mod threshold;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::input::read_text;

pub use auth::{
    Certificate, Grant, Ldap, LdapGroups, Login, NameSource, Oidc, Proxy, Role, TokenAlgorithm, Verb,
};
pub use bmc::{Bmc, BmcError, Bmcs};
pub use board::Board;
pub use change::changed_keys;
pub use command::run;
pub use devicebus::{DeviceBus, Fallback, Protocol, Replies};
pub use document::Problem;
pub use event::Events;
pub use history::History;
pub use inventory::Inventory;
pub use ipmi::{Auth, Broker, Ipmi, PrivilegeLimit, UserLookup};
pub use mqtt::Mqtt;
pub use otlp::{Compression, Otlp, Signal};
pub use poll::{Poll, Rule as PollRule};
pub use publish::{LeastSeverity, Syslog, Transport, Webhook};
pub use sealed::Secrets;
pub use secret::{InlinePassword, SecretError};
pub use state::State;
pub use text::{BoardRange, ByteSize};
pub use threshold::Threshold;
pub use tls::{ClientCertificate, Tls};

/// Requests per second of one sender, where everybody has to log in.
const USUAL_RATE: u32 = 200;

/// Enough for twenty thousand BMCs; a larger file is no configuration.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// The whole configuration file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The REST server.
    pub server: Server,
    /// How connections to it are protected.
    pub tls: Tls,
    /// Who may log in, and what they may do then.
    pub auth: Login,
    /// What the service keeps over restarts.
    pub state: State,
    /// The sealed store of secrets.
    #[serde(rename = "secrets")]
    pub secret_store: Secrets,
    /// The serial device buses, one table each.
    #[serde(deserialize_with = "text::buses")]
    pub devicebus: Vec<DeviceBus>,
    /// The BMCs, one table each.
    #[serde(deserialize_with = "text::bmcs")]
    pub ipmi: Vec<Ipmi>,
    /// How all BMCs are treated.
    pub broker: Broker,
    /// What is known about single boards of the buses, one table each.
    #[serde(deserialize_with = "text::boards")]
    pub board: Vec<Board>,
    /// Names for boards that belong together, each with a node range.
    pub groups: BTreeMap<String, String>,
    /// The record of all equipment that was ever found.
    pub inventory: Inventory,
    /// The stream of events.
    pub events: Events,
    /// Which values are not normal, one table each.
    #[serde(deserialize_with = "text::thresholds")]
    pub threshold: Vec<Threshold>,
    /// Where events are posted to, one table each.
    #[serde(deserialize_with = "text::webhooks")]
    pub webhook: Vec<Webhook>,
    /// The syslog servers that get events, one table each.
    #[serde(deserialize_with = "text::syslogs")]
    pub syslog: Vec<Syslog>,
    /// The MQTT brokers that are told of boards and events, one table each.
    #[serde(deserialize_with = "text::mqtts")]
    pub mqtt: Vec<Mqtt>,
    /// The receivers of OTLP that get readings and events, one table each.
    #[serde(deserialize_with = "text::otlps")]
    pub otlp: Vec<Otlp>,
    /// How often values are read before anybody asks.
    pub poll: Poll,
    /// The record of what sensors said.
    pub history: History,
    /// Files of the original OpenDCRE.
    pub legacy: Legacy,
    /// Where and how much is logged.
    pub log: Log,
    /// The record of everything that changed equipment.
    pub audit: Audit,
    /// Whether all equipment is emulated, which no file can say.
    #[serde(skip)]
    pub(crate) is_emulated: bool,
    /// The folder from which relative paths of secrets were taken; the current one if empty.
    #[serde(skip)]
    pub(crate) secrets: PathBuf,
}

/// The REST server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port to listen on.
    #[serde(deserialize_with = "text::address")]
    pub listen: SocketAddr,
    /// A Unix socket to listen on besides, for programs on this machine such as a reverse proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The host names by which the server may be addressed where nobody has to log in, besides `localhost`. A certificate
    /// that is made is for them, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Serve other machines with neither TLS nor login, unless `tls.enabled` or `auth.required` say otherwise. Everybody
    /// who reaches the port can then switch servers off.
    pub insecure: bool,
    /// Refuse everything that changes equipment, with 403.
    pub read_only: bool,
    /// Connections that are open at the same time, 1 to 65536. When there are more, the one whose client has kept us
    /// waiting longest is closed.
    pub max_connections: usize,
    /// Connections from one address, or one IPv6 network of 64 bits, 1 to 65536. When there are more, the one of them
    /// that has kept us waiting longest is closed.
    pub max_connections_per_address: usize,
    /// Requests per second that somebody may send in the long run, up to 100000; 0 for any number. More are answered
    /// with 429. Unless given, 200 where everybody has to log in, and otherwise any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// The request line and header fields together, 8KiB to 1MiB. More is answered with 431.
    pub max_header: ByteSize,
    /// The body of a request, up to 16MiB. More is answered with 413.
    pub max_body: ByteSize,
    /// How long the header of a request may take, and a connection may stay idle, 1s to 10m.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub header_timeout: Duration,
    /// How long a request may take from the end of its header to its answer, 1s to 10m.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub request_timeout: Duration,
    /// How long a client may leave what was sent to it unacknowledged, 1s to 10m.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub send_timeout: Duration,
    /// How long a shutdown waits for the requests that still run, up to 10m.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub shutdown_timeout: Duration,
}

/// Files of the original OpenDCRE.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Legacy {
    /// The original's `bmc_config.json`, of release 1.1, 1.2 or 1.3. Relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bmc_config: Option<PathBuf>,
}

/// Where and how much is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`; `target=level` parts after a comma override it for one part
    /// of the program.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Write a line for each request.
    pub access: bool,
    /// Also log to files. Without it, everything goes to standard error alone.
    pub files: bool,
    /// Where the files are.
    pub directory: PathBuf,
    /// A file is rotated when it grows beyond this, at least 64KiB, and every day at midnight UTC.
    pub rotate_size: ByteSize,
    /// How many rotated files of each log are kept, 1 to 1000.
    pub max_files: usize,
    /// All log files together, at least four times `rotate_size`; the oldest go first.
    pub total_size: ByteSize,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The record of everything that changed equipment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Where it is. `audit.db` beside the inventory unless given. Its folder must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// Why there is no usable configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {reason}; name another file with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file says something that is not allowed.
    #[error("{}", summary(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the file. At least one.
        problems: Vec<Problem>,
    },
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5000)),
            socket: None,
            hosts: Vec::new(),
            insecure: false,
            read_only: false,
            max_connections: 1024,
            max_connections_per_address: 256,
            rate: None,
            max_header: ByteSize(16 << 10),
            max_body: ByteSize(64 << 10),
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::default(),
            access: true,
            files: true,
            directory: PathBuf::from("/var/log/opendcre"),
            rotate_size: ByteSize::mebibytes(10),
            max_files: 30,
            total_size: ByteSize::mebibytes(200),
        }
    }
}

/// The log level of the environment variable `OPENDCRE_LOG`, which counts more than the configuration.
#[must_use]
pub fn level_of_environment() -> Option<String> {
    let level = std::env::var_os("OPENDCRE_LOG").filter(|level| !level.is_empty());
    level.map(|level| level.to_string_lossy().into_owned())
}

impl Config {
    /// Reads and checks the file at `path`. Relative paths of other files in it are taken from its folder, those of
    /// secrets from the folder of the service's credentials if it has one (systemd.exec(5), `LoadCredential=`).
    ///
    /// # Errors
    /// When the file cannot be read or anything in it is wrong; all faults are reported at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::of_text(path, &Self::read(path)?)
    }

    /// The text of the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
        read_text(path, MAX_FILE_BYTES)
            .map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })
    }

    /// As [`Self::load`], with what is, or was, the text of the file at `path`.
    pub(crate) fn of_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
        Self::of_text_with(path, text, credentials.as_deref().map(Path::new))
    }

    #[cfg(test)]
    fn load_with(path: &Path, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        Self::of_text_with(path, &Self::read(path)?, credentials)
    }

    fn of_text_with(path: &Path, text: &str, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        let mut config =
            Self::parse(text).map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = config
            .legacy
            .bmc_config
            .iter_mut()
            .chain(config.tls.files())
            .chain(config.auth.files())
            .chain(config.webhook.iter_mut().flat_map(Webhook::files))
            .chain(config.syslog.iter_mut().flat_map(Syslog::files))
            .chain(config.mqtt.iter_mut().flat_map(Mqtt::files))
            .chain(config.otlp.iter_mut().flat_map(Otlp::files))
            .chain(&mut config.secret_store.file);
        for file in files {
            *file = folder.join(&file);
        }
        let secrets = credentials.unwrap_or(folder);
        for file in config
            .ipmi
            .iter_mut()
            .flat_map(Ipmi::secret_files)
            .chain(config.auth.secret_files())
            .chain(config.webhook.iter_mut().filter_map(|webhook| webhook.secret_file.as_mut()))
            .chain(config.mqtt.iter_mut().flat_map(Mqtt::secret_files))
            .chain(config.otlp.iter_mut().flat_map(Otlp::secret_files))
            .chain(&mut config.secret_store.key_file)
        {
            *file = secrets.join(&file);
        }
        config.secrets = secrets.to_owned();
        Ok(config)
    }

    /// Reads and checks the text of a configuration file.
    ///
    /// # Errors
    /// Everything that is wrong with it, at least one problem.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (config, document) = document::parse::<Self>(text).map_err(|problem| vec![problem])?;
        let mut problems: Vec<Problem> = check::check(&config)
            .into_iter()
            .map(|finding| document.problem(&finding.path, finding.message))
            .collect();
        if problems.is_empty() {
            return Ok(config);
        }
        problems.sort_by_key(|problem| problem.line);
        Err(problems)
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.tls.enabled.unwrap_or(!self.server.insecure && !self.is_local())
    }

    /// Whether everybody has to log in.
    #[must_use]
    pub fn requires_login(&self) -> bool {
        let is_open = self.server.insecure || self.is_local();
        self.auth.required.unwrap_or(!is_open || self.auth.is_configured())
    }

    /// Whether only this machine can reach the server.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.server.listen.ip().to_canonical().is_loopback()
    }

    /// Whether others are served openly without the word that permits it, which no file can say that was checked, but one
    /// of which only a part counts.
    pub(crate) fn is_open_by_mistake(&self) -> bool {
        check::is_open_by_mistake(self)
    }

    /// Requests per second that somebody may send in the long run, if that is limited.
    #[must_use]
    pub fn rate(&self) -> Option<u32> {
        let usual = if self.requires_login() { USUAL_RATE } else { 0 };
        Some(self.server.rate.unwrap_or(usual)).filter(|rate| *rate > 0)
    }

    /// Whether only requests for known hosts are answered: where somebody who does not say who they are may do
    /// something, or the names are given.
    #[must_use]
    pub fn checks_hosts(&self) -> bool {
        let admits_strangers = !self.requires_login() || self.auth.admits_strangers();
        !self.server.hosts.is_empty() || self.is_local() && admits_strangers
    }

    /// Where the last configuration is kept with which the service has started.
    #[must_use]
    pub fn last_good_file(&self) -> PathBuf {
        self.state.last_good_file()
    }

    /// Where API tokens are kept.
    #[must_use]
    pub fn tokens_file(&self) -> PathBuf {
        self.state.directory.join("tokens.db")
    }

    /// Where the certificate is kept that is made where none is named.
    #[must_use]
    pub fn made_certificate(&self) -> PathBuf {
        self.state.directory.join("tls")
    }

    /// Where the inventory is kept.
    #[must_use]
    pub fn inventory_file(&self) -> PathBuf {
        self.inventory.file.clone().unwrap_or_else(|| self.state.directory.join("inventory.db"))
    }

    /// Where the events are kept.
    #[must_use]
    pub fn events_file(&self) -> PathBuf {
        self.events.file.clone().unwrap_or_else(|| self.state.directory.join("events.db"))
    }

    /// Where the history is kept.
    #[must_use]
    pub fn history_file(&self) -> PathBuf {
        self.history.file.clone().unwrap_or_else(|| self.state.directory.join("history.db"))
    }

    /// The audit file that is used.
    #[must_use]
    pub fn audit_file(&self) -> PathBuf {
        match &self.audit.file {
            Some(file) => file.clone(),
            None => self.state.directory.join("audit.db"),
        }
    }
}

impl ConfigError {
    /// One line for each thing that is wrong.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Invalid { path, problems } => {
                problems.iter().map(|problem| problem.line_in(path)).collect()
            }
            Self::Unreadable { .. } => vec![self.to_string()],
        }
    }
}

/// The first problem, and how many there are besides.
fn summary(path: &Path, problems: &[Problem]) -> String {
    let first = problems.first().map(|problem| problem.line_in(path));
    let first = first.unwrap_or_else(|| format!("{}: invalid", path.display()));
    match problems.len() {
        0 | 1 => first,
        many => format!("{first} (and {} more; `opendcre config check` lists them)", many - 1),
    }
}

#[cfg(test)]
mod tests;
