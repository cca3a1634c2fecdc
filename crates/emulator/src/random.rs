//! Pseudo-random numbers from a seed, for faults and for everything that differs between emulated machines. Nothing
//! here is a secret: whoever knows the seed knows the numbers.

use std::time::Duration;

/// The SplitMix64 generator of pseudo-random numbers: small, and the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    /// Begins with a seed. The same seed brings the same numbers.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Begins with a seed for one of many, so that they go different ways.
    pub(crate) fn for_index(seed: u64, index: u32) -> Self {
        let mut first = Self(seed.wrapping_add(u64::from(index)));
        Self(first.next() ^ u64::from(index).rotate_left(32))
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; zero for a limit of zero. The bias of the division does not matter for faults.
    pub(crate) const fn below(&mut self, limit: u64) -> u64 {
        match self.next().checked_rem(limit) {
            Some(number) => number,
            None => 0,
        }
    }

    /// An index below `length`; zero for a length of zero.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(limit)).unwrap_or(0)
    }

    /// A byte.
    pub(crate) const fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    /// Whether an event of this probability happens.
    pub(crate) fn happens(&mut self, rate: f64) -> bool {
        let bits = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        let share = f64::from(bits) / (f64::from(u32::MAX) + 1.0);
        share < rate
    }

    /// A duration up to and including `max`.
    pub(crate) fn duration(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(max.saturating_add(1)))
    }

    /// So many bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }
}
