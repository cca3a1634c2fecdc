//! Which server of a directory is asked next.
//!
//! They are asked in the order of the configuration, beginning with the one that answered last. A server that is down is
//! left alone for a while that doubles each time. Time is passed in; nothing here asks anybody.

use std::time::Duration;

use tokio::time::Instant;

/// How long a server is left alone after it was found down for the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How long it is left alone at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The state of the servers, by their place in the configuration.
#[derive(Debug)]
pub(super) struct Failover {
    preferred: usize,
    pauses: Vec<Option<Pause>>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    length: Duration,
    until: Instant,
}

impl Failover {
    /// All of `count` servers are taken for alive.
    pub(super) fn new(count: usize) -> Self {
        Self { preferred: 0, pauses: vec![None; count] }
    }

    /// The servers to ask now, in that order.
    pub(super) fn candidates(&self, now: Instant) -> Vec<usize> {
        let count = self.pauses.len();
        let order = (self.preferred..count).chain(0..self.preferred);
        order.filter(|index| !self.is_paused(*index, now)).collect()
    }

    /// How long until the first of them is asked again, if all are left alone.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let ends = self.pauses.iter().flatten().map(|pause| pause.until.saturating_duration_since(now));
        ends.min().unwrap_or_default()
    }

    /// It has answered. Returns whether it was taken for down before.
    pub(super) fn answered(&mut self, index: usize) -> bool {
        self.preferred = index;
        self.pauses.get_mut(index).is_some_and(|pause| pause.take().is_some())
    }

    /// It is down. Returns whether it was taken for alive before.
    ///
    /// Several askers may find the same at once: only the first of them makes the pause longer.
    pub(super) fn failed(&mut self, index: usize, now: Instant) -> bool {
        if self.is_paused(index, now) {
            return false;
        }
        let Some(pause) = self.pauses.get_mut(index) else { return false };
        let length = pause.map_or(FIRST_PAUSE, |pause| (pause.length * 2).min(LONGEST_PAUSE));
        let until = now + length;
        pause.replace(Pause { length, until }).is_none()
    }

    fn is_paused(&self, index: usize, now: Instant) -> bool {
        self.pauses.get(index).copied().flatten().is_some_and(|pause| now < pause.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn remembers_who_answered_last() {
        let mut servers = Failover::new(3);
        assert_eq!(servers.candidates(Instant::now()), [0, 1, 2]);
        servers.answered(1);
        assert_eq!(servers.candidates(Instant::now()), [1, 2, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_the_dead_alone_for_longer_and_longer() {
        let mut servers = Failover::new(2);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let now = Instant::now();
            servers.failed(0, now);
            assert_eq!(servers.candidates(now), [1]);
            pauses.push(servers.wait(now).as_millis());
            tokio::time::advance(servers.wait(now)).await;
            assert_eq!(servers.candidates(Instant::now()), [0, 1]);
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_outage_counts_once() {
        let mut servers = Failover::new(1);
        let now = Instant::now();
        assert!(servers.failed(0, now));
        assert!((0..10).all(|_| !servers.failed(0, now)));
        assert_eq!(servers.wait(now), FIRST_PAUSE);
        assert!(servers.answered(0) && !servers.answered(0));
        assert!(servers.failed(0, now));
        assert_eq!(servers.wait(now), FIRST_PAUSE);
    }
}
