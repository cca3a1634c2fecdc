//! Who may log in, how that is proved, and what they may do then, as the configuration says it.

mod certificate;
mod grant;
mod ldap;
mod oidc;
mod proxy;

use std::collections::HashSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::text;

pub use certificate::{Certificate, NameSource};
pub use grant::{Grant, Role, Verb};
pub use ldap::{Ldap, LdapGroups};
pub use oidc::{Oidc, TokenAlgorithm};
pub use proxy::Proxy;

/// Who may log in, and what they may do then.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// Whether everybody has to log in. Unless given, it is so on every address but those of this machine itself, and
    /// everywhere as soon as there is any other key below `auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// The role of those who do not log in. Without it, they are refused where login is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<String>,
    /// Roles besides viewer, operator, admin and auditor, one table each.
    #[serde(deserialize_with = "text::roles", skip_serializing_if = "Vec::is_empty")]
    pub role: Vec<Role>,
    /// Who has which role where, one table each.
    #[serde(deserialize_with = "text::grants", skip_serializing_if = "Vec::is_empty")]
    pub grant: Vec<Grant>,
    /// LDAP directories and Active Directories, one table each.
    #[serde(deserialize_with = "text::directories", skip_serializing_if = "Vec::is_empty")]
    pub ldap: Vec<Ldap>,
    /// Providers of `OpenID` Connect or OAuth 2, one table each.
    #[serde(deserialize_with = "text::providers", skip_serializing_if = "Vec::is_empty")]
    pub oidc: Vec<Oidc>,
    /// Who the holders of client certificates are. Without it, a certificate opens the connection and no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// Reverse proxies that are believed, one table each.
    #[serde(deserialize_with = "text::proxies", skip_serializing_if = "Vec::is_empty")]
    pub proxy: Vec<Proxy>,
}

impl Login {
    /// Whether anything says who may log in.
    pub(crate) fn is_configured(&self) -> bool {
        *self != Self { required: self.required, ..Self::default() }
    }

    /// Whether requests that do not say who sends them may do anything.
    pub(crate) fn admits_strangers(&self) -> bool {
        self.anonymous.is_some() || self.grant.iter().any(Grant::is_for_strangers)
    }

    /// The keys that let requests change something, or read the audit, which do not say who sends them.
    pub(super) fn changes_by_strangers(&self) -> Vec<String> {
        let is_harmless = |role: &str| {
            let own = self.role.iter().find(|own| own.name == role);
            role == "viewer" || own.is_some_and(|own| own.verbs.iter().all(|verb| *verb == Verb::Read))
        };
        let role = self.anonymous.iter().filter(|role| !is_harmless(role));
        let role = role.map(|_| "auth.anonymous".to_owned());
        let grants = self.grant.iter().enumerate();
        let grants = grants.filter(|(_, grant)| grant.is_for_strangers() && !is_harmless(&grant.role));
        role.chain(grants.map(|(index, _)| format!("auth.grant.{index}.users"))).collect()
    }

    /// The files with secrets that are named, to find those with relative paths.
    pub(super) fn secret_files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let ldap = self.ldap.iter_mut().filter_map(|ldap| ldap.bind_password_file.as_mut());
        let oidc = self.oidc.iter_mut().filter_map(|oidc| oidc.client_secret_file.as_mut());
        let proxy = self.proxy.iter_mut().filter_map(|proxy| proxy.secret_file.as_mut());
        ldap.chain(oidc).chain(proxy)
    }

    /// The other files that are named.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let ldap = self.ldap.iter_mut().filter_map(|ldap| ldap.ca.as_mut());
        ldap.chain(self.oidc.iter_mut().filter_map(|oidc| oidc.ca.as_mut()))
    }

    /// A login that is named must exist, and so must a provider, unless it is meant by a pattern.
    fn check_provider(&self, path: &str, text: &str, findings: &mut Findings) {
        let Some((login, rest)) = text.split_once(':') else { return };
        let named: Vec<&str> = match login {
            "ldap" => self.ldap.iter().map(|ldap| ldap.name.as_str()).collect(),
            "oidc" => self.oidc.iter().map(|oidc| oidc.name.as_str()).collect(),
            "proxy" => self.proxy.iter().map(|proxy| proxy.name.as_str()).collect(),
            "token" | "certificate" | "anonymous" | "local" | "*" => return,
            // Names may have colons, too, but not behind what looks like a login.
            other if other.contains(['/', '.', '*', '?']) => return,
            other => {
                let message = format!("{other:?} is no login; use token, ldap, oidc, certificate or proxy");
                findings.add(path, message);
                return;
            }
        };
        if let Some((provider, _)) = rest.split_once('/')
            && !provider.contains(['*', '?'])
            && !named.contains(&provider)
        {
            findings.add(path, format!("there is no [[auth.{login}]] with the name {provider:?}"));
        }
    }

    /// Everything that is wrong with the tables.
    pub(super) fn check(&self, findings: &mut Findings) {
        for (index, role) in self.role.iter().enumerate() {
            role.check(&format!("auth.role.{index}"), findings);
        }
        check_names("auth.role", self.role.iter().map(|role| role.name.as_str()), findings);
        let roles: HashSet<&str> = self.role.iter().map(|role| role.name.as_str()).collect();
        for (index, grant) in self.grant.iter().enumerate() {
            let path = format!("auth.grant.{index}");
            grant.check(&path, &roles, findings);
            let people = grant.users.iter().map(|user| ("users", user));
            for (key, text) in people.chain(grant.groups.iter().map(|group| ("groups", group))) {
                self.check_provider(&format!("{path}.{key}"), text, findings);
            }
        }
        if let Some(role) = &self.anonymous {
            grant::check_role("auth.anonymous", role, &roles, findings);
        }
        for (index, ldap) in self.ldap.iter().enumerate() {
            ldap.check(&format!("auth.ldap.{index}"), findings);
        }
        check_names("auth.ldap", self.ldap.iter().map(|ldap| ldap.name.as_str()), findings);
        for (index, oidc) in self.oidc.iter().enumerate() {
            oidc.check(&format!("auth.oidc.{index}"), findings);
        }
        check_names("auth.oidc", self.oidc.iter().map(|oidc| oidc.name.as_str()), findings);
        for (index, proxy) in self.proxy.iter().enumerate() {
            proxy.check(&format!("auth.proxy.{index}"), findings);
        }
        check_names("auth.proxy", self.proxy.iter().map(|proxy| proxy.name.as_str()), findings);
    }
}

/// The names of tables are labels, each there once.
fn check_names<'c>(tables: &str, names: impl Iterator<Item = &'c str>, findings: &mut Findings) {
    let mut known = HashSet::new();
    for (index, name) in names.enumerate() {
        let path = format!("{tables}.{index}.name");
        findings.label(&path, name, 32, "-_");
        if !known.insert(name) {
            findings.add(path, format!("{name:?} is already the name of another; names are unique"));
        }
    }
}
