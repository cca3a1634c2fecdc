//! What can be wrong with bytes, and with answers.

use thiserror::Error;

use crate::Completion;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// It ends too early.
    #[error("{what} ends too early, after {length} bytes")]
    Truncated {
        /// What was read.
        what: &'static str,
        /// All bytes that were there.
        length: usize,
    },
    /// A checksum does not match.
    #[error("{what} has a wrong checksum")]
    Checksum {
        /// What was read.
        what: &'static str,
    },
    /// A field holds something that is not allowed.
    #[error("{what}: {field} is {value:#x}, which is not allowed")]
    Invalid {
        /// What was read.
        what: &'static str,
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
}

/// Why a command has no result although the BMC answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The BMC will not do it.
    #[error("{command}: {completion}")]
    Refused {
        /// The command in the words of the specification.
        command: &'static str,
        /// Why.
        completion: Completion,
    },
    /// The answer cannot be understood.
    #[error("{command}: the answer is malformed: {problem}")]
    Malformed {
        /// The command in the words of the specification.
        command: &'static str,
        /// What is wrong with it.
        problem: DecodeError,
    },
    /// The BMC sends more than a sane one has, or the same again and again.
    #[error("{command}: the BMC does not come to an end: {problem}")]
    Endless {
        /// The command in the words of the specification.
        command: &'static str,
        /// The bound that was reached.
        problem: &'static str,
    },
}
