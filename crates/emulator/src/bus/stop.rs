//! Tells a serving thread to end, at once even while it waits.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{retry_on_intr, write};

use super::emulated_bus::EmulatorError;

/// Once raised it stays raised. Clones are the same flag.
#[derive(Debug, Clone)]
pub struct StopFlag {
    /// Readable from the moment of raising on, because nobody ever reads it.
    event: Arc<OwnedFd>,
}

impl StopFlag {
    /// A flag that is not raised.
    ///
    /// # Errors
    /// [`EmulatorError::System`] if the process has no file descriptor left.
    pub fn new() -> Result<Self, EmulatorError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(EmulatorError::system("create an event to stop by"))?;
        Ok(Self { event: Arc::new(event) })
    }

    /// Raises the flag.
    pub fn stop(&self) {
        // Fails only when the event can count no further, and then the flag has long been raised.
        if let Err(error) = retry_on_intr(|| write(&*self.event, &1_u64.to_ne_bytes())) {
            tracing::debug!(%error, "stop flag is raised already");
        }
    }

    /// Waits until the flag is raised, at most for `timeout`, and says whether it is.
    pub(super) fn wait(&self, timeout: &Timespec) -> Result<bool, EmulatorError> {
        let mut events = [PollFd::new(&*self.event, PollFlags::IN)];
        let ready = match poll(&mut events, Some(timeout)) {
            // The caller looks at the clock again anyway.
            Err(rustix::io::Errno::INTR) => 0,
            other => other.map_err(EmulatorError::system("wait for time to pass"))?,
        };
        Ok(ready > 0)
    }
}

impl AsFd for StopFlag {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
