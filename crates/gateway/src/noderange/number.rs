//! The numbers in names: decimal digits with padding.

use super::MAX_WORDS;

/// The most digits that are counted with; longer runs are only text.
const MAX_DIGITS: usize = 18;

/// Why two numbers are not the ends of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountError {
    /// One is not a number, or too long to count with.
    NotANumber,
    /// The second is smaller, or padded to another width.
    Order,
    /// There are more than [`MAX_WORDS`] between them.
    TooMany,
}

/// The value of a text that is nothing but digits, and not too many.
pub(super) fn parse(digits: &str) -> Option<u64> {
    let countable = digits.len() <= MAX_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if countable { digits.parse().ok() } else { None }
}

/// The number after `digits`, with the same padding.
pub(super) fn successor(digits: &str) -> Option<String> {
    let next = parse(digits)?.checked_add(1)?;
    Some(padded(next, digits.len()))
}

/// Every number from `first` to `last`, padded as `first` is.
pub(super) fn count(first: &str, last: &str) -> Result<Vec<String>, CountError> {
    let (start, end) = parse(first).zip(parse(last)).ok_or(CountError::NotANumber)?;
    let is_repadded = last.starts_with('0') && last.len() != first.len();
    if start > end || is_repadded {
        return Err(CountError::Order);
    }
    let many = usize::try_from(end - start).map_or(true, |steps| steps >= MAX_WORDS);
    if many { Err(CountError::TooMany) } else { Ok((start..=end).map(|n| padded(n, first.len())).collect()) }
}

/// Pieces of a text that are each digits only or without digits.
pub(super) fn runs(mut text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    while let Some(first) = text.chars().next() {
        let other_kind = |c: char| c.is_ascii_digit() != first.is_ascii_digit();
        let (run, rest) = text.split_at(text.find(other_kind).unwrap_or(text.len()));
        runs.push(run);
        text = rest;
    }
    runs
}

fn padded(number: u64, width: usize) -> String {
    format!("{number:0width$}")
}
