//! Whether the time of day can be trusted to forget things by: it has to agree with time that only passes.
//!
//! A machine without a battery begins in 1970, and a wrong time server leads anywhere. Pure logic: both times are passed in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// How long both must have agreed.
const PROBATION: Duration = Duration::from_secs(60 * 60);

/// How long both are compared with the same look before. Otherwise many small steps between many looks were no jump.
const STRIDE: Duration = Duration::from_secs(30);

/// What a clock that is only being adjusted may move between two looks, besides a hundredth of the time between them.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// Compares the time of day with time that only passes.
#[derive(Debug, Default)]
pub(super) struct ClockJudge {
    /// Both times at a look before, and since when they have agreed.
    last: Option<(Timestamp, Instant, Instant)>,
}

impl ClockJudge {
    /// The time of day, if it can be trusted. To be asked every few minutes or more often.
    pub(super) fn judge(&mut self, time: Timestamp, now: Instant) -> Option<Timestamp> {
        let agreed =
            self.last.filter(|(last_time, last, _)| agree(time.duration_since(*last_time), now - *last));
        let since = agreed.map_or(now, |(_, _, since)| since);
        if agreed.is_none_or(|(_, last, _)| now - last >= STRIDE) {
            self.last = Some((time, now, since));
        }
        (now - since >= PROBATION).then_some(time)
    }
}

fn agree(by_day: SignedDuration, passed: Duration) -> bool {
    let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
    (by_day - passed).abs() <= TOLERANCE + passed / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A judge, and clocks that go as they should.
    struct Room {
        judge: ClockJudge,
        time: Timestamp,
        now: Instant,
    }

    impl Room {
        fn new() -> Self {
            Self { judge: ClockJudge::default(), time: Timestamp::UNIX_EPOCH, now: Instant::now() }
        }

        /// Lets a minute pass so many times, and tells how often the clock was trusted.
        fn pass(&mut self, minutes: usize) -> usize {
            let trusted = (0..minutes).filter(|_| {
                self.time += MINUTE;
                self.now += MINUTE;
                self.judge.judge(self.time, self.now).is_some()
            });
            trusted.count()
        }
    }

    #[test]
    fn a_clock_is_trusted_after_an_hour() {
        let mut room = Room::new();
        assert_eq!(room.pass(60), 0);
        assert_eq!(room.pass(100), 100);
    }

    #[test]
    fn a_clock_that_jumps_is_not_trusted_for_an_hour() {
        for jump in [SignedDuration::from_hours(24 * 365 * 20), SignedDuration::from_mins(-5)] {
            let mut room = Room::new();
            room.pass(100);
            room.time += jump;
            assert_eq!(room.pass(60), 0);
            assert_eq!(room.pass(1), 1);
        }
    }

    #[test]
    fn many_small_steps_are_a_jump() {
        let mut room = Room::new();
        room.pass(100);
        let trusted = (0..100).filter(|_| {
            room.time += SignedDuration::from_secs(1);
            room.now += Duration::from_millis(1);
            room.judge.judge(room.time, room.now).is_some()
        });
        assert!(trusted.count() <= 3);
    }

    #[test]
    fn a_clock_that_is_adjusted_slowly_stays_trusted() {
        let mut room = Room::new();
        room.pass(61);
        for _ in 0..100 {
            room.time += SignedDuration::from_millis(500);
            assert_eq!(room.pass(1), 1);
        }
    }
}
