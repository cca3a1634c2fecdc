//! How boards and racks are: what the health of their devices adds up to.

use std::fmt;

use opendcre_model::Health;
use serde::Serialize;

/// How a board is, or several together. Greater is worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing has been read yet.
    #[default]
    Unknown,
    /// Nothing is wrong with any device.
    Ok,
    /// A device is outside what is normal.
    Warning,
    /// A device is outside what is safe.
    Critical,
    /// A device is outside what the equipment survives.
    Failed,
    /// The board does not answer. Worse than any reading, because nobody knows how it is.
    Missing,
}

/// How several boards are together: as bad as the worst of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub struct RollUp {
    /// That of the worst board; unknown if there is none.
    pub condition: Condition,
    /// How many boards are in none that is known.
    pub unknown: usize,
    /// How many boards are well.
    pub ok: usize,
    /// How many boards are outside what is normal.
    pub warning: usize,
    /// How many boards are outside what is safe.
    pub critical: usize,
    /// How many boards are outside what they survive.
    pub failed: usize,
    /// How many boards do not answer.
    pub missing: usize,
}

impl Condition {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

impl From<Health> for Condition {
    fn from(health: Health) -> Self {
        match health {
            Health::Ok => Self::Ok,
            Health::Warning => Self::Warning,
            Health::Critical => Self::Critical,
            Health::Failed => Self::Failed,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromIterator<Condition> for RollUp {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
        let mut all = Self::default();
        for condition in conditions {
            all.condition = all.condition.max(condition);
            *all.count(condition) += 1;
        }
        all
    }
}

impl RollUp {
    const fn count(&mut self, condition: Condition) -> &mut usize {
        match condition {
            Condition::Unknown => &mut self.unknown,
            Condition::Ok => &mut self.ok,
            Condition::Warning => &mut self.warning,
            Condition::Critical => &mut self.critical,
            Condition::Failed => &mut self.failed,
            Condition::Missing => &mut self.missing,
        }
    }
}
