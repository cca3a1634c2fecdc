//! The regular expressions of node ranges.

use opendcre_model::excerpt;
use regex::bytes::{Regex, RegexBuilder};

use super::error::{Bound, RangeError, Reason};

/// The most memory of one compiled expression, in bytes; an alternative of a hundred names fits.
const MAX_PROGRAM: usize = 256 * 1024;
/// The most memory of the table that makes its search fast, in bytes.
const MAX_TABLE: usize = 256 * 1024;
/// How deep its groups may be nested.
const MAX_NESTING: u32 = 32;

/// A regular expression that matches anywhere in a name unless it is anchored. Its classes, such as `\w`, hold ASCII
/// only: host names do, and the tables of Unicode would make hostile expressions much more expensive.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(text: &str, position: usize) -> Result<Self, RangeError> {
        RegexBuilder::new(text)
            .unicode(false)
            .size_limit(MAX_PROGRAM)
            .dfa_size_limit(MAX_TABLE)
            .nest_limit(MAX_NESTING)
            .build()
            .map(Self)
            .map_err(|error| refusal(text, position, &error))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }
}

fn refusal(text: &str, position: usize, error: &regex::Error) -> RangeError {
    if let regex::Error::CompiledTooBig(_) = error {
        return RangeError::too_large(position, Bound::Pattern);
    }
    // The library draws the expression over several lines and says in the last one what is wrong.
    let message = error.to_string();
    let last = message.lines().last().unwrap_or_default();
    let detail = last.trim_start_matches("error: ").to_owned();
    RangeError::new(position, Reason::Pattern { pattern: excerpt(text), detail })
}
