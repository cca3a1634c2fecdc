//! What samples come to by the minute and by the hour, and how newer samples change it. Pure arithmetic.

use super::chunk::{Datum, MOST_POINTS, Rollup, mean_of};
use super::value::{digits_of, to_decimal};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// How finely something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resolution {
    /// Every sample.
    Raw,
    /// A rollup for each minute.
    Minute,
    /// A rollup for each hour.
    Hour,
}

impl Resolution {
    pub(super) const ALL: [Self; 3] = [Self::Raw, Self::Minute, Self::Hour];

    /// The time of one rollup in milliseconds; nothing for samples.
    pub(super) const fn slot(self) -> Option<i64> {
        match self {
            Self::Raw => None,
            Self::Minute => Some(MINUTE),
            Self::Hour => Some(HOUR),
        }
    }

    /// The time of one chunk in milliseconds. Chunks begin at whole multiples of it since 1970.
    ///
    /// A longer time needs fewer bytes on the disk and more of the memory, in which it is gathered.
    pub(super) const fn period(self) -> i64 {
        match self {
            Self::Raw | Self::Minute => 2 * HOUR,
            Self::Hour => 24 * HOUR,
        }
    }

    /// When a period begins, in milliseconds since 1970.
    pub(super) const fn start(self, period: i64) -> i64 {
        period.saturating_mul(self.period())
    }
}

/// The rollups of samples that are in the order of their times; nothing for [`Resolution::Raw`].
pub(super) fn roll_up(samples: &[Datum], resolution: Resolution) -> Vec<Rollup> {
    let Some(slot) = resolution.slot() else { return Vec::new() };
    let digits = digits_of(samples.iter().map(|sample| sample.value));
    let slots = samples.chunk_by(|one, next| one.time.div_euclid(slot) == next.time.div_euclid(slot));
    slots.filter_map(|samples| rollup(samples, slot, digits)).collect()
}

fn rollup(samples: &[Datum], slot: i64, digits: Option<u8>) -> Option<Rollup> {
    let first = samples.first()?;
    let values = samples.iter().map(|sample| sample.value);
    let one =
        |value| Rollup { slot: first.time.div_euclid(slot), min: value, max: value, mean: value, count: 1 };
    let mut rollup = values.clone().map(one).reduce(|one, other| one.and(&other))?;
    // Exact, and so without the last digits that would cost bytes and tell nothing.
    let sum = digits.and_then(|digits| {
        let numbers = values.map(|value| to_decimal(value, digits));
        numbers.sum::<Option<i64>>().map(|sum| mean_of(sum, rollup.count, digits))
    });
    rollup.mean = sum.unwrap_or(rollup.mean);
    Some(rollup)
}

impl Rollup {
    /// Both together, in the slot of this one.
    #[must_use]
    pub(super) fn and(&self, other: &Self) -> Self {
        let count = self.count.saturating_add(other.count);
        let (min, max) = (self.min.min(other.min), self.max.max(other.max));
        let share = f64::from(other.count) / (f64::from(self.count) + f64::from(other.count));
        // Each part is finite, also where the difference of both means would not be.
        let mean = (self.mean * (1.0 - share) + other.mean * share).clamp(min, max);
        Self { slot: self.slot, min, max, mean, count }
    }
}

/// Samples and later ones in the order of their times; of a moment the latest one. Beyond the room of a chunk, the last
/// ones are left out; how many is told.
pub(super) fn merge_samples(mut samples: Vec<Datum>, later: Vec<Datum>) -> (Vec<Datum>, usize) {
    samples.extend(later);
    // Stable: what was known later stays behind.
    samples.sort_by_key(|sample| sample.time);
    samples.reverse();
    samples.dedup_by_key(|sample| sample.time);
    samples.reverse();
    let surplus = samples.len().saturating_sub(MOST_POINTS);
    samples.truncate(MOST_POINTS);
    (samples, surplus)
}

/// Rollups and newer ones in the order of their slots. Of a slot in both, the newer one counts if it is `complete`, which
/// is to say made of all samples that are known; otherwise both together.
pub(super) fn merge_rollups(older: Vec<Rollup>, newer: Vec<Rollup>, is_complete: bool) -> Vec<Rollup> {
    let mut rollups = older;
    rollups.extend(newer);
    rollups.sort_by_key(|rollup| rollup.slot);
    rollups.dedup_by(|newer, older| {
        let is_same = newer.slot == older.slot;
        if is_same {
            *older = if is_complete { *newer } else { older.and(newer) };
        }
        is_same
    });
    rollups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datum(time: i64, value: f64) -> Datum {
        Datum { time, value }
    }

    #[test]
    fn samples_are_rolled_up_by_the_minute_also_before_1970() {
        let samples = [datum(-1, 4.0), datum(0, 1.1), datum(30_000, 2.2), datum(60_000, 5.0)];
        let rollups = roll_up(&samples, Resolution::Minute);
        let expected = Rollup { slot: 0, min: 1.1, max: 2.2, mean: 1.65, count: 2 };
        assert_eq!(rollups.iter().map(|rollup| rollup.slot).collect::<Vec<_>>(), [-1, 0, 1]);
        assert_eq!(rollups[1], expected);
        assert_eq!(roll_up(&samples, Resolution::Hour)[1].count, 3);
    }

    #[test]
    fn of_a_moment_the_latest_sample_counts() {
        let (samples, surplus) = merge_samples(
            vec![datum(1, 1.0), datum(3, 3.0)],
            vec![datum(2, 2.0), datum(1, 9.0), datum(1, 7.0)],
        );
        assert_eq!((samples, surplus), (vec![datum(1, 7.0), datum(2, 2.0), datum(3, 3.0)], 0));
    }

    #[test]
    fn no_more_samples_than_a_chunk_has_room_for() {
        let samples: Vec<Datum> = (0..MOST_POINTS as i64 + 5).map(|time| datum(time, 0.0)).collect();
        let (samples, surplus) = merge_samples(samples, Vec::new());
        assert_eq!((samples.len(), surplus), (MOST_POINTS, 5));
    }

    #[test]
    fn newer_rollups_replace_or_add() {
        let one = Rollup { slot: 1, min: 1.0, max: 1.0, mean: 1.0, count: 1 };
        let two = Rollup { slot: 1, min: 4.0, max: 4.0, mean: 4.0, count: 2 };
        assert_eq!(merge_rollups(vec![one], vec![two], true), [two]);
        let both = Rollup { slot: 1, min: 1.0, max: 4.0, mean: 3.0, count: 3 };
        assert_eq!(merge_rollups(vec![one], vec![two], false), [both]);
    }

    proptest! {
        #[test]
        fn the_mean_lies_between_the_smallest_and_the_largest(values in prop::collection::vec(
            any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()), 1..50)
        ) {
            let samples: Vec<Datum> = values.iter().map(|value| datum(5, *value)).collect();
            let rollup = roll_up(&samples, Resolution::Hour)[0];
            prop_assert!(rollup.min <= rollup.mean && rollup.mean <= rollup.max, "{:?}", rollup);
        }
    }
}
