//! The samples of one series that are not in a chunk on the disk yet: encoded, because there are many such series.

use super::bits::Input;
use super::chunk::{self, ChunkError, Datum};
use super::rollup::Resolution;

/// How many samples wait to be encoded together. More take more memory until then, fewer more bytes afterwards.
const BLOCK: usize = 16;

/// After so many blocks, all are made one, which is smaller.
const MOST_BLOCKS: u8 = 8;

/// Samples of one period of [`Resolution::Raw`], in the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The number of the period since 1970.
    pub(super) period: i64,
    /// The row of the log that holds the first of them, or an earlier one.
    pub(super) first_row: u64,
    /// How many samples there are.
    pub(super) count: usize,
    /// Samples, encoded one block after the other.
    blocks: Vec<u8>,
    block_count: u8,
    /// The newest samples.
    tail: Vec<Datum>,
}

impl Window {
    pub(super) const fn new(period: i64, first_row: u64) -> Self {
        Self { period, first_row, count: 0, blocks: Vec::new(), block_count: 0, tail: Vec::new() }
    }

    /// When the period begins, in milliseconds since 1970.
    pub(super) const fn start(&self) -> i64 {
        self.period.saturating_mul(Resolution::Raw.period())
    }

    pub(super) fn push(&mut self, sample: Datum) {
        self.count += 1;
        self.tail.push(sample);
        if self.tail.len() >= BLOCK {
            self.encode();
        }
    }

    /// All samples, in the order in which they came.
    pub(super) fn samples(&self) -> Result<Vec<Datum>, ChunkError> {
        let mut samples = Vec::with_capacity(self.count);
        let mut input = Input::new(&self.blocks);
        while !input.is_empty() {
            samples.extend(chunk::take(self.start(), &mut input)?);
        }
        samples.extend(&self.tail);
        Ok(samples)
    }

    /// What it takes of the memory, in bytes.
    pub(super) const fn size(&self) -> usize {
        size_of::<Self>() + self.blocks.capacity() + self.tail.capacity() * size_of::<Datum>()
    }

    fn encode(&mut self) {
        let block = chunk::encode(self.start(), &self.tail);
        if self.block_count + 1 >= MOST_BLOCKS
            && let Ok(samples) = self.samples()
            && samples.len() <= chunk::MOST_POINTS
        {
            self.blocks = chunk::encode(self.start(), &samples);
            self.block_count = 1;
        } else {
            self.blocks.reserve_exact(block.len());
            self.blocks.extend(block);
            self.block_count = self.block_count.saturating_add(1);
        }
        self.tail.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_there_in_its_order_and_small() {
        let period = 1_700_000_000_000_i64.div_euclid(Resolution::Raw.period());
        let mut window = Window::new(period, 0);
        let sample = |step: i64| Datum {
            time: window_start(period) + step * 30_000 + step * 7 % 16,
            value: f64::from(i32::try_from(215 + (step / 3) % 5).unwrap()) / 10.0,
        };
        let samples: Vec<Datum> = (0..240).map(sample).collect();
        for (index, sample) in samples.iter().enumerate() {
            window.push(*sample);
            assert_eq!(window.samples().unwrap(), samples[..=index]);
        }
        assert_eq!(window.count, 240);
        assert!(window.size() <= 850, "{}", window.size());
    }

    fn window_start(period: i64) -> i64 {
        Window::new(period, 0).start()
    }
}
