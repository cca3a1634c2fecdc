//! The samples of one series that are not in a chunk on the disk yet: in few bits, because there are many such series,
//! and one after the other, because each comes alone.
//!
//! A sample is how many rounds of its board there were since the one before, what its delay within the round differs from
//! the usual one, and its value from the one before, each in a Rice code as long as the last ones needed. Polls are spread in
//! time on purpose, so that times alone would take more than values; the rounds are kept once for all series of a board. A
//! value is taken as a number without its point as long as it has no more digits after it than those before; otherwise the
//! digits change, and the number is written in full. The number of what is no decimal are its bits.

use std::sync::Arc;

use super::bits::{BitReader, BitWriter, Input, MOST_BITS, Rest, from_zigzag, to_zigzag};
use super::chunk::{ChunkError, Datum};
use super::rollup::Resolution;
use super::round::Rounds;
use super::value::{NO_DIGITS, from_parts, to_decimal, to_parts};

/// What the longest sample takes, in bytes.
const LONGEST: usize = 40;

/// The bytes of a block: with what the allocator adds, they leave no gaps.
const BLOCK: usize = 120;

/// Stands for digits that change, in place of a difference; all differences are one more.
const CHANGE: u64 = 0;
/// The bits of the digits of a value.
const DIGITS_BITS: u32 = 4;
/// The bits of how many bits a number in full has, up to 64.
const SIZE_BITS: u32 = 7;

/// So many ones at the beginning of a residue say that it follows in full: some answers are late, and then much later.
const MOST_ONES: u32 = 6;

/// The size of the first differences.
const FIRST_SIZE: Size = Size(2 * 16);

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
    /// The rounds of its board in the period.
    rounds: Arc<Rounds>,
    /// How many of them began with a sample of this series.
    begun: usize,
    /// All whole bytes.
    #[expect(
        clippy::vec_box,
        reason = "windows grow in step, and whatever one of them moved away from would be too small for all others"
    )]
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
    /// How many rounds there were up to it.
    rounds: usize,
    /// How long after the beginning of a round one comes usually, in milliseconds; nothing before the first one.
    delay: Option<i64>,
    number: i64,
    digits: u8,
    round_size: Size,
    delay_size: Size,
    value_size: Size,
}

/// How many bits the last residues had, on average, in sixteenths of a bit.
#[derive(Debug, Clone, Copy)]
struct Size(u16);

impl Window {
    pub(super) fn new(period: i64, first_row: u64, rounds: Arc<Rounds>) -> Self {
        Self {
            period,
            first_row,
            count: 0,
            is_sealing: false,
            rounds,
            begun: 0,
            blocks: Vec::new(),
            length: 0,
            rest: Rest::default(),
            last: Last::FIRST,
        }
    }

    pub(super) fn push(&mut self, sample: Datum) {
        let mut bytes = Vec::with_capacity(LONGEST);
        let mut bits = BitWriter::resume(&mut bytes, self.rest);
        let time = sample.time.wrapping_sub(Resolution::Raw.start(self.period));
        let round = self.rounds.note(time);
        self.begun += usize::from(round.is_new);
        self.last.put_time(round.number, time.wrapping_sub(round.began), &mut bits);
        self.last.put_value(sample.value, &mut bits);
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
        let (start, rounds) = (Resolution::Raw.start(self.period), self.rounds.all());
        let mut last = Last::FIRST;
        let mut input = Input::new(&bytes);
        let mut bits = input.bits();
        let sample = |_| {
            let (round, delay) = last.take_time(&mut bits)?;
            let began = rounds.get(round).ok_or(ChunkError("it names a round that there was not"))?;
            let time = start.wrapping_add(*began).wrapping_add(delay);
            Ok(Datum { time, value: last.take_value(&mut bits)? })
        };
        (0..self.count).map(sample).collect()
    }

    /// What it takes of the memory, in bytes.
    pub(super) const fn size(&self) -> usize {
        size_of::<Self>()
            + self.blocks.capacity() * size_of::<Box<[u8; BLOCK]>>()
            + self.blocks.len() * BLOCK
            + self.begun * size_of::<u32>()
    }
}

impl Last {
    const FIRST: Self = Self {
        rounds: 0,
        delay: None,
        number: 0,
        digits: 0,
        round_size: FIRST_SIZE,
        delay_size: FIRST_SIZE,
        value_size: FIRST_SIZE,
    };

    fn put_time(&mut self, round: usize, delay: i64, bits: &mut BitWriter<'_>) {
        let skipped = (round as u64).wrapping_sub(self.rounds as u64).cast_signed();
        self.round_size.put(to_zigzag(skipped), bits);
        self.rounds = round + 1;
        let off = delay.wrapping_sub(self.delay.unwrap_or_default());
        self.delay_size.put(to_zigzag(off), bits);
        self.get_used_to(off);
    }

    /// The number of a round, and how long after its beginning the sample came.
    fn take_time(&mut self, bits: &mut BitReader<'_, '_>) -> Result<(usize, i64), ChunkError> {
        let skipped = from_zigzag(self.round_size.take(bits)?);
        let round = usize::try_from((self.rounds as u64).wrapping_add_signed(skipped));
        let round = round.map_err(|_| ChunkError("it names a round that there was not"))?;
        self.rounds = round.wrapping_add(1);
        let off = from_zigzag(self.delay_size.take(bits)?);
        let delay = self.delay.unwrap_or_default().wrapping_add(off);
        self.get_used_to(off);
        Ok((round, delay))
    }

    /// Notes that one came so much later than usual. It counts for little, since the next one is hardly as late.
    fn get_used_to(&mut self, off: i64) {
        self.delay = Some(self.delay.map_or(off, |usual| usual.wrapping_add(off.signum())));
    }

    fn put_value(&mut self, value: f64, bits: &mut BitWriter<'_>) {
        if let Some(step) = self.step(value) {
            self.value_size.put(step, bits);
            self.go(step);
        } else {
            self.value_size.put(CHANGE, bits);
            (self.digits, self.number) = to_parts(value);
            bits.write(self.digits.into(), DIGITS_BITS);
            write_number(bits, to_zigzag(self.number));
        }
    }

    fn take_value(&mut self, bits: &mut BitReader<'_, '_>) -> Result<f64, ChunkError> {
        match self.value_size.take(bits)? {
            CHANGE => {
                self.digits = u8::try_from(bits.read(DIGITS_BITS)?).unwrap_or(NO_DIGITS);
                self.number = from_zigzag(read_number(bits)?);
            }
            step => self.go(step),
        }
        Ok(from_parts(self.digits, self.number))
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
    fn put(&mut self, residue: u64, bits: &mut BitWriter<'_>) {
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

    fn take(&mut self, bits: &mut BitReader<'_, '_>) -> Result<u64, ChunkError> {
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
fn write_number(bits: &mut BitWriter<'_>, number: u64) {
    let size = u64::BITS - number.leading_zeros();
    bits.write(size.into(), SIZE_BITS);
    write_low(bits, number, size);
}

fn read_number(bits: &mut BitReader<'_, '_>) -> Result<u64, ChunkError> {
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

    use super::super::value::MOST_DIGITS;
    use super::*;

    fn window(samples: &[Datum]) -> Window {
        let mut window = Window::new(1, 0, Arc::default());
        samples.iter().for_each(|sample| window.push(*sample));
        window
    }

    fn bits(samples: &[Datum]) -> Vec<(i64, u64)> {
        samples.iter().map(|sample| (sample.time, sample.value.to_bits())).collect()
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
            prop_assert_eq!(bits(&found), bits(&samples));
        }
    }

    /// What a sensor of a board says every half minute. Polls are up to a 32nd of that late, each sensor has its turn in the
    /// round, answers take some milliseconds more or less, and the temperature walks in steps of a tenth.
    fn polls(sensor: i64) -> Vec<Datum> {
        let sample = |step: i64| Datum {
            time: Resolution::Raw.start(1) + step * 30_000 + step * 7_919 % 937 + sensor * 20 + step * 7 % 16,
            value: f64::from(i32::try_from(215 + (step / 3) % 5).unwrap()) / 10.0,
        };
        (0..240).map(sample).collect()
    }

    #[test]
    fn the_series_of_a_board_share_their_rounds() {
        let rounds: Arc<Rounds> = Arc::default();
        let mut windows = [(); 20].map(|()| Window::new(1, 0, Arc::clone(&rounds)));
        let polls: Vec<Vec<Datum>> = (0..20).map(polls).collect();
        for step in 0..240 {
            windows.iter_mut().zip(&polls).for_each(|(window, samples)| window.push(samples[step]));
        }
        for (window, samples) in windows.iter().zip(&polls) {
            assert_eq!(bits(&window.samples().unwrap()), bits(samples));
        }
        assert_eq!(rounds.all().len(), 240);
        assert!(windows[1].size() <= 520, "{}", windows[1].size());
    }
}
