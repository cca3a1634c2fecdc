//! Words that stand for several words.

use super::MAX_WORDS;
use super::number::{self, CountError};

/// A word whose numbers may count.
#[derive(Debug, Clone, Default)]
pub(super) struct Word {
    pieces: Vec<Piece>,
    count: usize,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// At least one, each with its padding.
    Numbers(Vec<String>),
}

impl Word {
    /// The word without any pieces: the empty text.
    pub(super) const fn new() -> Self {
        Self { pieces: Vec::new(), count: 1 }
    }

    pub(super) fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    /// Appends one of `numbers`, of which there is at least one.
    pub(super) fn push_numbers(&mut self, numbers: Vec<String>) -> Result<(), CountError> {
        self.count = self.count.saturating_mul(numbers.len());
        self.pieces.push(Piece::Numbers(numbers));
        if self.count > MAX_WORDS { Err(CountError::TooMany) } else { Ok(()) }
    }

    /// How many words it stands for: 1 to [`MAX_WORDS`].
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// What it stands for, one after the other; the numbers on the right change fastest.
    pub(super) fn expand(&self) -> impl Iterator<Item = String> {
        (0..self.count).map(|index| self.nth(index))
    }

    fn nth(&self, mut index: usize) -> String {
        let mut parts = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces.iter().rev() {
            match piece {
                Piece::Text(text) => parts.push(text.as_str()),
                Piece::Numbers(numbers) => {
                    parts.extend(
                        index.checked_rem(numbers.len()).and_then(|n| numbers.get(n)).map(String::as_str),
                    );
                    index = index.checked_div(numbers.len()).unwrap_or_default();
                }
            }
        }
        parts.into_iter().rev().collect()
    }

    /// What counts from `first` to `last` in every number that differs; nothing if more than numbers differs.
    pub(super) fn between(first: &str, last: &str) -> Result<Option<Self>, CountError> {
        let (first, last) = (number::runs(first), number::runs(last));
        if first.len() != last.len() {
            return Ok(None);
        }
        let mut word = Self::new();
        for (first, last) in first.into_iter().zip(last) {
            if first.eq_ignore_ascii_case(last) {
                word.push_text(first);
                continue;
            }
            match number::count(first, last) {
                Ok(numbers) => word.push_numbers(numbers)?,
                Err(CountError::NotANumber) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(word))
    }
}
