//! How fast one BMC is asked: the pause between commands.
//!
//! The pause is nothing as long as all goes well, doubles with every sign of trouble and halves with every success. A
//! BMC that takes long for its answers gets time to breathe in any case.

use std::time::{Duration, Instant};

use super::config::Pacing;

/// Who answers within this time is not strained.
const AT_EASE: Duration = Duration::from_millis(20);

/// The pace of one BMC.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    pause: Duration,
    /// When the pause after the last command ends.
    ready_at: Option<Instant>,
}

impl Pace {
    /// An answer came.
    ///
    /// `latency` is how long the BMC usually takes.
    pub(super) fn on_success(&mut self, pacing: &Pacing, latency: Option<Duration>, now: Instant) {
        let halved = self.pause / 2;
        let pause = if halved < pacing.first { Duration::ZERO } else { halved };
        self.rest(pause.max(breath(latency)), pacing, now);
    }

    /// No answer came, or one that says that the BMC is overburdened.
    pub(super) fn on_trouble(&mut self, pacing: &Pacing, now: Instant) {
        self.rest((self.pause * 2).max(pacing.first), pacing, now);
    }

    fn rest(&mut self, pause: Duration, pacing: &Pacing, now: Instant) {
        let pause = pause.min(pacing.ceiling).max(pacing.floor);
        self.pause = pause;
        self.ready_at = (!pause.is_zero()).then(|| now + pause);
    }

    /// When the next command may be sent, unless at once.
    pub(super) fn ready_at(&self, now: Instant) -> Option<Instant> {
        self.ready_at.filter(|ready_at| *ready_at > now)
    }

    /// The pause between commands now.
    pub(super) const fn pause(&self) -> Duration {
        self.pause
    }
}

/// The shortest pause for a BMC that takes so long: an eighth of it.
fn breath(latency: Option<Duration>) -> Duration {
    latency.filter(|latency| *latency > AT_EASE).map_or(Duration::ZERO, |latency| latency / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn the_pause_doubles_to_the_ceiling_and_halves_to_nothing() {
        let (pacing, now) = (Pacing::default(), tokio::time::Instant::now().into_std());
        let mut pace = Pace::default();
        let grown: Vec<Duration> = std::iter::repeat_with(|| {
            pace.on_trouble(&pacing, now);
            pace.pause()
        })
        .take(9)
        .collect();
        assert_eq!(grown, [10, 20, 40, 80, 160, 320, 640, 1000, 1000].map(ms));
        assert_eq!(pace.ready_at(now), Some(now + ms(1000)));
        assert_eq!(pace.ready_at(now + ms(1000)), None);
        let shrunk: Vec<Duration> = std::iter::repeat_with(|| {
            pace.on_success(&pacing, Some(ms(1)), now);
            pace.pause()
        })
        .take(8)
        .collect();
        let shrinking = [500_000, 250_000, 125_000, 62_500, 31_250, 15_625, 0, 0];
        assert_eq!(shrunk, shrinking.map(Duration::from_micros));
        assert_eq!(pace.ready_at(now), None);
    }

    #[test]
    fn the_floor_is_kept_and_every_setting_is_possible() {
        let now = tokio::time::Instant::now().into_std();
        for (floor, ceiling) in [(0, 0), (0, 5), (400, 400), (400, 1000), (5000, 1)] {
            let pacing = Pacing { floor: ms(floor), first: ms(10), ceiling: ms(ceiling) };
            let mut pace = Pace::default();
            for _ in 0..5 {
                pace.on_trouble(&pacing, now);
                assert!(pace.pause() >= ms(floor) && pace.pause() <= ms(ceiling.max(floor)));
            }
            for _ in 0..20 {
                pace.on_success(&pacing, None, now);
                assert!(pace.pause() >= ms(floor));
            }
            assert_eq!(pace.pause(), ms(floor));
        }
    }

    #[test]
    fn a_slow_bmc_gets_time_to_breathe() {
        let (pacing, now) = (Pacing::default(), tokio::time::Instant::now().into_std());
        let mut pace = Pace::default();
        pace.on_success(&pacing, Some(ms(20)), now);
        assert_eq!(pace.pause(), ms(0));
        pace.on_success(&pacing, Some(ms(800)), now);
        assert_eq!(pace.pause(), ms(100));
        pace.on_success(&pacing, Some(ms(60_000)), now);
        assert_eq!(pace.pause(), pacing.ceiling);
    }
}
