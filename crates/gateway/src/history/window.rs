//! The samples of one series that are not in a chunk on the disk yet: in few bytes, because there are many such series,
//! and one after the other, because each comes alone.
//!
//! A sample is what its time differs from that at a steady pace, and what its value differs from the one before. A value
//! is taken as a number without its point as long as it has no more digits after it than those before; otherwise the
//! digits change, and the number is written in full. The number of what is no decimal are its bits.

use super::bits::{Input, put_signed};
use super::chunk::{ChunkError, Datum};
use super::rollup::Resolution;
use super::value::{NO_DIGITS, from_parts, to_decimal, to_parts};

/// By how much the room for samples grows at least, in bytes. That is more than the longest sample takes.
const ROOM: usize = 32;

/// The room grows by at least this part of what is there, so that many samples are not moved once for every few of them.
const GROWTH: usize = 8;

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
    bytes: Vec<u8>,
    last: Last,
}

/// What the next sample is compared with.
#[derive(Debug, Clone, Copy)]
struct Last {
    time: i64,
    pace: i64,
    number: i64,
    digits: u8,
}

impl Window {
    pub(super) const fn new(period: i64, first_row: u64) -> Self {
        Self { period, first_row, count: 0, is_sealing: false, bytes: Vec::new(), last: Last::before(period) }
    }

    pub(super) fn push(&mut self, sample: Datum) {
        if self.bytes.capacity() - self.bytes.len() < ROOM {
            // Less than doubling: there are many windows.
            self.bytes.reserve_exact(ROOM.max(self.bytes.len() / GROWTH));
        }
        self.count += 1;
        self.last.put(sample, &mut self.bytes);
    }

    /// All samples, in the order in which they came.
    pub(super) fn samples(&self) -> Result<Vec<Datum>, ChunkError> {
        let mut last = Last::before(self.period);
        let mut input = Input::new(&self.bytes);
        let samples = (0..self.count).map(|_| last.take(&mut input));
        samples.collect()
    }

    /// What it takes of the memory, in bytes.
    pub(super) const fn size(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }
}

impl Last {
    const fn before(period: i64) -> Self {
        Self { time: Resolution::Raw.start(period), pace: 0, number: 0, digits: 0 }
    }

    fn put(&mut self, Datum { time, value }: Datum, bytes: &mut Vec<u8>) {
        let pace = time.wrapping_sub(self.time);
        put_signed(bytes, pace.wrapping_sub(self.pace));
        (self.time, self.pace) = (time, pace);

        // The lowest bit tells whether the digits change.
        if let Some(difference) = self.difference(value) {
            put_signed(bytes, difference * 2);
            self.number += difference;
        } else {
            (self.digits, self.number) = to_parts(value);
            put_signed(bytes, i64::from(self.digits) * 2 + 1);
            put_signed(bytes, self.number);
        }
    }

    /// By how much the number of the value differs, if it has no more digits and the difference is a small number, too.
    fn difference(&self, value: f64) -> Option<i64> {
        let number = if self.digits == NO_DIGITS {
            Some(to_parts(value)).filter(|(digits, _)| *digits == NO_DIGITS)?.1
        } else {
            to_decimal(value, self.digits)?
        };
        let difference = number.checked_sub(self.number)?;
        difference.checked_mul(2).map(|_| difference)
    }

    fn take(&mut self, input: &mut Input<'_>) -> Result<Datum, ChunkError> {
        self.pace = self.pace.wrapping_add(input.signed()?);
        self.time = self.time.wrapping_add(self.pace);
        let difference = input.signed()?;
        if difference % 2 == 0 {
            self.number = self.number.wrapping_add(difference / 2);
        } else {
            self.digits = u8::try_from(difference / 2).unwrap_or(NO_DIGITS);
            self.number = input.signed()?;
        }
        Ok(Datum { time: self.time, value: from_parts(self.digits, self.number) })
    }
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
    fn two_hours_of_a_sensor_take_less_than_a_kilobyte() {
        let sample = |step: i64| Datum {
            time: Resolution::Raw.start(1) + step * 30_000 + step * 7 % 16,
            value: f64::from(i32::try_from(215 + (step / 3) % 5).unwrap()) / 10.0,
        };
        let samples: Vec<Datum> = (0..240).map(sample).collect();
        assert!(window(&samples).size() <= 650, "{}", window(&samples).size());
    }
}
