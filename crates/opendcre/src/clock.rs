//! The one place that asks the operating system for the time of day.

use std::time::SystemTime;

use jiff::Timestamp;
use opendcre_model::WallClock;

/// The clock of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 was never set; one beyond the year 9999 is no better.
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(Timestamp::MAX)
    }
}
