//! The one place that reads the monotonic clock. An emulated line has a thread of its own and no runtime, so there
//! is no clock to pause; everything that computes with time takes it as an argument instead.

use std::time::Instant;

/// The current time.
#[expect(
    clippy::disallowed_methods,
    reason = "the emulator has no tokio; tests in virtual time pass their own instants to the pure parts"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
