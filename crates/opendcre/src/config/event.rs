//! The event log in the configuration: where it is kept, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use opendcre_gateway::EventSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::text;
use super::text::ByteSize;

const HOUR: Duration = Duration::from_secs(60 * 60);
const LONGEST_AGE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The stream of events: what happened to the equipment, and who had a part in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Where it is; `events.db` in `state.directory` unless given. Its folder must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The most events that are kept, 1000 to 10000000.
    pub most: u64,
    /// How old an event may become, counted while the service runs, 1h to 87600h.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub age: Duration,
    /// How large the file may grow, 16MiB to 16GiB.
    pub size: ByteSize,
}

impl Default for Events {
    fn default() -> Self {
        let EventSettings { most, age, size } = EventSettings::default();
        Self { file: None, most, age, size: ByteSize(size) }
    }
}

impl Events {
    /// How much is kept.
    #[must_use]
    pub const fn settings(&self) -> EventSettings {
        EventSettings { most: self.most, age: self.age, size: self.size.0 }
    }

    /// Everything that is wrong with the table.
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            let message = "is empty; name a file, or leave the key out for events.db in state.directory";
            findings.add("events.file", message);
        }
        findings.range("events.most", &self.most, &(1_000..=10_000_000));
        findings.duration("events.age", self.age, &(HOUR..=LONGEST_AGE));
        findings.range("events.size", &self.size, &(ByteSize::mebibytes(16)..=ByteSize::mebibytes(16 << 10)));
    }
}
