//! Which values are read before anybody asks for them, and how often. It knows what a board holds, not where it is.

use std::collections::BTreeMap;
use std::time::Duration;

use opendcre_model::{Capability, Device, DeviceAddress, DeviceKind, LogCursor, Query};

use crate::BoardRecord;
use crate::glob::Glob;

/// How often values are read before anybody asks for them. An interval of zero means never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollSettings {
    /// Values of sensors.
    pub readings: Duration,
    /// Whether power is on.
    pub power: Duration,
    /// The event logs of servers.
    pub logs: Duration,
    /// What holds for some boards or kinds instead. The first one that fits counts.
    pub rules: Vec<PollRule>,
}

/// Another interval for some values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollRule {
    /// The racks, as a pattern with `*` and `?`; every one without it.
    pub rack: Option<String>,
    /// The names of the boards, as a pattern with `*` and `?`; every one without it.
    pub board: Option<String>,
    /// The kinds of devices; every one if it is empty.
    pub kinds: Vec<DeviceKind>,
    /// How often; never if zero.
    pub interval: Duration,
}

impl Default for PollSettings {
    /// Every 30 s; event logs every minute.
    fn default() -> Self {
        let readings = Duration::from_secs(30);
        Self { readings, power: readings, logs: 2 * readings, rules: Vec::new() }
    }
}

/// The settings, ready to be applied to many boards.
#[derive(Debug)]
pub(super) struct Rules {
    readings: Duration,
    power: Duration,
    logs: Duration,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    rack: Option<Glob>,
    board: Option<Glob>,
    kinds: Vec<DeviceKind>,
    interval: Duration,
}

impl Rules {
    pub(super) fn new(settings: &PollSettings) -> Self {
        let PollSettings { readings, power, logs, rules } = settings;
        let rules = rules.iter().map(Rule::new).collect();
        Self { readings: *readings, power: *power, logs: *logs, rules }
    }

    /// The questions to a board by their intervals, each in the order of its devices.
    pub(super) fn plan(&self, board: &BoardRecord) -> BTreeMap<Duration, Vec<Query>> {
        let here: Vec<&Rule> = self.rules.iter().filter(|rule| rule.is_about(board)).collect();
        let mut plan: BTreeMap<Duration, Vec<Query>> = BTreeMap::new();
        for device in &board.devices {
            for query in device.questions(board.id).chain(log_question(board, device)) {
                let interval = self.interval(&here, device, &query);
                if !interval.is_zero() {
                    plan.entry(interval).or_default().push(query);
                }
            }
        }
        plan
    }

    fn interval(&self, rules: &[&Rule], device: &Device, query: &Query) -> Duration {
        let default = match query {
            Query::Sensor { .. } => self.readings,
            Query::Power { .. } => self.power,
            Query::EventLog { .. } => self.logs,
            // The others change only when somebody changes them.
            _ => return Duration::ZERO,
        };
        let fits = |rule: &&&Rule| rule.kinds.is_empty() || rule.kinds.contains(&device.kind);
        rules.iter().find(fits).map_or(default, |rule| rule.interval)
    }
}

/// The question to a device that keeps an event log. Where it goes on is seen when it is asked.
fn log_question(board: &BoardRecord, device: &Device) -> Option<Query> {
    let address = DeviceAddress { board: board.id, device: device.id };
    let question = Query::EventLog { device: address, after: LogCursor::default() };
    device.capabilities.has(Capability::EventLog).then_some(question)
}

impl Rule {
    fn new(rule: &PollRule) -> Self {
        let PollRule { rack, board, kinds, interval } = rule;
        let glob = |pattern: &Option<String>| pattern.as_deref().and_then(Glob::new);
        Self { rack: glob(rack), board: glob(board), kinds: kinds.clone(), interval: *interval }
    }

    fn is_about(&self, board: &BoardRecord) -> bool {
        self.rack.as_ref().is_none_or(|rack| rack.matches(&board.rack))
            && self.board.as_ref().is_none_or(|name| name.matches(&board.name))
    }
}
