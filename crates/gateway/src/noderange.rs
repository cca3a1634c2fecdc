//! Node ranges: texts that name many boards at once, in the notation of confluent, xCAT and FreeIPMI.
//!
//! A text is parsed into a [`NodeRange`], which is evaluated against a [`Directory`], and [`fold`] makes a short text
//! of many names. The notation is described in `docs/node-ranges.md`. Everything here is pure and bounded by the
//! constants below; it knows nothing of where a directory comes from and does not touch equipment.
//!
//! Operators have one precedence and apply from left to right, as in confluent: each changes what stands before it.
//! xCAT instead applies exclusions last, wherever they stand. The one text that would select far more here than
//! there, an addition to a range that begins with an exclusion (`-a,b`), is refused.

mod directory;
mod error;
mod evaluate;
mod fold;
mod number;
mod parse;
mod pattern;
mod set;
mod syntax;
#[cfg(test)]
mod tests;
mod word;

use std::fmt;
use std::str::FromStr;

use opendcre_model::{BoardId, excerpt};

pub use directory::{Directory, Found};
pub use error::RangeError;
pub use fold::fold;

use error::Reason;
use evaluate::Evaluation;
use syntax::Step;

/// The most characters of a text.
const MAX_CHARACTERS: usize = 65_536;
/// How deep parentheses, and groups of groups, may be nested.
const MAX_DEPTH: usize = 16;
/// The most words that a range may stand for, those of its groups included.
const MAX_WORDS: usize = 65_536;
/// The most regular expressions of one text: each is compiled.
const MAX_PATTERNS: usize = 16;
/// The most regular expressions, comparisons and ranges of ids of one evaluation: each looks at every board.
const MAX_SEARCHES: usize = 64;

/// A node range as it was written, understood but not yet evaluated.
#[derive(Debug, Clone)]
pub struct NodeRange {
    text: String,
    steps: Vec<Step>,
}

impl NodeRange {
    /// The boards that the range selects in `directory`: at least one, in ascending order, none twice.
    ///
    /// # Errors
    /// A word names nothing or several things, a group contains itself, a bound is exceeded, or no board is selected.
    pub fn evaluate(&self, directory: &dyn Directory) -> Result<Vec<BoardId>, RangeError> {
        let boards = Evaluation::new(directory).steps(&self.steps)?;
        if boards.is_empty() {
            return Err(RangeError::new(0, Reason::Empty { text: excerpt(&self.text) }));
        }
        Ok(boards)
    }
}

/// The boards that something holds which a word names, in ascending order.
///
/// # Errors
/// As [`NodeRange::evaluate`], but to hold none is no error.
pub(crate) fn members(found: Found<'_>, directory: &dyn Directory) -> Result<Vec<BoardId>, RangeError> {
    Evaluation::new(directory).members(found, 0)
}

impl FromStr for NodeRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        Ok(Self { text: text.to_owned(), steps: parse::parse(text)? })
    }
}

impl fmt::Display for NodeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
