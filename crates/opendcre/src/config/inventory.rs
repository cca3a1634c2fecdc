//! The inventory in the configuration: where it is kept and how fresh it is.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::text;
use super::text::duration::print;

const SHORTEST_REFRESH: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The record of all equipment that was ever found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inventory {
    /// Where it is; `inventory.db` in `state.directory` unless given. Its folder must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// How often everything is looked for, 10s to 24h, or 0s for only when somebody asks.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub refresh: Duration,
    /// How old the answer to a scan of API 1.3 may be, up to 24h.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub cache: Duration,
}

impl Default for Inventory {
    fn default() -> Self {
        Self { file: None, refresh: Duration::from_secs(5 * 60), cache: Duration::from_secs(10 * 60) }
    }
}

impl Inventory {
    /// Everything that is wrong with the table.
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            let message = "is empty; name a file, or leave the key out for inventory.db in state.directory";
            findings.add("inventory.file", message);
        }
        if !self.refresh.is_zero() && !(SHORTEST_REFRESH..=DAY).contains(&self.refresh) {
            let (refresh, least, most) = (print(self.refresh), print(SHORTEST_REFRESH), print(DAY));
            let message =
                format!("{refresh} is out of range; use {least} to {most}, or 0s for only on demand");
            findings.add("inventory.refresh", message);
        }
        findings.duration("inventory.cache", self.cache, &(Duration::ZERO..=DAY));
    }
}
