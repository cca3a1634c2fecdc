//! Notices that the clock of the machine was set, by comparing it with one that only ever goes on.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// By how much the clock may be off, between two looks at it, before that is worth a word.
const TOLERANCE: Duration = Duration::from_secs(60);

/// What both clocks said the last time.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockWatch {
    time: Timestamp,
    elapsed: Duration,
}

impl ClockWatch {
    pub(super) const fn new(time: Timestamp) -> Self {
        Self { time, elapsed: Duration::ZERO }
    }

    /// By how much the clock was set, if it was: forwards if positive. `elapsed` is the time since the watch was made.
    pub(super) fn look(&mut self, time: Timestamp, elapsed: Duration) -> Option<SignedDuration> {
        let passed =
            SignedDuration::try_from(elapsed.saturating_sub(self.elapsed)).unwrap_or(SignedDuration::MAX);
        let shift = time.duration_since(self.time).saturating_sub(passed);
        *self = Self { time, elapsed };
        (shift.unsigned_abs() > TOLERANCE).then_some(shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_is_set_is_noticed() {
        let start = Timestamp::UNIX_EPOCH;
        let mut watch = ClockWatch::new(start);
        let after = |seconds| start + SignedDuration::from_secs(seconds);
        assert_eq!(watch.look(after(3_600), Duration::from_secs(3_580)), None);
        assert_eq!(
            watch.look(after(9_600), Duration::from_secs(3_600)),
            Some(SignedDuration::from_secs(5_980))
        );
        assert_eq!(watch.look(after(9_610), Duration::from_secs(3_610)), None);
        assert_eq!(
            watch.look(after(10), Duration::from_secs(3_610)),
            Some(SignedDuration::from_secs(-9_600))
        );
    }
}
