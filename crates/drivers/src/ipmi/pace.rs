//! How fast one BMC is asked: the pause between commands.
//!
//! The pause is nothing as long as all goes well, doubles with every sign of trouble and halves with every success.

use std::time::{Duration, Instant};

use super::config::Pacing;

/// The pace of one BMC.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    pause: Duration,
    /// When the pause after the last command ends.
    ready_at: Option<Instant>,
}

impl Pace {
    /// An answer came.
    pub(super) fn on_success(&mut self, pacing: &Pacing, now: Instant) {
        let halved = self.pause / 2;
        self.rest(if halved < pacing.first { pacing.floor } else { halved }, now);
    }

    /// No answer came, or one that says that the BMC is overburdened.
    pub(super) fn on_trouble(&mut self, pacing: &Pacing, now: Instant) {
        self.rest((self.pause * 2).clamp(pacing.first, pacing.ceiling), now);
    }

    fn rest(&mut self, pause: Duration, now: Instant) {
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
            pace.on_success(&pacing, now);
            pace.pause()
        })
        .take(8)
        .collect();
        let shrinking = [500_000, 250_000, 125_000, 62_500, 31_250, 15_625, 0, 0];
        assert_eq!(shrunk, shrinking.map(Duration::from_micros));
        assert_eq!(pace.ready_at(now), None);
    }
}
