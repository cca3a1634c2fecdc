//! The time that a client has to send the header of its next request.
//!
//! The HTTP library begins such a time for every request. To enter each in the runtime's list and to take it out again is
//! to take a lock, which all connections share, twice for every request. Here a connection keeps one alarm in that list;
//! when it rings although the client was in time, it is set again for the request that is waited for then.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// What rings. It is always set for the time that is waited for, or for an earlier one.
type Alarm = Arc<Mutex<Pin<Box<time::Sleep>>>>;

/// Begins times for one connection, none of which ends before the one that was begun before it.
pub(crate) struct ConnectionTimer {
    alarm: Alarm,
}

/// A time that ends.
struct Deadline {
    at: time::Instant,
    alarm: Alarm,
}

impl ConnectionTimer {
    /// A timer of whose times the first takes this long, or longer.
    pub(crate) fn new(first: Duration) -> Self {
        Self { alarm: Arc::new(Mutex::new(Box::pin(time::sleep(first)))) }
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { at: deadline.into(), alarm: Arc::clone(&self.alarm) })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        while alarm.as_mut().poll(context).is_ready() {
            if alarm.deadline() >= self.at {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(self.at);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn every_request_has_its_whole_time() {
        let timer = ConnectionTimer::new(LIMIT);
        for seconds in [9, 0, 9, 1] {
            let in_time = Duration::from_secs(seconds);
            assert!(time::timeout(in_time, timer.sleep(LIMIT)).await.is_err(), "{seconds} s");
        }
        let begin = time::Instant::now();
        timer.sleep(LIMIT).await;
        assert_eq!(begin.elapsed(), LIMIT);
    }
}
