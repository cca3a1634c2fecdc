//! Why a node range is refused.

use thiserror::Error;

use super::{MAX_CHARACTERS, MAX_DEPTH, MAX_PATTERNS, MAX_SEARCHES, MAX_WORDS};

/// The most candidates that are listed.
const MAX_CANDIDATES: usize = 16;

/// Why a node range is refused, and at which of its characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}{}", in_group(self.group.as_deref()))]
pub struct RangeError {
    position: usize,
    reason: Reason,
    /// The group in whose members the mistake is.
    group: Option<String>,
}

/// What is wrong. Texts are excerpts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Reason {
    #[error("{0}")]
    Syntax(String),
    #[error("{pattern:?} is not a regular expression that is understood here: {detail}")]
    Pattern { pattern: String, detail: String },
    #[error(
        "{word:?} counts down or changes its padding; write the smaller number first, with as many zeros"
    )]
    Order { word: String },
    #[error("the group {0:?} contains itself; remove it from its own members in the configuration")]
    Cycle(String),
    #[error("no board, rack or group is called {word:?}; correct the name, or scan if it is new")]
    Unknown { word: String },
    #[error("no board has a label {attribute:?}; correct its name")]
    UnknownAttribute { attribute: String },
    #[error(
        "{word:?} names several things ({}{}); write the id, rack/board or rack=name of the one that is meant",
        candidates.join(", "),
        more(*further)
    )]
    Ambiguous { word: String, candidates: Vec<String>, further: usize },
    #[error("{text:?} selects no board; check its exclusions, intersections and comparisons")]
    Empty { text: String },
    #[error("the node range is too large: {0}; split it")]
    TooLarge(Bound),
}

/// A bound that is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Bound {
    #[error("a text has at most {MAX_CHARACTERS} characters")]
    Characters,
    #[error("parentheses, and groups of groups, are nested at most {MAX_DEPTH} deep")]
    Depth,
    #[error("it may stand for at most {MAX_WORDS} words")]
    Words,
    #[error("a text has at most {MAX_PATTERNS} regular expressions")]
    Patterns,
    #[error(
        "it may look at every board at most {MAX_SEARCHES} times, for expressions, comparisons and ranges of ids"
    )]
    Searches,
    #[error("the regular expression needs too much memory")]
    Pattern,
}

impl RangeError {
    pub(super) const fn new(position: usize, reason: Reason) -> Self {
        Self { position, reason, group: None }
    }

    pub(super) const fn too_large(position: usize, bound: Bound) -> Self {
        Self::new(position, Reason::TooLarge(bound))
    }

    /// A word that names all of `candidates`.
    pub(super) fn ambiguous(position: usize, word: String, mut candidates: Vec<String>) -> Self {
        let further = candidates.len().saturating_sub(MAX_CANDIDATES);
        candidates.truncate(MAX_CANDIDATES);
        Self::new(position, Reason::Ambiguous { word, candidates, further })
    }

    /// The same error, seen by who wrote the name of a group whose members it is in.
    pub(super) fn inside(self, group: &str, position: usize) -> Self {
        Self { position, group: self.group.or_else(|| Some(group.to_owned())), ..self }
    }

    /// The stable machine-readable code: `bad_range`, `unknown_name`, `ambiguous_name`, `empty_range` or
    /// `range_too_large`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.reason {
            Reason::Syntax(_) | Reason::Pattern { .. } | Reason::Order { .. } | Reason::Cycle(_) => {
                "bad_range"
            }
            Reason::Unknown { .. } | Reason::UnknownAttribute { .. } => "unknown_name",
            Reason::Ambiguous { .. } => "ambiguous_name",
            Reason::Empty { .. } => "empty_range",
            Reason::TooLarge(_) => "range_too_large",
        }
    }

    /// Where in the text, in characters from 0: the beginning of the word that is wrong, or what was not expected; at
    /// most the length of the text.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// What an ambiguous word may mean, such as `board 00000011 (web-01, rack_7)`, `rack db` or `group db`; not more
    /// than sixteen. Empty for every other error.
    #[must_use]
    pub fn candidates(&self) -> &[String] {
        match &self.reason {
            Reason::Ambiguous { candidates, .. } => candidates,
            _ => &[],
        }
    }
}

fn in_group(group: Option<&str>) -> String {
    group.map(|group| format!(" (in the members of group {group:?})")).unwrap_or_default()
}

fn more(further: usize) -> String {
    if further == 0 { String::new() } else { format!(" and {further} more") }
}
