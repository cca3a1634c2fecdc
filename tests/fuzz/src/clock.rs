//! Where virtual time begins.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time must begin somewhere, and nothing else makes an instant"
)]
pub(crate) fn some_instant() -> Instant {
    Instant::now()
}
