//! The one place that reads clocks. An emulated line has a thread of its own and no runtime, so there
//! is no clock to pause; everything that computes with time takes it as an argument instead.

use std::time::{Instant, SystemTime};

/// The current time.
#[expect(
    clippy::disallowed_methods,
    reason = "the emulator has no tokio; tests in virtual time pass their own instants to the pure parts"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The current time in seconds since 1970, for clocks of emulated machines that show it.
#[expect(
    clippy::disallowed_methods,
    reason = "the emulator has no other clock; the pure parts get it as a number"
)]
pub(crate) fn unix_seconds() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
