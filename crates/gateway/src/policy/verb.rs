//! What can be done with equipment, in the four words that roles are made of.

use std::fmt;

use opendcre_model::Action;
use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Look at boards, and ask them questions.
    Read,
    /// Switch power, lamps, fans, boot targets and power limits.
    Control,
    /// Change what stays: asset texts and event logs. Also to send commands that nobody here understands.
    Configure,
    /// Look at the audit log.
    Audit,
}

/// A word for an action, and what whoever does it must be allowed to do.
type Word = (&'static str, Verb);

const SCAN: Word = ("scan", Verb::Read);
const LIST: Word = ("list", Verb::Read);
const POWER: Word = ("power", Verb::Control);
const IDENTIFY: Word = ("identify", Verb::Control);
const LED: Word = ("led", Verb::Control);
const FAN: Word = ("fan", Verb::Control);
const BOOT: Word = ("boot", Verb::Control);
const POWER_LIMIT: Word = ("power_limit", Verb::Control);
const ASSET: Word = ("asset", Verb::Configure);
const CLEAR_EVENT_LOG: Word = ("clear_event_log", Verb::Configure);
const RAW_IPMI: Word = ("raw_ipmi", Verb::Configure);
const FORGET: Word = ("forget", Verb::Configure);

/// Every word that people may use for an action.
const WORDS: [Word; 12] =
    [SCAN, LIST, POWER, IDENTIFY, LED, FAN, BOOT, POWER_LIMIT, ASSET, CLEAR_EVENT_LOG, RAW_IPMI, FORGET];

/// The word for `action`.
const fn word(action: &Action) -> Word {
    match action {
        Action::Power { .. } => POWER,
        Action::Identify { .. } => IDENTIFY,
        Action::SetLed { .. } | Action::SetChamberLed { .. } => LED,
        Action::SetFanSpeed { .. } => FAN,
        Action::SetBootTarget { .. } => BOOT,
        Action::SetPowerLimit { .. } => POWER_LIMIT,
        Action::SetAssetText { .. } => ASSET,
        Action::ClearEventLog { .. } => CLEAR_EVENT_LOG,
        Action::RawIpmi { .. } => RAW_IPMI,
    }
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 4] = [Self::Read, Self::Control, Self::Configure, Self::Audit];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Configure => "configure",
            Self::Audit => "audit",
        }
    }

    /// What whoever does `action` must be allowed to do.
    #[must_use]
    pub const fn of(action: &Action) -> Self {
        word(action).1
    }

    /// The verb that a word stands for: the verb itself, or an action such as `power`.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let verb = Self::ALL.into_iter().find(|verb| verb.name() == word);
        verb.or_else(|| WORDS.into_iter().find(|(action, _)| *action == word).map(|(_, verb)| verb))
    }

    /// Every word that stands for a verb, for messages.
    pub(crate) fn words() -> String {
        let verbs = Self::ALL.into_iter().map(Self::name);
        verbs.chain(WORDS.into_iter().map(|(action, _)| action)).collect::<Vec<_>>().join(", ")
    }

    /// Whether it changes equipment.
    #[must_use]
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Control | Self::Configure)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::{
        BoardId, BootOverride, BootTarget, ChamberLedSetting, DeviceAddress, DeviceId, DeviceKind, Identify,
        PowerAction, RawRequest,
    };

    use super::*;

    /// The action behind `before`, in an order that knows every one: a new one does not compile until it has a place.
    fn next(before: Option<&Action>) -> Option<Action> {
        let device = DeviceAddress { board: BoardId(1), device: DeviceId(1) };
        let Some(before) = before else {
            return Some(Action::Power { device, kind: DeviceKind::Power, action: PowerAction::On });
        };
        Some(match before {
            Action::Power { .. } => Action::Identify { device, identify: Identify::Off },
            Action::Identify { .. } => Action::SetLed { device, on: true },
            Action::SetLed { .. } => Action::SetChamberLed {
                device,
                setting: ChamberLedSetting { rack: String::new(), on: None, color: None, blink: None },
            },
            Action::SetChamberLed { .. } => Action::SetFanSpeed { device, rpm: 0 },
            Action::SetFanSpeed { .. } => Action::SetBootTarget {
                device,
                boot: BootOverride { target: BootTarget::Pxe, persistent: false, efi: false },
            },
            Action::SetBootTarget { .. } => Action::SetPowerLimit { device, limit: None },
            Action::SetPowerLimit { .. } => Action::SetAssetText { device, text: String::new() },
            Action::SetAssetText { .. } => Action::ClearEventLog { device },
            Action::ClearEventLog { .. } => Action::RawIpmi {
                device,
                request: RawRequest { netfn: 0x06, lun: 0, command: 0x01, data: Vec::new() },
            },
            Action::RawIpmi { .. } => return None,
        })
    }

    #[test]
    fn every_action_has_a_word_that_people_can_ask_about() {
        let actions = std::iter::successors(next(None), |before| next(Some(before)));
        for action in actions {
            let (text, verb) = word(&action);
            assert_eq!(Verb::of_word(text), Some(verb), "{action:?}");
            assert_eq!(Verb::of(&action), verb);
            assert!(verb.is_change(), "{action:?}");
        }
    }

    #[test]
    fn no_word_has_two_meanings() {
        let all = Verb::words();
        let mut words: Vec<&str> = all.split(", ").collect();
        words.sort_unstable();
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count, "{all}");
    }
}
