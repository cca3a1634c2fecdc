//! Spoils answers on purpose: seeded, so that the same requests meet the same faults again. Bytes in, bytes and delays
//! out; no I/O, no clock.

use std::time::Duration;

use crate::random::SplitMix64;

/// A stretch of silence lasts at most so many requests.
const MAX_SILENCE: u64 = 5;
/// Stray bytes before an answer are at most so many.
const MAX_NOISE: u64 = 8;

/// How often which fault happens, each to every answer on its own: a share from 0 (never, also for anything that is
/// no number) to 1 (always).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultPlan {
    /// Where the random numbers begin. The same seed brings the same faults.
    pub seed: u64,
    /// The answer is lost.
    pub drop: f64,
    /// Bits of one byte are flipped.
    pub corrupt: f64,
    /// The answer comes late, by up to `delay_max`.
    pub delay: f64,
    /// The longest delay.
    pub delay_max: Duration,
    /// The answer is sent twice.
    pub duplicate: f64,
    /// Up to eight stray bytes come before the answer.
    pub noise: f64,
    /// The answer breaks off after at least its first byte.
    pub truncate: f64,
    /// This and up to four further requests stay unanswered. Unlike the others decided for each request, not for
    /// each answer.
    pub silence: f64,
}

impl Default for FaultPlan {
    /// No faults.
    fn default() -> Self {
        Self {
            seed: 1,
            drop: 0.0,
            corrupt: 0.0,
            delay: 0.0,
            delay_max: Duration::from_millis(50),
            duplicate: 0.0,
            noise: 0.0,
            truncate: 0.0,
            silence: 0.0,
        }
    }
}

/// What goes on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedAnswer {
    /// How long the line stays quiet before.
    pub delay: Duration,
    /// The bytes to send.
    pub bytes: Vec<u8>,
}

/// Spoils answers as a plan says.
#[derive(Debug, Clone)]
pub struct Faults {
    plan: FaultPlan,
    random: SplitMix64,
    /// So many further requests stay unanswered.
    silent_requests: u64,
}

impl Faults {
    /// Begins with the seed of the plan.
    #[must_use]
    pub const fn new(plan: FaultPlan) -> Self {
        Self { plan, random: SplitMix64::new(plan.seed), silent_requests: 0 }
    }

    /// Spoils the answers to one request. Call it for every request, answered or not.
    pub fn apply(&mut self, answers: Vec<Vec<u8>>) -> Vec<TimedAnswer> {
        if self.is_silent() {
            return Vec::new();
        }
        let mut spoiled = Vec::with_capacity(answers.len());
        for bytes in answers {
            self.spoil(bytes, &mut spoiled);
        }
        spoiled
    }

    fn is_silent(&mut self) -> bool {
        if self.silent_requests == 0 && self.random.happens(self.plan.silence) {
            self.silent_requests = 1 + self.random.below(MAX_SILENCE);
        }
        let is_silent = self.silent_requests > 0;
        self.silent_requests = self.silent_requests.saturating_sub(1);
        is_silent
    }

    fn spoil(&mut self, mut bytes: Vec<u8>, spoiled: &mut Vec<TimedAnswer>) {
        let plan = self.plan;
        if self.random.happens(plan.drop) {
            return;
        }
        if self.random.happens(plan.corrupt) {
            self.flip_bits(&mut bytes);
        }
        if self.random.happens(plan.truncate) {
            let kept = 1 + self.random.index(bytes.len().saturating_sub(1));
            bytes.truncate(kept);
        }
        if self.random.happens(plan.noise) {
            let count = 1 + self.random.below(MAX_NOISE);
            let noise: Vec<u8> = (0..count).map(|_| self.random.byte()).collect();
            bytes.splice(..0, noise);
        }
        let delay = match self.random.happens(plan.delay) {
            true => self.random.duration(plan.delay_max),
            false => Duration::ZERO,
        };
        if self.random.happens(plan.duplicate) {
            spoiled.push(TimedAnswer { delay, bytes: bytes.clone() });
        }
        spoiled.push(TimedAnswer { delay, bytes });
    }

    fn flip_bits(&mut self, bytes: &mut [u8]) {
        let index = self.random.index(bytes.len());
        let flipped = self.random.byte().max(1);
        if let Some(byte) = bytes.get_mut(index) {
            *byte ^= flipped;
        }
    }
}
