//! What the service keeps, and where.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;

/// What the service keeps over restarts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// The folder of everything that is kept and has no place of its own in the configuration. It must exist, and only
    /// the service should be able to read it.
    pub directory: PathBuf,
}

impl Default for State {
    fn default() -> Self {
        Self { directory: PathBuf::from("/var/lib/opendcre") }
    }
}

impl State {
    /// Where the last configuration is kept with which the service has started.
    #[must_use]
    pub fn last_good_file(&self) -> PathBuf {
        self.directory.join("last-good.toml")
    }

    /// Everything that is wrong with the table.
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.directory.as_os_str().is_empty() {
            let default = Self::default().directory;
            let message =
                format!("is empty; name a directory, or leave the key out for {}", default.display());
            findings.add("state.directory", message);
        }
    }
}
