//! Whether polls of a BMC will come again soon, so that its session is worth keeping. Pure bookkeeping: time is passed in.
//!
//! To keep a session costs one command within the time after which BMCs forget it; to begin another one costs seven, and
//! many BMCs write each login to their logs. So a session is kept where polls come less often than that, but not so seldom
//! that keeping it costs more.

use std::time::{Duration, Instant};

/// The longest pause over which a session is kept: six commands, with sessions that are forgotten after a minute.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// When polls came, and after what pauses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rhythm {
    last: Option<Instant>,
    /// The last pause in which the session was not used for so long that it had to be kept; zero before the first, and if
    /// that was too long.
    pause: Duration,
}

impl Rhythm {
    /// Notes that a poll came. `idle_time` is how long a session may stay without use.
    pub(super) fn on_poll(&mut self, idle_time: Duration, now: Instant) {
        let pause = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        if pause > idle_time {
            self.pause = if pause <= LONGEST { pause } else { Duration::ZERO };
        }
        self.last = Some(now);
    }

    /// Whether the next poll is still to be expected at `time`: it may come a quarter later than the one before.
    pub(super) fn expects_at(&self, time: Instant) -> bool {
        self.last.is_some_and(|last| last + self.pause + self.pause / 4 > time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(50);

    fn at(seconds: u64) -> Instant {
        tokio::time::Instant::now().into_std() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn polls_are_expected_after_the_pause_of_last_time() {
        let mut rhythm = Rhythm::default();
        rhythm.on_poll(IDLE, at(0));
        assert!(!rhythm.expects_at(at(50)), "nobody knows yet whether another one comes");
        rhythm.on_poll(IDLE, at(60));
        rhythm.on_poll(IDLE, at(61));
        assert!(rhythm.expects_at(at(61 + 74)) && !rhythm.expects_at(at(61 + 75)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_session_is_kept_for_polls_that_come_often_or_seldom() {
        let mut often = Rhythm::default();
        let mut seldom = Rhythm::default();
        for round in 0..10 {
            often.on_poll(IDLE, at(round * 30));
            seldom.on_poll(IDLE, at(round * 301));
        }
        assert!(!often.expects_at(at(9 * 30 + 1)));
        assert!(!seldom.expects_at(at(9 * 301 + 1)));
    }
}
