//! Serves the BMC while something else is waited for. It knows neither questions nor answers.

use std::pin::{Pin, pin};

use opendcre_drivers::ipmi::BmcsOwner;
use tokio_util::sync::CancellationToken;

/// The sockets and the session of the BMC. Dropped, it sends nothing any more, not even to close the session.
pub(super) struct Service {
    /// Nothing once it has broken down.
    running: Option<Pin<Box<dyn Future<Output = ()>>>>,
    stop: CancellationToken,
}

impl Service {
    /// Nothing is sent yet.
    pub(super) fn new(owner: BmcsOwner) -> Self {
        let stop = CancellationToken::new();
        Self { running: Some(Box::pin(owner.run(stop.clone()))), stop }
    }

    /// Waits for `work`.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Some(running) = &mut self.running {
            tokio::select! {
                output = work.as_mut() => return output,
                () = running => {}
            }
            self.running = None;
        }
        // Whoever asks now is told that nobody serves.
        work.await
    }

    /// Closes the session, within a bounded time.
    pub(super) async fn close(self) {
        self.stop.cancel();
        if let Some(running) = self.running {
            running.await;
        }
    }
}
