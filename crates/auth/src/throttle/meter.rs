//! How many attempts have failed lately, and how long the next one has to wait for that. It does not know of whom they
//! were.

use std::time::{Duration, Instant};

use super::Wait;

/// The pause after the first failure that costs one. It doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause of those that double.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// How many failures there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Before one of them has to be forgotten. With so many, there is one attempt after every pause.
    pub(super) failures: u32,
    /// How long it takes without any failure or pause until one is forgotten. With none left, no pause is shorter.
    pub(super) recovery: Duration,
    /// How many of them in a row cost no pause.
    pub(super) free: u32,
}

/// What was used of an [`Allowance`].
#[derive(Debug)]
pub(super) struct Meter {
    /// Failures that are not forgotten.
    failures: u32,
    /// Failures since there were none to forget.
    streak: u32,
    /// The end of the last pause.
    locked_until: Instant,
    /// The time from which on the next failure is being forgotten, not before the end of the last pause: not being
    /// allowed to fail is no merit.
    quiet_since: Instant,
    in_flight: u32,
}

impl Meter {
    pub(super) const fn new(now: Instant) -> Self {
        Self { failures: 0, streak: 0, locked_until: now, quiet_since: now, in_flight: 0 }
    }

    /// For what the next attempt has to wait.
    pub(super) fn wait(&mut self, allowance: &Allowance, now: Instant) -> Wait {
        self.recover(allowance, now);
        let pause = self.locked_until.saturating_duration_since(now);
        if pause > Duration::ZERO {
            Wait::Time(pause)
        } else if self.in_flight == 0 || self.failures.saturating_add(self.in_flight) < allowance.failures {
            Wait::Nothing
        } else {
            Wait::Attempt
        }
    }

    /// An attempt begins.
    pub(super) const fn begin(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// An attempt has ended.
    pub(super) const fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// An attempt has failed.
    pub(super) fn fail(&mut self, allowance: &Allowance, now: Instant) {
        self.recover(allowance, now);
        self.failures = self.failures.saturating_add(1);
        self.streak = self.streak.saturating_add(1);
        let mut pause = pause(self.streak.saturating_sub(allowance.free));
        if self.failures >= allowance.failures {
            pause = pause.max(allowance.recovery);
        }
        self.locked_until = self.locked_until.max(later(now, pause));
        self.quiet_since = self.locked_until;
    }

    /// Nothing that has failed counts any more.
    pub(super) const fn forgive(&mut self, now: Instant) {
        (self.failures, self.streak) = (0, 0);
        self.locked_until = now;
    }

    /// Failures in a row.
    pub(super) const fn streak(&self) -> u32 {
        self.streak
    }

    /// Whether attempts still run.
    pub(super) const fn is_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// Forgets what is old enough.
    fn recover(&mut self, allowance: &Allowance, now: Instant) {
        while self.failures > 0 && now.saturating_duration_since(self.quiet_since) >= allowance.recovery {
            self.failures -= 1;
            self.quiet_since = later(self.quiet_since, allowance.recovery);
        }
        if self.failures == 0 {
            self.streak = 0;
        }
    }
}

/// The pause after so many failures in a row that cost one.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
        }
    }
}

/// A time that cannot be told is as good as now: no machine runs for that long.
fn later(time: Instant, duration: Duration) -> Instant {
    time.checked_add(duration).unwrap_or(time)
}
