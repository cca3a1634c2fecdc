//! When the samples of one board came, one after the other, as boards are read. All its series share these times: one that
//! is read in every round needs hardly more than that its next sample is as far from the one before as that was, however
//! slow the answers were.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bits::{Input, from_zigzag, to_zigzag};
use super::chunk::ChunkError;
use super::rice::{Size, read_number, write_number};
use super::row::Row;

/// The bytes of a block.
const BLOCK: usize = 120;

/// From how many milliseconds on the time between two samples is a pause.
const PAUSE: u64 = 2_000;

/// Stands for a pause, or for a time that is before the last one; all other differences are one more.
const LEAP: u64 = 0;

/// Of how many boards the times are kept once they were decoded. Boards are found some at a time, so that their series
/// take turns.
const DECODED: usize = 16;

/// The times of the samples of a board, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Times(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    row: Row<BLOCK>,
    count: u32,
    last: Last,
}

/// What the next time is compared with.
#[derive(Debug)]
struct Last {
    time: i64,
    size: Size,
}

impl Default for Last {
    fn default() -> Self {
        Self { time: 0, size: Size::FIRST }
    }
}

impl Times {
    /// Adds when a sample came, and tells how many there were before.
    pub(super) fn note(&self, time: i64) -> u32 {
        let State { row, count, last } = &mut *self.lock();
        row.add(|bits| {
            let difference = time.wrapping_sub(last.time);
            last.time = time;
            match u64::try_from(difference) {
                Ok(difference) if difference < PAUSE => last.size.put(difference + LEAP + 1, bits),
                _ => {
                    last.size.put(LEAP, bits);
                    write_number(bits, to_zigzag(difference));
                }
            }
        });
        let place = *count;
        *count += 1;
        place
    }

    /// All of them.
    fn all(&self) -> Result<Vec<i64>, ChunkError> {
        let (bytes, count) = {
            let state = self.lock();
            (state.row.bytes(), state.count)
        };
        let mut input = Input::new(&bytes);
        let mut bits = input.bits();
        let mut last = Last::default();
        let time = |_| {
            let difference = match last.size.take(&mut bits)? {
                LEAP => from_zigzag(read_number(&mut bits)?),
                difference => difference.wrapping_sub(LEAP + 1).cast_signed(),
            };
            last.time = last.time.wrapping_add(difference);
            Ok(last.time)
        };
        (0..count).map(time).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete in itself, so a panic elsewhere cannot have broken it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The times that were decoded last: all series of a board need the same ones, and come one after the other. What is added to
/// times after they were decoded is not seen.
#[derive(Debug, Default)]
pub(super) struct Decoded(RefCell<VecDeque<Known>>);

/// Times, and what they are.
type Known = (Arc<Times>, Rc<[i64]>);

impl Decoded {
    /// All times of a board.
    pub(super) fn all(&self, times: &Arc<Times>) -> Result<Rc<[i64]>, ChunkError> {
        let mut known = self.0.borrow_mut();
        let place = known.iter().position(|(one, _)| Arc::ptr_eq(one, times));
        let all = match place.and_then(|place| known.remove(place)) {
            Some((_, all)) => all,
            None => times.all()?.into(),
        };
        known.truncate(DECODED - 1);
        known.push_front((Arc::clone(times), Rc::clone(&all)));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_time_comes_back(times in prop::collection::vec(prop_oneof![any::<i64>(), 0..5_000_i64], 0..60)) {
            let noted = Times::default();
            for (place, time) in times.iter().enumerate() {
                prop_assert_eq!(noted.note(*time) as usize, place);
            }
            prop_assert_eq!(noted.all(), Ok(times));
        }
    }

    #[test]
    fn times_are_decoded_once_as_long_as_they_are_asked_for() {
        let boards = [(); 2 * DECODED].map(|()| Arc::<Times>::default());
        boards.iter().zip(0..).for_each(|(times, time)| _ = times.note(time));
        let decoded = Decoded::default();
        let first = decoded.all(&boards[0]).unwrap();
        for (times, time) in boards.iter().zip(0..) {
            assert_eq!(*decoded.all(times).unwrap(), [time]);
            assert!(Rc::ptr_eq(&decoded.all(&boards[0]).unwrap(), &first));
        }
        assert_eq!(decoded.0.take().len(), DECODED, "the others are forgotten");
    }

    #[test]
    fn a_time_takes_less_than_a_byte_however_late_some_answers_are() {
        let noted = Times::default();
        for round in 0..240 {
            let late = [0, 0, 0, 700][round % 4];
            let times = (0..20).map(|turn| {
                let answer = turn * 20 + (round + turn) * 7 % 16;
                if turn < 9 { answer } else { answer + late }
            });
            times.for_each(|time| _ = noted.note((round * 30_000 + round * 7_919 % 937 + time) as i64));
        }
        let size = noted.lock().row.bytes().len();
        assert!(size < 20 * 240, "{size}");
    }
}
