//! A row of bits in memory to which bits are only added: in blocks that never move, because there are many rows that grow
//! in step, and whatever one of them moved away from would be too small for all others. It knows nothing of what the bits
//! mean.

use super::bits::{BitWriter, Rest};

/// What is added at once is seldom longer, in bytes.
const USUAL: usize = 16;

/// Bits in blocks of so many bytes, which are fewer than 256. Eight less than a power of two leave no gaps with what the
/// allocator adds.
#[derive(Debug, Clone)]
pub(super) struct Row<const BLOCK: usize> {
    blocks: Vec<Box<[u8; BLOCK]>>,
    /// How many bytes of the last block are used.
    used: u8,
    /// What follows the bytes.
    rest: Rest,
}

impl<const BLOCK: usize> Default for Row<BLOCK> {
    fn default() -> Self {
        Self { blocks: Vec::new(), used: 0, rest: Rest::default() }
    }
}

impl<const BLOCK: usize> Row<BLOCK> {
    /// Adds what `write` writes.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut BitWriter<'_>)) {
        let mut bytes = Vec::with_capacity(USUAL);
        let mut bits = BitWriter::resume(&mut bytes, self.rest);
        write(&mut bits);
        self.rest = bits.pause();
        bytes.into_iter().for_each(|byte| self.append(byte));
    }

    fn append(&mut self, byte: u8) {
        if self.length().is_multiple_of(BLOCK) {
            // Less than doubling: there are many rows.
            if self.blocks.len() == self.blocks.capacity() {
                self.blocks.reserve_exact(3.max(self.blocks.len() / 2));
            }
            self.blocks.push(Box::new([0; BLOCK]));
            self.used = 0;
        }
        if let Some(place) = self.blocks.last_mut().and_then(|block| block.get_mut(usize::from(self.used))) {
            *place = byte;
        }
        self.used += 1;
    }

    /// How many whole bytes there are.
    fn length(&self) -> usize {
        self.blocks.len().saturating_sub(1) * BLOCK + usize::from(self.used)
    }

    /// All bits; the last byte is filled with zeros.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let bytes = self.blocks.iter().flat_map(|block| block.iter().copied());
        let mut bytes: Vec<u8> = bytes.take(self.length()).collect();
        BitWriter::resume(&mut bytes, self.rest).finish();
        bytes
    }

    /// What it takes of the memory beside itself, in bytes.
    pub(super) const fn size(&self) -> usize {
        self.blocks.capacity() * size_of::<Box<[u8; BLOCK]>>() + self.blocks.len() * BLOCK
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_that_are_added_bit_by_bit_are_those_that_are_written_at_once(
            numbers in prop::collection::vec((any::<u32>(), 1..=32_u32), 0..60),
        ) {
            let mut row = Row::<8>::default();
            let mut bytes = Vec::new();
            let mut bits = BitWriter::new(&mut bytes);
            for (number, width) in numbers {
                let number = u64::from(number >> (32 - width));
                row.add(|bits| bits.write(number, width));
                bits.write(number, width);
            }
            bits.finish();
            prop_assert_eq!(row.bytes(), bytes);
        }
    }
}
