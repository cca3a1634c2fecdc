//! LDAP directories and Active Directories.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::check::Findings;
use crate::config::text;

/// A directory that knows names and passwords.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ldap {
    /// Its name in logs, the audit and grants.
    pub name: String,
    /// Its servers, the preferred first: `ldaps://…`, or `ldap://…`, where StartTLS must succeed.
    pub urls: Vec<String>,
    /// The authorities in PEM that its certificates come from; those of the system unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The account that searches for users and groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_dn: Option<String>,
    /// The file that holds the password of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_password_file: Option<PathBuf>,
    /// The environment variable that holds the password of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_password_env: Option<String>,
    /// Below which entry users are searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_base: Option<String>,
    /// Which entry is that of a user; `{user}` stands for the name that was given.
    #[serde(default = "default_user_filter")]
    pub user_filter: String,
    /// The name to bind with instead of searching, such as `{user}@ad.example` or `uid={user},ou=people,dc=example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_dn: Option<String>,
    /// The attribute with the name by which a user is known here.
    #[serde(default = "default_name_attribute")]
    pub name_attribute: String,
    /// How the groups of a user are found.
    #[serde(default)]
    pub groups: LdapGroups,
    /// Below which entry groups are searched for; `user_base` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_base: Option<String>,
    /// The attribute with the name of a group, or `dn` for its whole distinguished name.
    #[serde(default = "default_group_name")]
    pub group_name: String,
    /// How long everything together may take, 1s to 1m.
    #[serde(default = "default_timeout", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub timeout: Duration,
    /// How long a success is remembered, up to 1h.
    #[serde(default = "default_cache", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub cache: Duration,
    /// How long a failure is remembered, up to 1h.
    #[serde(default = "default_negative_cache", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub negative_cache: Duration,
}

/// How the groups of a user are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LdapGroups {
    /// By the attribute `memberOf` of the user.
    #[default]
    MemberOf,
    /// By searching for groups that name the user as member, and for groups that name these.
    GroupOfNames,
    /// As with Active Directory, which follows groups within groups itself.
    ActiveDirectory,
}

fn default_user_filter() -> String {
    "(&(objectClass=person)(uid={user}))".to_owned()
}

fn default_name_attribute() -> String {
    "uid".to_owned()
}

fn default_group_name() -> String {
    "cn".to_owned()
}

const fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

const fn default_cache() -> Duration {
    Duration::from_secs(60)
}

const fn default_negative_cache() -> Duration {
    Duration::from_secs(10)
}

impl Ldap {
    pub(super) fn check(&self, path: &str, findings: &mut Findings) {
        let key = |name: &str| format!("{path}.{name}");
        if self.urls.is_empty() {
            findings.add(key("urls"), "is empty; name at least one server, such as \"ldaps://dc1.example\"");
        }
        if self.user_base.is_none() {
            let message =
                "is missing; name the entry below which users are, such as \"ou=people,dc=example\"";
            findings.add(key("user_base"), message);
        }
        let has_password = self.bind_password_file.is_some() || self.bind_password_env.is_some();
        if self.bind_dn.is_some() != has_password {
            let message = "needs bind_password_file or bind_password_env, and they need it";
            findings.add(key("bind_dn"), message);
        }
        let hour = Duration::from_secs(60 * 60);
        findings.duration(&key("timeout"), self.timeout, &(Duration::from_secs(1)..=Duration::from_secs(60)));
        findings.duration(&key("cache"), self.cache, &(Duration::ZERO..=hour));
        findings.duration(&key("negative_cache"), self.negative_cache, &(Duration::ZERO..=hour));
    }
}
