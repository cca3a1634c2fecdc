//! Why roles, rules and extents of a configuration are refused.

use thiserror::Error;

use crate::RangeError;

/// Why a policy is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A role is wrong.
    #[error("the role {role:?} {defect}")]
    Role {
        /// Its name.
        role: String,
        /// What is wrong with it.
        defect: RoleDefect,
    },
    /// A rule is wrong.
    #[error("rule {number}, which grants {role:?}, {defect}")]
    Rule {
        /// Its place among the rules, from 1.
        number: usize,
        /// The role that it grants.
        role: String,
        /// What is wrong with it.
        defect: GrantDefect,
    },
    /// The role of requests that present nothing is wrong.
    #[error("the role of anonymous requests is {role:?}, which {defect}")]
    Anonymous {
        /// The role.
        role: String,
        /// What is wrong with it.
        defect: GrantDefect,
    },
}

/// What is wrong with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoleDefect {
    /// It has no name that can be written in a rule.
    #[error("needs a name without spaces")]
    BadName,
    /// There is such a role already.
    #[error("exists already; choose another name")]
    Exists,
    /// It permits nothing.
    #[error("permits nothing; give it verbs: read, control, configure, audit")]
    NoVerb,
    /// It permits to change what it does not permit to read.
    #[error("permits changes without reading; add the verb read")]
    ChangesUnseen,
}

/// What is wrong with the grant of a role.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrantDefect {
    /// There is no such role.
    #[error("is no role; use one of {}", known.join(", "))]
    UnknownRole {
        /// The roles that there are.
        known: Vec<String>,
    },
    /// It is for nobody.
    #[error("names nobody; give it users or groups")]
    Nobody,
    /// A pattern is wrong.
    #[error("has {text:?} in {list}, which is no pattern; write 1 to 256 characters")]
    BadGlob {
        /// The list in which it stands.
        list: &'static str,
        /// The pattern, shortened.
        text: String,
    },
    /// A label is wrong.
    #[error("has {0:?} in labels, which is no label; write key=value")]
    BadLabel(String),
    /// The node range is wrong.
    #[error("has a bad node range: {0}")]
    BadNodes(RangeError),
}
