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

/// Words for single actions, and what whoever does them must be allowed to do.
const ACTIONS: [(&str, Verb); 12] = [
    ("scan", Verb::Read),
    ("list", Verb::Read),
    ("power", Verb::Control),
    ("identify", Verb::Control),
    ("led", Verb::Control),
    ("fan", Verb::Control),
    ("boot", Verb::Control),
    ("power_limit", Verb::Control),
    ("asset", Verb::Configure),
    ("clear_event_log", Verb::Configure),
    ("raw_ipmi", Verb::Configure),
    ("forget", Verb::Configure),
];

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
        match action {
            Action::Power { .. }
            | Action::Identify { .. }
            | Action::SetLed { .. }
            | Action::SetChamberLed { .. }
            | Action::SetFanSpeed { .. }
            | Action::SetBootTarget { .. }
            | Action::SetPowerLimit { .. } => Self::Control,
            Action::SetAssetText { .. } | Action::ClearEventLog { .. } | Action::RawIpmi { .. } => {
                Self::Configure
            }
        }
    }

    /// The verb that a word stands for: the verb itself, or an action such as `power`.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let verb = Self::ALL.into_iter().find(|verb| verb.name() == word);
        verb.or_else(|| ACTIONS.into_iter().find(|(action, _)| *action == word).map(|(_, verb)| verb))
    }

    /// Every word that stands for a verb, for messages.
    pub(crate) fn words() -> String {
        let verbs = Self::ALL.into_iter().map(Self::name);
        verbs.chain(ACTIONS.into_iter().map(|(action, _)| action)).collect::<Vec<_>>().join(", ")
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
