//! Prepared answers and the order in which they are given.

use super::template::Template;

/// One prepared answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The data field of a well-formed packet.
    Data(Vec<u8>),
    /// Sent as it is.
    Raw(Template),
    /// Nothing is sent.
    Silence,
}

/// A list that is gone through one element at a time.
#[derive(Debug, Clone)]
pub(super) struct Cycle<T> {
    items: Vec<T>,
    repeatable: bool,
    position: usize,
}

impl<T> Cycle<T> {
    /// A list that begins again after its last element if `repeatable`, and then holds nothing any more otherwise.
    pub(super) fn new(items: Vec<T>, repeatable: bool) -> Self {
        Self { items, repeatable, position: 0 }
    }

    /// The next element.
    pub(super) fn advance(&mut self) -> Option<&T> {
        let position = self.position;
        if position < self.items.len() {
            self.position += 1;
        }
        if self.repeatable && self.position == self.items.len() {
            self.position = 0;
        }
        self.items.get(position)
    }
}

/// The answers of one device to one kind of request.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// Given to requests, and to repeats unless there are answers of their own for those.
    pub(super) responses: Cycle<Answer>,
    /// Given when a request is repeated with "?".
    pub(super) retries: Option<Cycle<Answer>>,
}

impl Script {
    /// Always the same data.
    pub(super) fn constant(data: Vec<u8>) -> Self {
        Self { responses: Cycle::new(vec![Answer::Data(data)], true), retries: None }
    }

    /// The next answer, to a request or to its repetition.
    pub(super) fn advance(&mut self, is_repeat: bool) -> Answer {
        let answers = match &mut self.retries {
            Some(retries) if is_repeat => retries,
            _ => &mut self.responses,
        };
        answers.advance().cloned().unwrap_or(Answer::Silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(mut cycle: Cycle<u8>, count: usize) -> Vec<Option<u8>> {
        (0..count).map(|_| cycle.advance().copied()).collect()
    }

    #[test]
    fn a_list_begins_again_only_if_repeatable() {
        assert_eq!(taken(Cycle::new(vec![1, 2], true), 5), [Some(1), Some(2), Some(1), Some(2), Some(1)]);
        assert_eq!(taken(Cycle::new(vec![1, 2], false), 4), [Some(1), Some(2), None, None]);
        assert_eq!(taken(Cycle::new(Vec::new(), true), 2), [None, None]);
        assert_eq!(taken(Cycle::new(Vec::new(), false), 2), [None, None]);
    }
}
