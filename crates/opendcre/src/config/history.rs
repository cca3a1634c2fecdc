//! The history in the configuration: where it is kept, how long, and how often it is written.

use std::path::PathBuf;
use std::time::Duration;

use opendcre_gateway::HistorySettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::{ByteSize, text};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const LEAST_SIZE: ByteSize = ByteSize::mebibytes(16);
const MOST_SIZE: ByteSize = ByteSize(1 << 40);
const MOST_DAYS: u32 = 36_500;

/// The record of what sensors said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// Where it is; `history.db` in `state.directory` unless given. Its folder must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The days for which every sample is kept, at least 1.
    pub raw_days: u32,
    /// The days for which the rollups by the minute are kept, at least `raw_days`.
    pub minute_days: u32,
    /// The days for which the rollups by the hour are kept, at least `minute_days`, up to 36500.
    pub hour_days: u32,
    /// The largest size of the file, 16MiB to 1024GiB; the oldest samples go first.
    pub size: ByteSize,
    /// How often samples are brought to the disk, 1s to 10m. A power cut costs as much.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub commit: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self {
            file: None,
            raw_days: 7,
            minute_days: 90,
            hour_days: 5 * 365,
            size: ByteSize::mebibytes(1024),
            commit: Duration::from_secs(10),
        }
    }
}

impl History {
    /// What is kept, and for how long.
    #[must_use]
    pub fn settings(&self) -> HistorySettings {
        HistorySettings {
            raw: DAY * self.raw_days,
            minute: DAY * self.minute_days,
            hour: DAY * self.hour_days,
            size: self.size.0,
            commit: self.commit,
        }
    }

    /// Everything that is wrong with the table.
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            let message = "is empty; name a file, or leave the key out for history.db in state.directory";
            findings.add("history.file", message);
        }
        // Coarser values take over where finer ones end.
        findings.range("history.raw_days", &self.raw_days, &(1..=MOST_DAYS));
        findings.range("history.minute_days", &self.minute_days, &(self.raw_days..=MOST_DAYS));
        findings.range("history.hour_days", &self.hour_days, &(self.minute_days..=MOST_DAYS));
        findings.range("history.size", &self.size, &(LEAST_SIZE..=MOST_SIZE));
        findings.duration(
            "history.commit",
            self.commit,
            &(Duration::from_secs(1)..=Duration::from_secs(600)),
        );
    }
}
