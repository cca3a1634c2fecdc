//! When bytes are through on a line of a given speed, in either direction: the line is half duplex, so every byte
//! waits for those before it. Pure arithmetic; the time is passed in.

use std::time::{Duration, Instant};

use opendcre_devicebus::wire_time;

/// A half-duplex line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Bits per second; zero for a line that takes no time.
    baud: u32,
    free_at: Option<Instant>,
}

impl Line {
    /// A silent line of `baud` bits per second, or one on which bytes take no time.
    #[must_use]
    pub fn new(baud: Option<u32>) -> Self {
        Self { baud: baud.unwrap_or(0), free_at: None }
    }

    /// Forgets what is on the line, because nobody is at its other end any more.
    pub const fn clear(&mut self) {
        self.free_at = None;
    }

    /// When the line becomes free: `now`, or when the bytes that were put on it before are through.
    #[must_use]
    pub fn free_at(&self, now: Instant) -> Instant {
        self.free_at.map_or(now, |free_at| free_at.max(now))
    }

    /// Takes note that the other side began at `now` to send `length` bytes. They count as received when the line is
    /// free again.
    pub fn receive(&mut self, length: usize, now: Instant) {
        let begins = self.free_at(now);
        self.free_at = later(begins, wire_time(length, self.baud));
    }

    /// Plans to send `length` bytes, to begin `delay` after the line has become free.
    pub fn send(&mut self, length: usize, delay: Duration, now: Instant) -> Transmission {
        let free_at = self.free_at(now);
        let begins = later(free_at, delay).unwrap_or(free_at);
        self.free_at = later(begins, wire_time(length, self.baud));
        Transmission { begins, length, baud: self.baud }
    }
}

/// `None` for a time too far away for the clock, which no plan is worth waiting for.
fn later(instant: Instant, by: Duration) -> Option<Instant> {
    instant.checked_add(by)
}

/// The plan by which bytes leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmission {
    begins: Instant,
    length: usize,
    baud: u32,
}

impl Transmission {
    /// When the byte after the first `sent` bytes is through; `None` when there is none.
    #[must_use]
    pub fn next_at(&self, sent: usize) -> Option<Instant> {
        let is_left = sent < self.length;
        is_left.then(|| later(self.begins, wire_time(sent.saturating_add(1), self.baud))).flatten()
    }

    /// How many bytes are through at `now`, if `sent` were before.
    #[must_use]
    pub fn due(&self, sent: usize, now: Instant) -> usize {
        let is_due = |count: &usize| self.next_at(*count).is_some_and(|at| at <= now);
        (sent..self.length).take_while(is_due).last().map_or(sent, |last| last.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAUD: u32 = 115_200;

    fn wire(bytes: u64) -> Duration {
        Duration::from_nanos(bytes * 10 * 1_000_000_000 / u64::from(BAUD))
    }

    #[test]
    fn a_request_is_received_when_its_last_byte_is_through() {
        let start = crate::clock::now();
        let mut line = Line::new(Some(BAUD));
        line.receive(13, start);
        assert_eq!(line.free_at(start), start + wire(13));
        line.receive(2, start + Duration::from_micros(50));
        assert_eq!(line.free_at(start) - start, wire(13) + wire(2), "bytes queue up");
        let later = start + Duration::from_secs(1);
        assert_eq!(line.free_at(later), later);
    }

    #[test]
    fn every_byte_of_a_reply_leaves_when_it_is_through() {
        let start = crate::clock::now();
        let mut line = Line::new(Some(BAUD));
        line.receive(13, start);
        let reply = line.send(15, Duration::from_millis(2), start);
        let begins = start + wire(13) + Duration::from_millis(2);
        for sent in 0..15 {
            assert_eq!(reply.next_at(sent), Some(begins + wire(sent as u64 + 1)));
        }
        assert_eq!(reply.next_at(15), None);
        assert_eq!(reply.due(0, begins), 0);
        assert_eq!(reply.due(0, begins + wire(1)), 1);
        assert_eq!(reply.due(1, begins + wire(7)), 7);
        assert_eq!(reply.due(7, begins + Duration::from_secs(1)), 15);
        assert_eq!(line.free_at(start), begins + wire(15));
    }

    #[test]
    fn answers_follow_each_other_without_a_gap() {
        let start = crate::clock::now();
        let mut line = Line::new(Some(9600));
        let first = line.send(13, Duration::ZERO, start);
        let second = line.send(13, Duration::ZERO, start);
        assert_eq!(first.next_at(12).unwrap() + wire_time(1, 9600), second.next_at(0).unwrap());
    }

    #[test]
    fn without_a_speed_nothing_takes_time() {
        let start = crate::clock::now();
        let mut line = Line::new(None);
        line.receive(500, start);
        let reply = line.send(500, Duration::ZERO, start);
        assert_eq!(reply.due(0, start), 500);
        assert_eq!(line.free_at(start), start);
    }

    #[test]
    fn a_delay_beyond_the_clock_is_no_delay() {
        let start = crate::clock::now();
        let reply = Line::new(None).send(3, Duration::MAX, start);
        assert_eq!(reply.due(0, start), 3);
    }
}
