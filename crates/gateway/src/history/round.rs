//! When the samples of one board came: a round after the other, as boards are read. The samples of all its series share
//! these times, and each needs only what it differs from them.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// For how long after its beginning samples belong to a round, in milliseconds.
const LENGTH: i64 = 2_000;

/// The rounds of a board in one period, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Rounds(Mutex<Vec<u32>>);

/// A round: its number, and when it began in milliseconds since the period did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) number: usize,
    pub(super) began: i64,
    /// Nothing came in it before.
    pub(super) is_new: bool,
}

impl Rounds {
    /// The round to which a sample belongs that comes now; `time` is in milliseconds since the period began.
    pub(super) fn note(&self, time: i64) -> Round {
        let mut rounds = self.lock();
        let number = rounds.len();
        if let Some((number, began)) = number.checked_sub(1).zip(rounds.last().copied().map(i64::from))
            && (began..began + LENGTH).contains(&time)
        {
            return Round { number, began, is_new: false };
        }
        // What is not within the period is far from every round.
        let began = u32::try_from(time).unwrap_or_default();
        rounds.push(began);
        Round { number, began: began.into(), is_new: true }
    }

    /// When every round began, in milliseconds since the period did.
    pub(super) fn all(&self) -> Vec<i64> {
        self.lock().iter().copied().map(i64::from).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u32>> {
        // Every change is complete in itself, so a panic elsewhere cannot have broken it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
