//! Who somebody is, once that is proved, and what comes with the proof.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Somebody who has proved who they are, or did not have to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The name by which they are known, such as that of a user or of a token.
    pub name: String,
    /// How they proved it.
    pub login: Login,
    /// Who vouches for them: the name of a provider in the configuration; empty where there is only one.
    pub provider: String,
    /// The groups that the provider counts them among, as it names them.
    pub groups: Vec<String>,
    /// What comes with the proof itself, such as the scope of a token. What the configuration grants comes on top.
    pub grants: Vec<Grant>,
}

/// How somebody has proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Nobody had to.
    Anonymous,
    /// By running the program on this machine, as a user of the system.
    Local,
    /// By an API token of this gateway.
    Token,
    /// By a token of an `OpenID` Connect or OAuth 2 provider.
    Oidc,
    /// By a name and a password that a directory knows.
    Ldap,
    /// By a client certificate.
    Certificate,
    /// A reverse proxy that is trusted has said so.
    Proxy,
}

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// The name of a role.
    pub role: String,
    /// Where it holds.
    #[serde(default, flatten)]
    pub extent: Extent,
}

/// Where a role holds. What is given must all be fulfilled; in a list, one entry is enough. Nothing given: everywhere.
///
/// `*` and `?` in racks, boards, devices and groups stand for any text and any character.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Extent {
    /// Racks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<String>,
    /// Boards: ids, names, host names or IP addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<String>,
    /// Devices: ids, names, or kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// Groups of boards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub board_groups: Vec<String>,
    /// Labels of boards, as `key=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// A node range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<String>,
}

impl Subject {
    /// Whoever asks where nobody has to log in.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".to_owned(),
            login: Login::Anonymous,
            provider: String::new(),
            groups: Vec::new(),
            grants: Vec::new(),
        }
    }
}

impl Login {
    /// Its name in the audit log and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Local => "local",
            Self::Token => "token",
            Self::Oidc => "oidc",
            Self::Ldap => "ldap",
            Self::Certificate => "certificate",
            Self::Proxy => "proxy",
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Extent {
    /// Whether it is everywhere.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        *self == Self::default()
    }
}
