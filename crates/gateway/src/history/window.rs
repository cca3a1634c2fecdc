//! The samples of one series that are not in a chunk on the disk yet: in few bits, because there are many such series,
//! and one after the other, because each comes alone.
//!
//! A sample is what its time differs from that at a steady pace, and what its value differs from the one before, each in a
//! Rice code as long as the last ones needed. A value is taken as a number without its point as long as it has no more
//! digits after it than those before; otherwise the digits change, and the number is written in full. The number of what
//! is no decimal are its bits.

use super::bits::{BitReader, BitWriter, Input, MOST_BITS, Rest, from_zigzag, to_zigzag};
use super::chunk::{ChunkError, Datum};
use super::column::{read_residue, write_residue};
use super::rollup::Resolution;
use super::value::{NO_DIGITS, from_parts, to_decimal, to_parts};

/// What the longest sample takes, in bytes.
const LONGEST: usize = 32;

/// The bytes of a block: with what the allocator adds, they leave no gaps.
const BLOCK: usize = 120;

/// Stands for digits that change, in place of a difference; all differences are one more.
const CHANGE: u64 = 0;
/// The bits of the digits of a value.
const DIGITS_BITS: u32 = 4;
/// The bits of how many bits a number in full has.
const SIZE_BITS: u32 = 7;

/// The sizes of the first time in a period, which is anywhere in it, and of the first difference of values.
const FIRST_SIZES: [Size; 2] = [Size::of(20), Size::of(2)];

/// Samples of one period of [`Resolution::Raw`], in the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The number of the period since 1970.
    pub(super) period: i64,
    /// The row of the log that holds the first of them, or an earlier one.
    pub(super) first_row: u64,
    /// How many samples there are.
    pub(super) count: usize,
    /// It is being made a chunk, and takes no more samples.
    pub(super) is_sealing: bool,
    /// All whole bytes, in pieces that never move: windows grow in step, and whatever one of them moved away from would
    /// be too small for all others.
    blocks: Vec<Box<[u8; BLOCK]>>,
    /// How many bytes there are.
    length: usize,
    /// What follows the bytes.
    rest: Rest,
    last: Last,
}

/// What the next sample is compared with.
#[derive(Debug, Clone, Copy)]
struct Last {
    time: i64,
    pace: i64,
    number: i64,
    digits: u8,
    time_size: Size,
    value_size: Size,
}

/// How many bits the last residues had, on average, in sixteenths of a bit.
#[derive(Debug, Clone, Copy)]
struct Size(u16);

impl Window {
    pub(super) fn new(period: i64, first_row: u64) -> Self {
        Self {
            period,
            first_row,
            count: 0,
            is_sealing: false,
            blocks: Vec::new(),
            length: 0,
            rest: Rest::default(),
            last: Last::before(period),
        }
    }

    pub(super) fn push(&mut self, sample: Datum) {
        let mut bytes = Vec::with_capacity(LONGEST);
        let mut bits = BitWriter::resume(&mut bytes, self.rest);
        self.last.put(sample, &mut bits);
        self.rest = bits.pause();
        bytes.into_iter().for_each(|byte| self.append(byte));
        self.count += 1;
    }

    fn append(&mut self, byte: u8) {
        if self.length == self.blocks.len() * BLOCK {
            // Less than doubling: there are many windows.
            if self.blocks.len() == self.blocks.capacity() {
                self.blocks.reserve_exact(3.max(self.blocks.len() / 2));
            }
            self.blocks.push(Box::new([0; BLOCK]));
        }
        if let Some(place) = self.blocks.last_mut().and_then(|block| block.get_mut(self.length % BLOCK)) {
            *place = byte;
        }
        self.length += 1;
    }

    /// All samples, in the order in which they came.
    pub(super) fn samples(&self) -> Result<Vec<Datum>, ChunkError> {
        let bytes = self.blocks.iter().flat_map(|block| block.iter().copied());
        let mut bytes: Vec<u8> = bytes.take(self.length).collect();
        BitWriter::resume(&mut bytes, self.rest).finish();
        let mut last = Last::before(self.period);
        let mut input = Input::new(&bytes);
        let mut bits = input.bits();
        let samples = (0..self.count).map(|_| last.take(&mut bits));
        samples.collect()
    }

    /// What it takes of the memory, in bytes.
    pub(super) const fn size(&self) -> usize {
        size_of::<Self>() + self.blocks.capacity() * size_of::<Box<[u8; BLOCK]>>() + self.blocks.len() * BLOCK
    }
}

impl Last {
    const fn before(period: i64) -> Self {
        let [time_size, value_size] = FIRST_SIZES;
        Self { time: Resolution::Raw.start(period), pace: 0, number: 0, digits: 0, time_size, value_size }
    }

    fn put(&mut self, Datum { time, value }: Datum, bits: &mut BitWriter<'_>) {
        let off = time.wrapping_sub(self.time).wrapping_sub(self.pace);
        self.time_size.put(to_zigzag(off), bits);
        self.keep_pace(off);

        if let Some(step) = self.step(value) {
            self.value_size.put(step, bits);
            self.go(step);
        } else {
            self.value_size.put(CHANGE, bits);
            (self.digits, self.number) = to_parts(value);
            bits.write(self.digits.into(), DIGITS_BITS);
            write_number(bits, self.number);
        }
    }

    fn take(&mut self, bits: &mut BitReader<'_, '_>) -> Result<Datum, ChunkError> {
        let off = from_zigzag(self.time_size.take(bits)?);
        self.keep_pace(off);
        match self.value_size.take(bits)? {
            CHANGE => {
                self.digits = u8::try_from(bits.read(DIGITS_BITS)?).unwrap_or(NO_DIGITS);
                self.number = read_number(bits)?;
            }
            step => self.go(step),
        }
        Ok(Datum { time: self.time, value: from_parts(self.digits, self.number) })
    }

    /// Goes on to a time that is so far off the pace. What is little off hardly changes the pace, since it may be made up
    /// for with the next sample.
    fn keep_pace(&mut self, off: i64) {
        self.time = self.time.wrapping_add(self.pace).wrapping_add(off);
        let is_little = off.unsigned_abs() <= self.pace.unsigned_abs() / 8;
        self.pace = self.pace.wrapping_add(if is_little { off / 8 } else { off });
    }

    /// By how much the number of the value differs, if it has no more digits and the difference is a small number, too.
    fn step(&self, value: f64) -> Option<u64> {
        let number = if self.digits == NO_DIGITS {
            Some(to_parts(value)).filter(|(digits, _)| *digits == NO_DIGITS)?.1
        } else {
            to_decimal(value, self.digits)?
        };
        to_zigzag(number.checked_sub(self.number)?).checked_add(CHANGE + 1)
    }

    /// Goes on to the number that differs so much.
    fn go(&mut self, step: u64) {
        self.number = self.number.wrapping_add(from_zigzag(step.wrapping_sub(CHANGE + 1)));
    }
}

impl Size {
    const fn of(bits: u16) -> Self {
        Self(bits * 16)
    }

    fn put(&mut self, residue: u64, bits: &mut BitWriter<'_>) {
        write_residue(bits, residue, self.width());
        self.learn(residue);
    }

    fn take(&mut self, bits: &mut BitReader<'_, '_>) -> Result<u64, ChunkError> {
        let residue = read_residue(bits, self.width())?;
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

/// Adds a number in full.
fn write_number(bits: &mut BitWriter<'_>, number: i64) {
    let number = to_zigzag(number);
    let size = u64::BITS - number.leading_zeros();
    bits.write(size.into(), SIZE_BITS);
    let low = size.min(MOST_BITS);
    bits.write(number >> low, size - low);
    bits.write(number & ((1 << low) - 1), low);
}

fn read_number(bits: &mut BitReader<'_, '_>) -> Result<i64, ChunkError> {
    let size = u32::try_from(bits.read(SIZE_BITS)?).unwrap_or(u64::BITS).min(u64::BITS);
    let low = size.min(MOST_BITS);
    let high = bits.read(size - low)?;
    Ok(from_zigzag((high << low) | bits.read(low)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::value::MOST_DIGITS;
    use super::*;

    fn window(samples: &[Datum]) -> Window {
        let mut window = Window::new(1, 0);
        samples.iter().for_each(|sample| window.push(*sample));
        window
    }

    proptest! {
        #[test]
        fn every_sample_comes_back(samples in prop::collection::vec((any::<i64>(), prop_oneof![
            any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()),
            (-5_000..5_000_i64, 0..=MOST_DIGITS).prop_map(|(number, digits)| from_parts(digits, number)),
            prop::sample::select(vec![0.0, -0.0, 0.1 + 0.2, 9e15, -9e15, f64::MAX]),
        ]), 0..60)) {
            let samples: Vec<Datum> = samples.into_iter().map(|(time, value)| Datum { time, value }).collect();
            let found = window(&samples).samples().unwrap();
            let bits = |datum: &Datum| (datum.time, datum.value.to_bits());
            prop_assert_eq!(found.iter().map(bits).collect::<Vec<_>>(), samples.iter().map(bits).collect::<Vec<_>>());
        }
    }

    #[test]
    fn two_hours_of_a_sensor_take_about_half_a_kilobyte() {
        // Polls are up to a 32nd of the interval late, and the temperature walks in steps of a tenth.
        let sample = |step: i64| Datum {
            time: Resolution::Raw.start(1) + step * 30_000 + step * 7_919 % 937,
            value: f64::from(i32::try_from(215 + (step / 3) % 5).unwrap()) / 10.0,
        };
        let samples: Vec<Datum> = (0..240).map(sample).collect();
        assert!(window(&samples).size() <= 640, "{}", window(&samples).size());
    }
}
