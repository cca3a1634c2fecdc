//! A Rice code that learns, for residues that come one after the other: each takes as many bits as the last ones needed. It
//! knows nothing of what they are left of.

use super::bits::{BitReader, BitWriter, MOST_BITS};
use super::chunk::ChunkError;

/// The bits of how many bits a number in full has, up to 64.
const SIZE_BITS: u32 = 7;

/// So many ones at the beginning of a residue say that it follows in full: some are much larger than all others.
const MOST_ONES: u32 = 6;

/// How many bits the last residues had, on average, in sixteenths of a bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(u16);

impl Size {
    /// The size of the first residues.
    pub(super) const FIRST: Self = Self(2 * 16);

    pub(super) fn put(&mut self, residue: u64, bits: &mut BitWriter<'_>) {
        let width = self.width();
        match u32::try_from(residue >> width) {
            Ok(ones) if ones < MOST_ONES => {
                bits.write(ones_of(ones) << 1, ones + 1);
                write_low(bits, residue, width);
            }
            _ => {
                bits.write(ones_of(MOST_ONES), MOST_ONES);
                write_number(bits, residue);
            }
        }
        self.learn(residue);
    }

    pub(super) fn take(&mut self, bits: &mut BitReader<'_, '_>) -> Result<u64, ChunkError> {
        let width = self.width();
        let ones = bits.ones(MOST_ONES)?;
        let residue = if ones < MOST_ONES {
            u64::from(ones).checked_shl(width).unwrap_or(0) | read_low(bits, width)?
        } else {
            read_number(bits)?
        };
        self.learn(residue);
        Ok(residue)
    }

    /// How many low bits are written as they are.
    fn width(self) -> u32 {
        u32::from(self.0 / 16).min(u64::BITS - 1)
    }

    /// Each residue counts for a quarter, and those before for the rest.
    fn learn(&mut self, residue: u64) {
        let [bits, ..] = (u64::BITS - residue.leading_zeros()).to_le_bytes();
        self.0 = self.0 - self.0 / 4 + u16::from(bits) * 4;
    }
}

/// So many ones.
const fn ones_of(count: u32) -> u64 {
    (1 << count) - 1
}

/// Adds a number in full.
pub(super) fn write_number(bits: &mut BitWriter<'_>, number: u64) {
    let size = u64::BITS - number.leading_zeros();
    bits.write(size.into(), SIZE_BITS);
    write_low(bits, number, size);
}

pub(super) fn read_number(bits: &mut BitReader<'_, '_>) -> Result<u64, ChunkError> {
    let size = u32::try_from(bits.read(SIZE_BITS)?).unwrap_or(u64::BITS).min(u64::BITS);
    read_low(bits, size)
}

/// Adds the lowest bits of a number, up to 64.
fn write_low(bits: &mut BitWriter<'_>, number: u64, width: u32) {
    let lower = width.min(MOST_BITS);
    bits.write((number >> lower) & ones_of(width - lower), width - lower);
    bits.write(number & ones_of(lower), lower);
}

fn read_low(bits: &mut BitReader<'_, '_>, width: u32) -> Result<u64, ChunkError> {
    let lower = width.min(MOST_BITS);
    let upper = bits.read(width - lower)?;
    Ok((upper << lower) | bits.read(lower)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bits::Input;
    use super::*;

    proptest! {
        #[test]
        fn every_residue_comes_back(residues in prop::collection::vec(prop_oneof![0..40_u64, any::<u64>()], 0..60)) {
            let mut bytes = Vec::new();
            let (mut bits, mut size) = (BitWriter::new(&mut bytes), Size::FIRST);
            residues.iter().for_each(|residue| size.put(*residue, &mut bits));
            bits.finish();
            let mut input = Input::new(&bytes);
            let (mut bits, mut size) = (input.bits(), Size::FIRST);
            let found: Result<Vec<u64>, ChunkError> = residues.iter().map(|_| size.take(&mut bits)).collect();
            prop_assert_eq!(found, Ok(residues));
        }
    }

    #[test]
    fn what_is_always_nothing_takes_one_bit() {
        let mut bytes = Vec::new();
        let (mut bits, mut size) = (BitWriter::new(&mut bytes), Size::FIRST);
        (0..800).for_each(|_| size.put(0, &mut bits));
        bits.finish();
        assert!(bytes.len() <= 102, "{}", bytes.len());
    }
}
