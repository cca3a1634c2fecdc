//! The sealed store in the configuration: passwords of BMCs in one file, encrypted with a key that is elsewhere.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;

/// The sealed store of secrets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// Where it is; `secrets.json` in `state.directory` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The file with its key, 64 hexadecimal digits; `secrets.key` in `state.directory` unless given. A relative path
    /// counts from the systemd credentials of the service if it has any, and from this file otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Config {
    /// Where the sealed store is.
    #[must_use]
    pub fn sealed_secrets(&self) -> PathBuf {
        self.secret_store.file.clone().unwrap_or_else(|| self.state.directory.join("secrets.json"))
    }

    /// Where the key of the sealed store is.
    #[must_use]
    pub fn secrets_key(&self) -> PathBuf {
        self.secret_store.key_file.clone().unwrap_or_else(|| self.state.directory.join("secrets.key"))
    }
}
