//! How much patience there is left with a client that is to take something.
//!
//! One rule for those who take nothing and those who take a byte now and then. It has no clock and no socket.

use std::time::Duration;

use tokio::time::Instant;

/// What a client must take to get a second of patience back, in bytes.
const BYTES_PER_SECOND: u32 = 1024;

/// The patience with one client. Time in which it takes nothing of what waits for it uses the patience up; what it takes
/// gives some back.
#[derive(Debug)]
pub(super) struct Pace {
    full: Duration,
    left: Duration,
    /// Since when something waits for the client.
    since: Option<Instant>,
}

impl Pace {
    pub(super) const fn new(patience: Duration) -> Self {
        Self { full: patience, left: patience, since: None }
    }

    /// Notes that something waits for the client, and says when the patience ends if that stays so.
    pub(super) fn waits(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.left
    }

    /// Notes that the client has taken so many bytes of what waited for it.
    pub(super) fn took(&mut self, bytes: u64, now: Instant) {
        let waited = self.since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let earned = Duration::from_millis(bytes.saturating_mul(1000)) / BYTES_PER_SECOND;
        self.left = self.left.saturating_sub(waited).saturating_add(earned).min(self.full);
    }

    /// Whether the client has nothing to make up for, so that what it takes need not be noted.
    pub(super) fn is_full(&self) -> bool {
        self.since.is_none() && self.left == self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// How long a client is served that takes so many bytes once in `every`.
    fn served(bytes: u64, every: Duration) -> Option<Duration> {
        let start = Instant::now();
        let (mut pace, mut now) = (Pace::new(PATIENCE), start);
        for _ in 0..100_000 {
            let end = pace.waits(now);
            now += every;
            if end <= now {
                return Some(end - start);
            }
            pace.took(bytes, now);
        }
        None
    }

    #[test]
    fn whoever_takes_nothing_is_served_as_long_as_the_patience_lasts() {
        assert_eq!(served(0, Duration::from_secs(1)), Some(PATIENCE));
        assert_eq!(served(0, Duration::from_secs(1000)), Some(PATIENCE));
    }

    #[test]
    fn whoever_takes_a_byte_now_and_then_is_hardly_served_longer() {
        let time = served(1, Duration::from_secs(1)).unwrap();
        assert!(time < PATIENCE + Duration::from_secs(2), "{time:?}");
    }

    #[test]
    fn whoever_is_slow_but_fast_enough_is_served_for_ever() {
        assert_eq!(served(1024, Duration::from_secs(1)), None);
        assert_eq!(served(29 * 1024, Duration::from_secs(29)), None);
        assert!(served(512, Duration::from_secs(1)).is_some());
    }

    #[test]
    fn nobody_can_save_patience_up() {
        let now = Instant::now();
        let mut pace = Pace::new(PATIENCE);
        pace.took(1 << 40, now);
        assert!(pace.is_full());
        assert_eq!(pace.waits(now), now + PATIENCE);
        assert!(!pace.is_full());
        pace.took(0, now + PATIENCE / 2);
        assert!(!pace.is_full());
        assert_eq!(pace.waits(now + PATIENCE), now + PATIENCE + PATIENCE / 2);
        pace.took(u64::MAX, now + PATIENCE);
        assert!(pace.is_full());
    }
}
