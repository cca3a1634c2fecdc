//! Polling in the configuration: how often values are read before anybody asks.

use std::ops::RangeInclusive;
use std::time::Duration;

use opendcre_gateway::{PollRule, PollSettings};
use opendcre_model::DeviceKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::text;
use super::text::duration::print;

/// The shortest and the longest interval, other than never.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
/// The longest pattern, in characters.
const LONGEST_PATTERN: usize = 256;

/// How often values are read before anybody asks. What is read once is there for everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Poll {
    /// Values of sensors: 1s to 24h, or 0s for only when somebody asks.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub readings: Duration,
    /// Whether power is on: 1s to 24h, or 0s.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub power: Duration,
    /// The event logs of servers: 1s to 24h, or 0s.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub logs: Duration,
    /// Other intervals for some racks, boards or kinds. The first one that fits counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<Rule>,
}

/// Another interval for some values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The racks, as a name in which `*` stands for anything and `?` for one character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The boards, by their names, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// The kinds of devices, such as `temperature`; every one if it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// How often: 1s to 24h, or 0s for only when somebody asks.
    #[serde(with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub interval: Duration,
}

impl Default for Poll {
    fn default() -> Self {
        let PollSettings { readings, power, logs, rules: _ } = PollSettings::default();
        Self { readings, power, logs, rule: Vec::new() }
    }
}

impl Poll {
    /// Everything that is wrong with the table.
    pub(super) fn check(&self, findings: &mut Findings) {
        check_interval("poll.readings", self.readings, findings);
        check_interval("poll.power", self.power, findings);
        check_interval("poll.logs", self.logs, findings);
        for (index, rule) in self.rule.iter().enumerate() {
            rule.check(&format!("poll.rule[{index}]"), findings);
        }
    }

    /// The same for the gateway.
    #[must_use]
    pub fn settings(&self) -> PollSettings {
        let rules = self.rule.iter().map(Rule::settings).collect();
        PollSettings { readings: self.readings, power: self.power, logs: self.logs, rules }
    }
}

impl Rule {
    fn check(&self, path: &str, findings: &mut Findings) {
        check_interval(&format!("{path}.interval"), self.interval, findings);
        for (key, pattern) in [("rack", &self.rack), ("board", &self.board)] {
            if let Some(pattern) = pattern {
                findings.length(&format!("{path}.{key}"), pattern, LONGEST_PATTERN);
            }
        }
        for kind in self.kinds.iter().filter_map(|kind| kind.parse::<DeviceKind>().err()) {
            let known: Vec<&str> = DeviceKind::ALL.iter().map(|kind| kind.name()).collect();
            findings.add(format!("{path}.kinds"), format!("{kind}; use {}", known.join(", ")));
        }
    }

    fn settings(&self) -> PollRule {
        let Self { rack, board, kinds, interval } = self.clone();
        // Checked before.
        let kinds = kinds.iter().filter_map(|kind| kind.parse().ok()).collect();
        PollRule { rack, board, kinds, interval }
    }
}

fn check_interval(path: &str, interval: Duration, findings: &mut Findings) {
    if !interval.is_zero() && !INTERVALS.contains(&interval) {
        let (least, most) = (print(*INTERVALS.start()), print(*INTERVALS.end()));
        let message = format!("{} is out of range; use {least} to {most}, or 0s for never", print(interval));
        findings.add(path, message);
    }
}
