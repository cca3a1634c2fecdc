//! BMCs in the configuration: one `[[ipmi]]` table each, and how all of them are treated.
//!
//! What is insecure is never chosen by itself. A table that wants it says so twice: what, and that it may.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use opendcre_gateway::{Annotation, Settings};
use opendcre_ipmi::client::Timing;
use opendcre_ipmi::{CipherSuite, MAX_SECRET_1_5};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::secret::InlinePassword;
use super::text::duration::print;
use super::text::{self, bmc_address};

/// The cipher suites that are tried unless a table names others, best first.
pub(super) const SUITES: [u8; 2] = [17, 3];
/// A session without any protection.
const NO_PROTECTION: u8 = 0;
/// The suites with RC4, which is broken (IPMI 2.0 table 22-20).
const RC4_SUITES: [u8; 6] = [4, 5, 9, 10, 13, 14];
/// The longest name of a user (IPMI 2.0 §22.28).
pub(super) const MAX_USERNAME: usize = 16;
/// As many as there are ids.
const MAX_BMCS: usize = 65_535;
/// Longer than any description of one server.
const MAX_ASSET_TEXT: usize = 127;

/// One BMC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ipmi {
    /// The rack that holds the server: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub rack: String,
    /// Where the BMC is: an IP address, with a port if it is not 623.
    #[serde(with = "text::bmc_address")]
    #[schemars(schema_with = "text::bmc_address::schema")]
    pub address: SocketAddr,
    /// Its board is 40000000 plus this number, 1 to 65535 or, as the API writes it, 0x0001 to 0xffff; API 1.1 shows it as
    /// this device of board 40000000. Without it, the tables are counted from 1, leaving out the ids that other tables
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<u16>,
    /// What people call the server: 1 to 64 letters, digits, `-`, `_` and `.`, unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The names of the host, by which it can also be addressed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// The addresses of the host, by which it can also be addressed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<IpAddr>,
    /// Short texts about the server, by which it can be selected.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The groups that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The user, up to 16 bytes. Empty for the user without a name.
    #[serde(default)]
    pub username: String,
    /// The password itself, up to 20 bytes. Better use one of the two that follow.
    #[serde(default, skip_serializing)]
    pub password: Option<InlinePassword>,
    /// The file that holds the password. A relative path counts from the systemd credentials of the service if it has
    /// any, and from this file otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// The name of the password in the sealed store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<String>,
    /// The file that holds the key K_G of a BMC that has one: up to 20 characters, or `0x` and 40 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kg_file: Option<PathBuf>,
    /// The cipher suites of IPMI 2.0 that may be used, best first; 17 and 3 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suites: Option<Vec<u8>>,
    /// Speak IPMI 1.5 instead of 2.0, and prove who we are this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Whether cipher suite 0 and IPMI 1.5 may be used for this BMC.
    #[serde(default)]
    pub allow_insecure: bool,
    /// The most privilege that is ever asked for.
    #[serde(default)]
    pub privilege_limit: PrivilegeLimit,
    /// How the BMC looks its user up.
    #[serde(default)]
    pub user_lookup: UserLookup,
    /// What the API shows as asset information, up to 127 bytes.
    #[serde(default)]
    pub asset_text: String,
}

/// How a session of IPMI 1.5 is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Not at all.
    None,
    /// With the password itself.
    Password,
    /// With an MD2 digest.
    Md2,
    /// With an MD5 digest.
    Md5,
}

/// The most privilege that is ever asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrivilegeLimit {
    /// Reading.
    User,
    /// Reading and control.
    Operator,
    /// Whatever a command needs.
    #[default]
    Administrator,
}

/// How a BMC looks its user up (IPMI 2.0 §13.20).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserLookup {
    /// By name.
    #[default]
    Name,
    /// By name and privilege, for BMCs with several users of one name.
    NameAndPrivilege,
}

impl Ipmi {
    /// A BMC with every default.
    #[must_use]
    pub fn new(rack: &str, address: SocketAddr, username: &str, password: &str) -> Self {
        Self {
            rack: rack.to_owned(),
            address,
            device_id: None,
            name: None,
            hostnames: Vec::new(),
            ip_addresses: Vec::new(),
            labels: BTreeMap::new(),
            groups: Vec::new(),
            username: username.to_owned(),
            password: Some(InlinePassword::new(password)),
            password_file: None,
            password_env: None,
            password_secret: None,
            kg_file: None,
            suites: None,
            auth: None,
            allow_insecure: false,
            privilege_limit: PrivilegeLimit::default(),
            user_lookup: UserLookup::default(),
            asset_text: String::new(),
        }
    }

    /// Whether a password stands in the configuration itself.
    #[must_use]
    pub fn has_inline_password(&self) -> bool {
        self.password.as_ref().is_some_and(|password| !password.is_empty())
    }

    /// Whether somebody on the network can read along, change packets, or find out the password.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        let weak = |suite: &u8| CipherSuite::from_id(*suite).is_none_or(|suite| suite.is_weak());
        self.auth.is_some() || self.suites().iter().any(weak)
    }

    /// What people call the server and by what else it is found. The board is left open.
    pub(super) fn aliases(&self) -> Annotation {
        Annotation {
            name: self.name.clone(),
            hostnames: self.hostnames.clone(),
            ip_addresses: self.ip_addresses.clone(),
            labels: self.labels.clone(),
            groups: self.groups.clone(),
            ..Annotation::default()
        }
    }

    /// Writes out what counts where nothing is said.
    pub(super) fn fill_in(&mut self) {
        if self.auth.is_none() {
            self.suites.get_or_insert_with(|| SUITES.to_vec());
        }
    }

    /// The files that hold its secrets.
    pub(super) fn secret_files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.password_file.iter_mut().chain(&mut self.kg_file)
    }

    /// The cipher suites that may be used, best first.
    pub(super) fn suites(&self) -> &[u8] {
        self.suites.as_deref().unwrap_or(&SUITES)
    }

    fn check(&self, path: &str, findings: &mut Findings) {
        let key = |name: &str| format!("{path}.{name}");
        findings.rack(&key("rack"), &self.rack);
        if self.device_id == Some(0) {
            findings.add(key("device_id"), "0 is out of range; use 1 to 65535");
        }
        findings.length(&key("username"), &self.username, MAX_USERNAME);
        findings.length(&key("asset_text"), &self.asset_text, MAX_ASSET_TEXT);
        self.check_password(path, findings);
        match self.auth {
            Some(_) => self.check_v1_5(path, findings),
            None => self.check_suites(&key("suites"), findings),
        }
    }

    /// The password must come from exactly one place.
    fn check_password(&self, path: &str, findings: &mut Findings) {
        let sources = [
            ("password", self.password.is_some()),
            ("password_file", self.password_file.is_some()),
            ("password_env", self.password_env.is_some()),
            ("password_secret", self.password_secret.is_some()),
        ];
        let mut given = sources.iter().filter(|(_, given)| *given);
        match (given.next(), given.next()) {
            (None, _) => findings.add(
                path,
                "has no password; add `password_file = \"…\"`, or `password = \"\"` for a user without one",
            ),
            (Some((first, _)), Some((second, _))) => {
                findings.add(format!("{path}.{second}"), format!("{first} is there, too; use one of them"));
            }
            (Some(_), None) => {}
        }
    }

    fn check_v1_5(&self, path: &str, findings: &mut Findings) {
        if !self.allow_insecure {
            findings.add(
                format!("{path}.auth"),
                "means IPMI 1.5, which lets everybody on the network read along and find out the password; remove it, \
                 or add `allow_insecure = true` if the BMC speaks nothing better",
            );
        }
        for (name, given) in [("suites", self.suites.is_some()), ("kg_file", self.kg_file.is_some())] {
            if given {
                let message = "belongs to IPMI 2.0, but auth means IPMI 1.5; remove one of them";
                findings.add(format!("{path}.{name}"), message);
            }
        }
        if self.password.as_ref().is_some_and(|password| password.length() > MAX_SECRET_1_5) {
            let message = format!("is longer than the {MAX_SECRET_1_5} bytes of IPMI 1.5");
            findings.add(format!("{path}.password"), message);
        }
    }

    fn check_suites(&self, path: &str, findings: &mut Findings) {
        if self.suites().is_empty() {
            findings.add(path, "is empty; name one, or leave the key out for 17 and 3");
        }
        for suite in self.suites() {
            match *suite {
                NO_PROTECTION if self.allow_insecure => {}
                NO_PROTECTION => findings.add(
                    path,
                    "suite 0 lets everybody on the network do everything without a password; remove it, or add \
                     `allow_insecure = true` if that is what you want",
                ),
                rc4 if RC4_SUITES.contains(&rc4) => {
                    findings.add(path, format!("suite {rc4} uses RC4, which is broken; use 17 or 3"));
                }
                other if CipherSuite::from_id(other).is_none() => {
                    findings.add(path, format!("suite {other} is not one that can be used; use 17 or 3"));
                }
                _ => {}
            }
        }
    }
}

/// Everything that is wrong with the tables.
pub(super) fn check(bmcs: &[Ipmi], needs_ids: bool, findings: &mut Findings) {
    let mut addresses = HashMap::new();
    let mut ids = HashMap::new();
    if bmcs.len() > MAX_BMCS {
        findings.add("ipmi", format!("has {} tables; use at most {MAX_BMCS}", bmcs.len()));
    }
    for (index, bmc) in bmcs.iter().enumerate() {
        let path = format!("ipmi.{index}");
        bmc.check(&path, findings);
        if addresses.insert(bmc.address, index).is_some() {
            let address = bmc_address::print(&bmc.address);
            let message = format!("{address} is already there; each BMC has one table");
            findings.add(format!("{path}.address"), message);
        }
        match bmc.device_id {
            Some(id) => {
                if let Some(other) = ids.insert(id, bmc.address) {
                    let other = bmc_address::print(&other);
                    let message = format!("{id} already belongs to {other}; ids are unique");
                    findings.add(format!("{path}.device_id"), message);
                }
            }
            // If the file were broken one day, ids that are counted would become those of other servers.
            None if needs_ids => findings.add(
                path,
                "needs a device_id, because legacy.bmc_config gives away ids, too; add one that is free",
            ),
            None => {}
        }
    }
}

/// How all BMCs are treated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// How long to wait for an answer of a BMC whose speed is not known yet, 100ms to 5s. The wait doubles with each
    /// repetition.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub timeout: Duration,
    /// How often a question is sent before the BMC counts as silent, 1 to 10, together within 10s. What changes
    /// something is sent once.
    pub tries: u8,
    /// How long to wait for the answer to what is sent once, 1s to 20s.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub control_timeout: Duration,
    /// Requests that may wait for one BMC in each class, 1 to 4096. Beyond it a request is refused with 503.
    pub backlog: usize,
    /// How many BMCs may be asked at the same moment, 1 to 65536.
    pub outstanding: usize,
    /// After how long without use a session is closed, 1s to 1h. Most BMCs forget it after a minute.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub idle_time: Duration,
    /// The pause between two commands to one BMC as long as all goes well, up to 10s.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub shortest_pause: Duration,
    /// The longest pause for a BMC that shows signs of trouble, up to 1m.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub longest_pause: Duration,
    /// When a BMC that does not answer is tried again, 100ms to 1m. The wait doubles with each try.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub first_retry: Duration,
    /// The longest wait until a BMC that does not answer is tried again, up to 1h.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub longest_retry: Duration,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            tries: 3,
            control_timeout: Duration::from_secs(10),
            backlog: 64,
            outstanding: 256,
            idle_time: Duration::from_secs(50),
            shortest_pause: Duration::ZERO,
            longest_pause: Duration::from_secs(1),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(60),
        }
    }
}

impl Broker {
    /// Who asks must learn that a BMC is silent, not that the time was over.
    fn check_patience(&self, findings: &mut Findings) {
        let limit = Settings::default().read_timeout;
        let patience = self.patience();
        if patience >= limit {
            let message = format!(
                "{} times from timeout = {:?} on, and once for the cipher suites, take {}, but who asks waits {} at most; use less of one of them",
                self.tries,
                print(self.timeout),
                print(patience),
                print(limit)
            );
            findings.add("broker.tries", message);
        }
    }

    /// How long it takes until a BMC counts as silent: one question for its cipher suites, then another several times,
    /// each wait twice the one before.
    fn patience(&self) -> Duration {
        let longest = self.longest_wait();
        let wait = |number| self.timeout.saturating_mul(1_u32 << number).min(longest);
        (0..self.tries.min(10)).map(wait).fold(self.timeout, Duration::saturating_add)
    }

    /// The longest wait for one answer.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        Timing::default().ceiling.max(self.timeout)
    }

    /// Everything that is wrong with the table.
    pub(super) fn check(&self, findings: &mut Findings) {
        let seconds = Duration::from_secs;
        let tenth = Duration::from_millis(100);
        findings.duration("broker.timeout", self.timeout, &(tenth..=seconds(5)));
        findings.range("broker.tries", &self.tries, &(1..=10));
        self.check_patience(findings);
        findings.duration("broker.control_timeout", self.control_timeout, &(seconds(1)..=seconds(20)));
        findings.range("broker.backlog", &self.backlog, &(1..=4096));
        findings.range("broker.outstanding", &self.outstanding, &(1..=65_536));
        findings.duration("broker.idle_time", self.idle_time, &(seconds(1)..=seconds(3600)));
        findings.duration("broker.shortest_pause", self.shortest_pause, &(Duration::ZERO..=seconds(10)));
        findings.duration("broker.longest_pause", self.longest_pause, &(self.shortest_pause..=seconds(60)));
        findings.duration("broker.first_retry", self.first_retry, &(tenth..=seconds(60)));
        findings.duration("broker.longest_retry", self.longest_retry, &(self.first_retry..=seconds(3600)));
    }
}
