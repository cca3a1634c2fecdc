//! Whether a BMC can be used, as far as is known.
//!
//! A BMC that did not answer, or did not let us in, is not bothered with every request that comes for it: they are
//! answered from knowledge until it is time for another try, with growing waits between tries. A silent BMC is tried
//! without being asked for, so it heals by itself. One that refuses our password is only tried when somebody asks:
//! many BMCs lock a user out after a few wrong passwords.
//!
//! Who asks for a silent BMC when half of the wait has passed is answered from knowledge, too, but brings the next try
//! forward. So a BMC that people care about is back soon after a short outage.

use std::time::{Duration, Instant};

use opendcre_ipmi::client::Failure;

use super::config::BackOff;
use super::error::Problem;

/// What is known of one BMC.
#[derive(Debug)]
pub(super) struct Standing {
    state: State,
    since: Instant,
}

#[derive(Debug)]
enum State {
    Unknown,
    Up,
    Down(Box<Trouble>),
}

#[derive(Debug)]
struct Trouble {
    failure: Failure,
    /// How often it has failed in a row.
    tries: u32,
    tried_at: Instant,
    retry_at: Instant,
}

impl Standing {
    /// Nothing is known yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self { state: State::Unknown, since: now }
    }

    /// It answered.
    pub(super) fn on_answer(&mut self, now: Instant) {
        if !matches!(self.state, State::Up) {
            *self = Self { state: State::Up, since: now };
        }
    }

    /// A whole attempt failed. `jitter` is any number; it spreads the tries of many BMCs that failed at once.
    pub(super) fn on_failure(&mut self, failure: Failure, back_off: &BackOff, jitter: u8, now: Instant) {
        let tries = match &self.state {
            State::Down(trouble) => trouble.tries.saturating_add(1),
            State::Unknown | State::Up => {
                self.since = now;
                0
            }
        };
        let retry_at = now + wait(tries, back_off, jitter);
        self.state = State::Down(Box::new(Trouble { failure, tries, tried_at: now, retry_at }));
    }

    /// The answer to a request that need not be sent, because it is known what would come of it.
    pub(super) fn refusal(&mut self, now: Instant) -> Option<Problem> {
        let since = self.since;
        let State::Down(trouble) = &mut self.state else { return None };
        let is_silent = trouble.failure.is_silence();
        if !is_silent && trouble.retry_at <= now {
            return None;
        }
        if is_silent && trouble.retry_at - trouble.tried_at <= (now - trouble.tried_at) * 2 {
            trouble.retry_at = trouble.retry_at.min(now);
        }
        Some(Problem::Known {
            failure: trouble.failure.clone(),
            lasted: now.saturating_duration_since(since),
            retry_in: trouble.retry_at.saturating_duration_since(now),
        })
    }

    /// When it is tried without being asked for.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        match &self.state {
            State::Down(trouble) if trouble.failure.is_silence() => Some(trouble.retry_at),
            _ => None,
        }
    }

    /// Why it cannot be used.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Down(trouble) => Some(&trouble.failure),
            State::Unknown | State::Up => None,
        }
    }

    /// Whether it answered when it was asked last.
    pub(super) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    /// Since when it is as it is.
    pub(super) const fn since(&self) -> Instant {
        self.since
    }
}

/// The wait after so many failures, between three and five quarters of the nominal one.
fn wait(tries: u32, back_off: &BackOff, jitter: u8) -> Duration {
    let nominal = back_off.first.saturating_mul(1 << tries.min(16)).min(back_off.last);
    nominal * (384 + u32::from(jitter)) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    const JITTER: u8 = 128;

    fn start() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn fail(standing: &mut Standing, failure: Failure, now: Instant) {
        standing.on_failure(failure, &BackOff::default(), JITTER, now);
    }

    #[test]
    fn waits_double_up_to_the_last_and_are_spread() {
        let back_off = BackOff::default();
        let waits: Vec<Duration> = (0..8).map(|tries| wait(tries, &back_off, JITTER)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60].map(seconds));
        assert_eq!(wait(0, &back_off, 0), Duration::from_millis(750));
        assert!(wait(u32::MAX, &back_off, u8::MAX) < seconds(75));
    }

    #[test]
    fn a_silent_bmc_is_answered_for_and_tried_by_itself() {
        let now = start();
        let mut standing = Standing::new(now);
        assert_eq!(standing.refusal(now), None);
        fail(&mut standing, Failure::Silent { sent: false }, now);
        fail(&mut standing, Failure::Silent { sent: false }, now + seconds(5));
        let known = Problem::Known {
            failure: Failure::Silent { sent: false },
            lasted: Duration::from_millis(5500),
            retry_in: Duration::from_millis(1500),
        };
        assert_eq!(standing.refusal(now + Duration::from_millis(5500)), Some(known));
        assert_eq!(standing.probe_at(), Some(now + seconds(7)));
        standing.on_answer(now + seconds(7));
        assert_eq!((standing.refusal(now + seconds(7)), standing.probe_at()), (None, None));
        assert_eq!(standing.since(), now + seconds(7));
    }

    #[test]
    fn who_asks_after_half_of_the_wait_brings_the_try_forward() {
        let now = start();
        let mut standing = Standing::new(now);
        fail(&mut standing, Failure::Silent { sent: false }, now);
        let half = now + Duration::from_millis(500);
        assert!(standing.refusal(half).is_some());
        assert_eq!(standing.probe_at(), Some(half));
        assert!(standing.refusal(now + seconds(3)).is_some(), "the try itself is not waited for");
    }

    #[test]
    fn a_refused_password_is_tried_again_only_when_somebody_asks() {
        let now = start();
        let mut standing = Standing::new(now);
        fail(&mut standing, Failure::WrongPassword, now);
        assert!(standing.refusal(now + Duration::from_millis(900)).is_some());
        assert_eq!(standing.probe_at(), None);
        assert_eq!(standing.refusal(now + seconds(1)), None);
    }
}
