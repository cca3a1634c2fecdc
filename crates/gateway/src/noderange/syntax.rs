//! The parts of a node range that was understood.

use super::pattern::Pattern;
use super::word::Word;

/// An operator and what it applies to. The first one of a list applies to no board, or, if it excludes, to every board.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) operator: Operator,
    pub(super) operand: Operand,
    /// Where the operand begins, in characters from 0.
    pub(super) position: usize,
}

/// What is done with the boards on the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `,` adds them.
    Unite,
    /// `,-` removes them.
    Exclude,
    /// `@` keeps only them.
    Intersect,
}

/// What selects boards.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// `all` or `*`.
    Everything,
    /// `( … )`.
    Steps(Vec<Step>),
    /// `~regex`: boards by their name.
    Name(Pattern),
    /// A comparison such as `label=value`.
    Test(Test),
    /// `"…"`: a name without any meaning of its characters.
    Quoted(String),
    /// Any other word.
    Word(Word),
}

/// A comparison of an attribute or label. Boards without the attribute pass only a negated one.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) attribute: String,
    pub(super) value: Value,
    pub(super) negated: bool,
}

/// What a value is compared with.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Exact(String),
    Matching(Pattern),
}

impl Value {
    pub(super) fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == value,
            Self::Matching(pattern) => pattern.matches(value),
        }
    }
}
