//! How far the file has been looked through for damage since that was begun, and when the next part is due. It reads nothing
//! itself.
//!
//! To check a large file as a whole would hold up the start, and to check it never would leave damage to be found by whoever
//! needs what is lost. So a few chunks are looked at every minute, in their order, and when the end is reached, it begins
//! again: at 300 bytes a chunk, a file of 1 GB takes a few days, and 5 KB of every second of reading.

use std::time::Duration;

use tokio::time::Instant;

/// How many chunks are looked at in one step.
pub(super) const STEP: u32 = 1_024;

/// The time between two steps.
const PAUSE: Duration = Duration::from_secs(60);

/// Where the next step begins, and when.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    /// The number of the last chunk that was looked at; nothing at the beginning of the file.
    last: Option<i64>,
    /// When that was; nothing before the first step.
    looked_at: Option<Instant>,
}

impl Inspection {
    /// Whether the next step is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.looked_at.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE)
    }

    /// The number behind which the next step begins.
    pub(super) fn position(&self) -> i64 {
        self.last.unwrap_or(i64::MIN)
    }

    /// Goes on behind the chunk that was looked at last; at the beginning if there was none.
    pub(super) const fn go_on(&mut self, last: Option<i64>, now: Instant) {
        *self = Self { last, looked_at: Some(now) };
    }
}
