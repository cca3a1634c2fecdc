//! Reverse proxies that are believed.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::check::Findings;

/// A reverse proxy that says who sends a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Its name in logs and the audit.
    pub name: String,
    /// Where it connects from: addresses, and networks such as `10.1.0.0/24`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Whether it connects to `server.socket`.
    #[serde(default)]
    pub unix: bool,
    /// The file that holds the secret by which it is known; needed unless it connects only to the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// The header with the secret.
    #[serde(default = "default_secret_header")]
    pub secret_header: String,
    /// The header with the name of the user.
    #[serde(default = "default_user_header")]
    pub user_header: String,
    /// The header with the groups of the user, separated by commas.
    #[serde(default = "default_groups_header")]
    pub groups_header: String,
    /// Whether what follows the `@` of a user is left out.
    #[serde(default)]
    pub strip_realm: bool,
}

fn default_secret_header() -> String {
    "X-OpenDCRE-Proxy-Secret".to_owned()
}

fn default_user_header() -> String {
    "X-Forwarded-User".to_owned()
}

fn default_groups_header() -> String {
    "X-Forwarded-Groups".to_owned()
}

impl Proxy {
    pub(super) fn check(&self, path: &str, findings: &mut Findings) {
        if self.addresses.is_empty() && !self.unix {
            findings.add(path, "connects from nowhere; name its addresses, or write `unix = true`");
        }
        if !self.addresses.is_empty() && self.secret_file.is_none() {
            let message = "is missing; others could use its addresses, so it needs a secret";
            findings.add(format!("{path}.secret_file"), message);
        }
    }
}
