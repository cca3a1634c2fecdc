//! Looking at the files every now and then.
//!
//! Their contents are compared, not their times: links that are switched and copies that keep the time are noticed, too.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Tls, TlsError};

/// Reads the files of `tls` again whenever they have changed, until `stop` is cancelled.
pub(super) async fn watch(tls: Arc<Tls>, interval: Duration, stop: &CancellationToken) {
    let mut complained = None;
    while stop.run_until_cancelled(sleep(interval)).await.is_some() {
        let looking = Arc::clone(&tls);
        let Ok(outcome) = spawn_blocking(move || looking.refresh()).await else { return };
        report(&tls, outcome, &mut complained);
        tls.warn_of_lists();
    }
}

/// Logs what has changed, and each error once.
fn report(tls: &Tls, outcome: Result<bool, TlsError>, complained: &mut Option<String>) {
    match outcome {
        Ok(true) => {
            *complained = None;
            tracing::info!(fingerprint = tls.fingerprint(), "the files for TLS have changed and are in use");
        }
        Ok(false) => {}
        Err(error) => {
            let error = error.to_string();
            if complained.as_ref() != Some(&error) {
                tracing::error!(
                    error,
                    "the files for TLS have changed, but cannot be used; the old ones stay in force"
                );
            }
            *complained = Some(error);
        }
    }
}
