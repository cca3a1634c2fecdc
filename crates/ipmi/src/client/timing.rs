//! How long to wait for an answer.

use std::time::{Duration, Instant};

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The first wait for an answer of a BMC whose speed is not known, and for every answer while a session begins.
    pub first: Duration,
    /// The shortest first wait, however fast the BMC is.
    pub floor: Duration,
    /// The longest wait.
    pub ceiling: Duration,
    /// How often a datagram is sent before the BMC counts as silent, at least once.
    pub tries: u8,
    /// How long to wait for the answer to a request that is sent only once.
    pub control: Duration,
}

impl Default for Timing {
    /// One second and then doubling, four times; 250 ms for a BMC that is known to be fast; ten seconds for control.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            floor: Duration::from_millis(250),
            ceiling: Duration::from_secs(4),
            tries: 4,
            control: Duration::from_secs(10),
        }
    }
}

/// A datagram that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    /// When it was first sent.
    pub(super) began: Instant,
    /// When to give up waiting for this try.
    pub(super) due: Instant,
    wait: Duration,
    tries: u8,
}

impl Attempt {
    pub(super) fn new(now: Instant, wait: Duration) -> Self {
        Self { began: now, due: now + wait, wait, tries: 1 }
    }

    /// Whether the answer can only be that to the first try.
    pub(super) const fn is_first(&self) -> bool {
        self.tries == 1
    }

    /// Begins the next try with a longer wait; nothing when there were enough.
    #[must_use]
    pub(super) fn again(self, now: Instant, timing: &Timing) -> Option<Self> {
        let wait = (self.wait * 2).min(timing.ceiling);
        (self.tries < timing.tries).then(|| Self { due: now + wait, wait, tries: self.tries + 1, ..self })
    }
}

/// The time that a BMC takes to answer, as measured (RFC 6298 §2). Only answers to a first try are measured, because
/// of the others it is unknown which try they answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    smoothed: Option<Duration>,
    variation: Duration,
}

impl Latency {
    /// The smoothed time; nothing before the first answer.
    #[must_use]
    pub const fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    pub(super) fn measure(&mut self, time: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(time);
                self.variation = time / 2;
            }
            Some(smoothed) => {
                self.variation = (self.variation * 3 + smoothed.abs_diff(time)) / 4;
                self.smoothed = Some((smoothed * 7 + time) / 8);
            }
        }
    }

    /// How long to wait for the next answer.
    pub(super) fn wait(&self, timing: &Timing) -> Duration {
        let wait = self.smoothed.map_or(timing.first, |smoothed| smoothed + self.variation * 4);
        wait.clamp(timing.floor, timing.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_bmc_within_bounds() {
        let timing = Timing::default();
        let mut latency = Latency::default();
        assert_eq!(latency.wait(&timing), timing.first);
        latency.measure(Duration::from_millis(5));
        assert_eq!(latency.wait(&timing), timing.floor);
        for _ in 0..64 {
            latency.measure(Duration::from_millis(900));
        }
        let wait = latency.wait(&timing);
        assert!((Duration::from_millis(850)..Duration::from_millis(1100)).contains(&wait), "{wait:?}");
        for _ in 0..64 {
            latency.measure(Duration::from_secs(30));
        }
        assert_eq!(latency.wait(&timing), timing.ceiling);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn tries_double_and_end() {
        let timing = Timing { tries: 3, ceiling: Duration::from_secs(3), ..Timing::default() };
        let now = Instant::now();
        let first = Attempt::new(now, Duration::from_secs(1));
        let second = first.again(first.due, &timing).unwrap();
        let third = second.again(second.due, &timing).unwrap();
        assert_eq!(third.due - now, Duration::from_secs(1 + 2 + 3));
        assert!(third.again(third.due, &timing).is_none());
        assert!(first.is_first() && !second.is_first());
    }
}
