//! A column of whole numbers in few bits: what each differs from what was to be expected, in a Rice code.
//!
//! What is to be expected is the middle number of the column, or the number before plus the middle difference. That suits
//! times at a steady pace, sensors that hardly move, and counters that rise. It knows nothing of what the numbers are.

use super::bits::{BitWriter, Input, MOST_BITS, from_zigzag, put_signed, to_zigzag};
use super::chunk::ChunkError;

/// In the first byte: the differences to the number before are coded, not the numbers.
const DIFFERENCES: u8 = 0x80;
/// In the first byte: everything is as expected, and no bits follow.
const EXPECTED: u8 = 0x40;
/// In the first byte: how many low bits of each residue are written as they are.
const WIDTH: u8 = 0x3f;

/// A residue whose high bits are at least this is written in 64 bits after so many ones.
const MOST_ONES: u32 = 24;

/// What is left of the numbers without what is to be expected.
struct Residues {
    has_differences: bool,
    /// The first number, if there are differences.
    first: i64,
    /// The middle number or difference.
    middle: i64,
    rest: Vec<u64>,
    /// How many low bits are written as they are.
    width: u32,
    /// The size of all of them in bits.
    size: usize,
}

/// Adds a column.
pub(super) fn encode(numbers: &[i64], bytes: &mut Vec<u8>) {
    let plain = Residues::of_numbers(numbers);
    let differences = Residues::of_differences(numbers);
    if differences.size < plain.size { differences.write(bytes) } else { plain.write(bytes) }
}

/// Takes a column of so many numbers.
pub(super) fn decode(count: usize, input: &mut Input<'_>) -> Result<Vec<i64>, ChunkError> {
    let mut numbers = Vec::with_capacity(count);
    let form = input.byte()?;
    let middle = input.signed()?;
    let has_differences = form & DIFFERENCES != 0;
    let mut last = 0_i64;
    if has_differences && count > 0 {
        last = input.signed()?;
        numbers.push(last);
    }
    let mut add = |residue: u64| {
        let number = from_zigzag(residue).wrapping_add(middle);
        last = if has_differences { last.wrapping_add(number) } else { number };
        last
    };
    let missing = count - numbers.len();
    if form & EXPECTED != 0 {
        numbers.extend((0..missing).map(|_| add(0)));
        return Ok(numbers);
    }
    let width = u32::from(form & WIDTH);
    let mut bits = input.bits();
    for _ in 0..missing {
        let ones = bits.ones(MOST_ONES)?;
        let residue = if ones == MOST_ONES {
            (bits.read(MOST_BITS)? << MOST_BITS) | bits.read(MOST_BITS)?
        } else {
            let high = u64::from(ones).checked_shl(width).unwrap_or(0);
            let upper = bits.read(width.saturating_sub(MOST_BITS))?;
            high | (upper << MOST_BITS) | bits.read(width.min(MOST_BITS))?
        };
        numbers.push(add(residue));
    }
    bits.finish()?;
    Ok(numbers)
}

impl Residues {
    fn of_numbers(numbers: &[i64]) -> Self {
        Self::of(numbers.iter().copied(), 0, false)
    }

    fn of_differences(numbers: &[i64]) -> Self {
        let differences =
            numbers.iter().zip(numbers.iter().skip(1)).map(|(one, next)| next.wrapping_sub(*one));
        Self::of(differences, numbers.first().copied().unwrap_or_default(), true)
    }

    fn of(numbers: impl Iterator<Item = i64>, first: i64, has_differences: bool) -> Self {
        let mut numbers: Vec<i64> = numbers.collect();
        let middle = median(&mut numbers.clone());
        for number in &mut numbers {
            *number = number.wrapping_sub(middle);
        }
        let rest: Vec<u64> = numbers.into_iter().map(to_zigzag).collect();
        let (width, size) = best_width(&rest);
        let header = to_zigzag(first).checked_ilog2().map_or(0, |bits| bits as usize + 1);
        Self { has_differences, first, middle, rest, width, size: size + header }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let is_expected = self.rest.iter().all(|residue| *residue == 0);
        let [width, ..] = self.width.to_le_bytes();
        let differences = if self.has_differences { DIFFERENCES } else { 0 };
        bytes.push(differences | if is_expected { EXPECTED } else { width });
        put_signed(bytes, self.middle);
        if self.has_differences {
            put_signed(bytes, self.first);
        }
        if is_expected {
            return;
        }
        let mut bits = BitWriter::new(bytes);
        for residue in &self.rest {
            write_residue(&mut bits, *residue, self.width);
        }
        bits.finish();
    }
}

fn write_residue(bits: &mut BitWriter<'_>, residue: u64, width: u32) {
    let low = |value: u64, width: u32| value & ((1 << width) - 1);
    let high = residue >> width;
    if high >= u64::from(MOST_ONES) {
        bits.write(low(u64::MAX, MOST_ONES), MOST_ONES);
        bits.write(residue >> MOST_BITS, MOST_BITS);
        bits.write(low(residue, MOST_BITS), MOST_BITS);
        return;
    }
    // Below the most ones, and so no more than 24 bits with the zero at the end.
    let ones = u32::try_from(high).unwrap_or(0);
    bits.write(low(u64::MAX, ones) << 1, ones + 1);
    let upper = width.saturating_sub(MOST_BITS);
    bits.write(low(residue >> MOST_BITS, upper), upper);
    bits.write(low(residue, width.min(MOST_BITS)), width.min(MOST_BITS));
}

/// How many low bits of each residue are best written as they are, and the size of all in bits then.
fn best_width(residues: &[u64]) -> (u32, usize) {
    let significant = |residue: &u64| u64::BITS - residue.leading_zeros();
    let total: usize = residues.iter().map(|residue| significant(residue) as usize).sum();
    // The mean of the sizes, which single large residues hardly move, is near to the best.
    let mean = u32::try_from(total / residues.len().max(1)).unwrap_or(0);
    let widths = mean.saturating_sub(3)..=(mean + 2).min(u32::from(WIDTH));
    let sizes = widths.map(|width| (width, size_at(residues, width)));
    sizes.min_by_key(|(_, size)| *size).unwrap_or_default()
}

fn size_at(residues: &[u64], width: u32) -> usize {
    let most = u64::from(MOST_ONES);
    let size = |residue: &u64| {
        let high = residue >> width;
        if high >= most { most + 64 } else { high + 1 + u64::from(width) }
    };
    usize::try_from(residues.iter().map(size).sum::<u64>()).unwrap_or(usize::MAX)
}

fn median(numbers: &mut [i64]) -> i64 {
    let middle = numbers.len() / 2;
    if numbers.is_empty() { 0 } else { *numbers.select_nth_unstable(middle).1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(numbers: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode(numbers, &mut bytes);
        bytes.len()
    }

    proptest! {
        #[test]
        fn every_column_comes_back(numbers in prop_oneof![
            prop::collection::vec(any::<i64>(), 0..100),
            prop::collection::vec(-50..50_i64, 0..100),
            prop::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), 0..1_i64 << 40], 0..100),
        ]) {
            let mut bytes = Vec::new();
            encode(&numbers, &mut bytes);
            bytes.push(0xa5);
            let mut input = Input::new(&bytes);
            prop_assert_eq!(decode(numbers.len(), &mut input), Ok(numbers));
            prop_assert_eq!(input.byte(), Ok(0xa5));
        }

        #[test]
        fn any_bytes_are_a_column_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0..200_usize) {
            if let Ok(numbers) = decode(count, &mut Input::new(&bytes)) {
                prop_assert_eq!(numbers.len(), count);
            }
        }
    }

    #[test]
    fn what_is_expected_takes_no_room() {
        assert_eq!(size(&[7; 1_000]), 2);
        let steady: Vec<i64> = (0..1_000).map(|step| 1_000_000 + step * 30_000).collect();
        assert!(size(&steady) <= 7, "{}", size(&steady));
    }

    #[test]
    fn a_single_outlier_costs_little() {
        let mut numbers: Vec<i64> = (0..240).map(|step| step % 3).collect();
        let before = size(&numbers);
        numbers[100] = i64::MAX;
        assert!(size(&numbers) <= before + 25, "{before} {}", size(&numbers));
    }
}
