//! How long a destination that failed is left alone. It is pure.

use std::time::Duration;

/// How long a destination that failed is left alone: twice as long after each failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
}

impl Default for BackOff {
    /// One second, and at most five minutes.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(300) }
    }
}

impl BackOff {
    /// The pause after so many failures in a row. `jitter` is any number; it takes up to half of the pause away, so that
    /// many who failed at once do not come back at once.
    pub(crate) fn pause(&self, failures: u32, jitter: u8) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        let half = whole / 2;
        whole - half * u32::from(jitter) / u32::from(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_pause_up_to_the_longest() {
        let back_off = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
        let pauses: Vec<u64> = (1..=6).map(|failures| back_off.pause(failures, 0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!(back_off.pause(u32::MAX, 0), back_off.longest);
    }

    #[test]
    fn jitter_takes_up_to_half_of_it_away() {
        let back_off = BackOff::default();
        assert_eq!(back_off.pause(3, u8::MAX), Duration::from_secs(2));
        for jitter in 0..=u8::MAX {
            let pause = back_off.pause(3, jitter);
            assert!((Duration::from_secs(2)..=Duration::from_secs(4)).contains(&pause), "{pause:?}");
        }
    }
}
