//! The one place that asks the operating system for the time of day, and whether that can be right.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use opendcre_gateway::{Defect, Part};
use opendcre_model::WallClock;

/// The clock of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 was never set; one beyond the year 9999 is no better.
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        let nanoseconds = since_epoch.subsec_nanos().cast_signed();
        Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::MAX)
    }
}

/// When the program was made, or a while before; 1970 if nobody knows.
pub(crate) fn built() -> Timestamp {
    let seconds = env!("OPENDCRE_BUILT").parse().ok();
    seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Tells of a clock that shows a time before the program was made, so that it was never set.
pub(crate) struct ClockWatch(pub(crate) Arc<dyn WallClock>);

impl Part for ClockWatch {
    fn defects(&self) -> Vec<Defect> {
        let (now, built) = (self.0.now(), built());
        if now >= built {
            return Vec::new();
        }
        let message = format!(
            "the clock of this machine shows {now:.0}, which is before this program was made, {built}: times in records are \
             wrong, and logins may fail; set the clock, or let it be set (NTP)"
        );
        vec![Defect { name: "clock".to_owned(), code: "clock_unset", message }]
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    struct At(Timestamp);

    impl WallClock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[test]
    fn a_clock_from_before_the_program_was_made_is_not_set() {
        let codes = |time| {
            let defects = ClockWatch(Arc::new(At(time))).defects();
            defects.into_iter().map(|defect| defect.code).collect::<Vec<_>>()
        };
        assert!(codes(built()).is_empty());
        let before = built().checked_sub(SignedDuration::from_secs(1)).unwrap();
        assert_eq!(codes(before), ["clock_unset"]);
    }
}
