//! The samples of one series that are not in a chunk on the disk yet: in few bits, because there are many such series,
//! and one after the other, because each comes alone.
//!
//! Polls are spread in time on purpose, so that times alone would take more than values; they are kept once for all series
//! of a board. A sample is how many samples of its board there were since the one before, compared with the time before,
//! and what its value differs from the one before, each in a Rice code as long as the last ones needed.

use std::sync::Arc;

use super::bits::{BitReader, BitWriter, Input, from_zigzag, to_zigzag};
use super::chunk::{ChunkError, Datum};
use super::rice::Size;
use super::rollup::Resolution;
use super::row::Row;
use super::step::Steps;
use super::times::{Decoded, Times};

/// The bytes of a block.
const BLOCK: usize = 56;

/// Samples of one period of [`Resolution::Raw`], in the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The number of the period since 1970.
    pub(super) period: i64,
    /// The row of the log that holds the first of them, or an earlier one.
    pub(super) first_row: u64,
    /// How many samples there are.
    pub(super) count: u32,
    /// It is being made a chunk, and takes no more samples.
    pub(super) is_sealing: bool,
    /// When the samples of its board came, in milliseconds since the period began.
    times: Arc<Times>,
    row: Row<BLOCK>,
    last: Last,
}

/// What the next sample is compared with.
#[derive(Debug, Clone)]
struct Last {
    /// The place of its time among those of the board.
    place: u32,
    /// How far that is from the one before.
    distance: u32,
    distance_size: Size,
    steps: Steps,
}

impl Window {
    pub(super) fn new(period: i64, first_row: u64, times: Arc<Times>) -> Self {
        Self { period, first_row, count: 0, is_sealing: false, times, row: Row::default(), last: Last::FIRST }
    }

    pub(super) fn push(&mut self, sample: Datum) {
        let place = self.times.note(sample.time.wrapping_sub(Resolution::Raw.start(self.period)));
        let Self { row, last, .. } = self;
        row.add(|bits| {
            last.put_place(place, bits);
            last.steps.put(sample.value, bits);
        });
        self.count += 1;
    }

    /// All samples, in the order in which they came.
    pub(super) fn samples(&self, decoded: &Decoded) -> Result<Vec<Datum>, ChunkError> {
        let (start, times) = (Resolution::Raw.start(self.period), decoded.all(&self.times)?);
        let bytes = self.row.bytes();
        let mut last = Last::FIRST;
        let mut input = Input::new(&bytes);
        let mut bits = input.bits();
        let sample = |_| {
            let place = last.take_place(&mut bits)?;
            let time = times.get(place as usize).ok_or(ChunkError("it names a time that there was not"))?;
            Ok(Datum { time: start.wrapping_add(*time), value: last.steps.take(&mut bits)? })
        };
        (0..self.count).map(sample).collect()
    }

    /// Whether its times are among these.
    pub(super) fn shares(&self, times: &Arc<Times>) -> bool {
        Arc::ptr_eq(&self.times, times)
    }

    /// What it takes of the memory, in bytes.
    pub(super) const fn size(&self) -> usize {
        // A time takes about as much as a sample beside it.
        size_of::<Self>() + self.row.size() + self.last.steps.size() + self.count as usize
    }
}

impl Last {
    const FIRST: Self = Self { place: 0, distance: 0, distance_size: Size::FIRST, steps: Steps::FIRST };

    fn put_place(&mut self, place: u32, bits: &mut BitWriter<'_>) {
        let distance = place.wrapping_sub(self.place);
        let difference = i64::from(distance) - i64::from(self.distance);
        self.distance_size.put(to_zigzag(difference), bits);
        (self.place, self.distance) = (place, distance);
    }

    fn take_place(&mut self, bits: &mut BitReader<'_, '_>) -> Result<u32, ChunkError> {
        let difference = from_zigzag(self.distance_size.take(bits)?);
        let distance = i64::from(self.distance).checked_add(difference);
        let distance = distance.and_then(|distance| u32::try_from(distance).ok());
        self.distance = distance.ok_or(ChunkError("it names a time that there was not"))?;
        self.place = self.place.wrapping_add(self.distance);
        Ok(self.place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::value::{MOST_DIGITS, from_parts};
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
            let found = window(&samples).samples(&Decoded::default()).unwrap();
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
    fn the_series_of_a_board_share_their_times() {
        let times: Arc<Times> = Arc::default();
        let mut windows = [(); 20].map(|()| Window::new(1, 0, Arc::clone(&times)));
        let polls: Vec<Vec<Datum>> = (0..20).map(polls).collect();
        for step in 0..240 {
            windows.iter_mut().zip(&polls).for_each(|(window, samples)| window.push(samples[step]));
        }
        let decoded = Decoded::default();
        for (window, samples) in windows.iter().zip(&polls) {
            assert_eq!(bits(&window.samples(&decoded).unwrap()), bits(samples));
        }
        assert_eq!(decoded.all(&times).unwrap().len(), 20 * 240);
        assert!(windows[1].size() <= 560, "{}", windows[1].size());
    }
}
