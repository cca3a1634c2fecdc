//! The clock of the runtime, which tests can stop.

use std::time::Instant;

use tokio::time;

/// The present moment.
pub(crate) fn now() -> Instant {
    time::Instant::now().into_std()
}

/// Waits until `deadline`; without one, for ever.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
