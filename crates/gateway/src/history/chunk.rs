//! A part of one series in few bytes: its samples, or what they come to by the minute or by the hour. Without loss for
//! every finite value, and pure: no file, no clock.

use thiserror::Error;

use super::bits::{Input, put_count};
use super::column;
use super::value::{self, digits_of, from_decimal, to_decimal};

/// The most samples or rollups of a chunk. What says that it has more is refused, so that a few hostile bytes cannot ask
/// for all memory.
pub const MOST_POINTS: usize = 1 << 17;

/// The form of rollups of decimals.
const DECIMALS: u8 = 0;
/// The form of any other rollups.
const OTHERS: u8 = 1;

/// Why bytes are not a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the chunk is not in order: {0}")]
pub struct ChunkError(pub(super) &'static str);

/// One value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datum {
    /// In milliseconds since 1970.
    pub time: i64,
    /// The value. Finite.
    pub value: f64,
}

/// What the samples of a minute or an hour come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rollup {
    /// The number of the minute or hour since 1970.
    pub slot: i64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The mean of all values.
    pub mean: f64,
    /// How many there are.
    pub count: u32,
}

/// Samples as bytes, which are fewer if the times are near to `base`.
#[must_use]
pub fn encode(base: i64, samples: &[Datum]) -> Vec<u8> {
    let times: Vec<i64> = samples.iter().map(|sample| sample.time.wrapping_sub(base)).collect();
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    let mut bytes = Vec::new();
    put_count(&mut bytes, samples.len());
    column::encode(&times, &mut bytes);
    value::encode(&values, &mut bytes);
    bytes
}

/// The samples that were encoded with this `base`.
///
/// # Errors
/// The bytes are not those of samples.
pub fn decode(base: i64, bytes: &[u8]) -> Result<Vec<Datum>, ChunkError> {
    let mut input = Input::new(bytes);
    let samples = take(base, &mut input)?;
    at_end(&input).map(|()| samples)
}

/// Takes samples from the front.
pub(super) fn take(base: i64, input: &mut Input<'_>) -> Result<Vec<Datum>, ChunkError> {
    let count = input.count(MOST_POINTS)?;
    let times = column::decode(count, input)?;
    let values = value::decode(count, input)?;
    let sample = |(time, value): (i64, f64)| Datum { time: time.wrapping_add(base), value };
    Ok(times.into_iter().zip(values).map(sample).collect())
}

/// Rollups as bytes.
#[must_use]
pub fn encode_rollups(rollups: &[Rollup]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_count(&mut bytes, rollups.len());
    column::encode(&rollups.iter().map(|rollup| rollup.slot).collect::<Vec<_>>(), &mut bytes);
    column::encode(&rollups.iter().map(|rollup| rollup.count.into()).collect::<Vec<_>>(), &mut bytes);
    if let Some(decimals) = Decimals::of(rollups) {
        bytes.push(DECIMALS);
        decimals.write(&mut bytes);
    } else {
        bytes.push(OTHERS);
        let parts: [fn(&Rollup) -> f64; 3] = [|rollup| rollup.min, |rollup| rollup.max, |rollup| rollup.mean];
        for part in parts {
            value::encode(&rollups.iter().map(part).collect::<Vec<_>>(), &mut bytes);
        }
    }
    bytes
}

/// The rollups that were encoded.
///
/// # Errors
/// The bytes are not those of rollups.
pub fn decode_rollups(bytes: &[u8]) -> Result<Vec<Rollup>, ChunkError> {
    let mut input = Input::new(bytes);
    let length = input.count(MOST_POINTS)?;
    let slots = column::decode(length, &mut input)?;
    let counts = column::decode(length, &mut input)?;
    let counts: Option<Vec<u32>> =
        counts.into_iter().map(|count| u32::try_from(count).ok().filter(|count| *count > 0)).collect();
    let counts = counts.ok_or(ChunkError("a count in it is out of range"))?;
    let values = match input.byte()? {
        DECIMALS => Decimals::take(length, &mut input)?.values(&counts),
        OTHERS => {
            let min = value::decode(length, &mut input)?;
            let max = value::decode(length, &mut input)?;
            let mean = value::decode(length, &mut input)?;
            min.into_iter().zip(max).zip(mean).map(|((min, max), mean)| (min, max, mean)).collect()
        }
        _ => return Err(ChunkError("its form is unknown")),
    };
    at_end(&input)?;
    let rollup = |((slot, count), (min, max, mean))| Rollup { slot, min, max, mean, count };
    Ok(slots.into_iter().zip(counts).zip(values).map(rollup).collect())
}

/// Rollups of decimals, as whole numbers: then the largest value and the mean follow almost from the smallest.
struct Decimals {
    digits: u8,
    smallest: Vec<i64>,
    /// The largest less the smallest.
    span: Vec<i64>,
    /// Twice the sum of all values, less as much as if they were as often the smallest as the largest. Of one or two
    /// samples it is zero.
    excess: Vec<i64>,
}

impl Decimals {
    /// These rollups, if nothing is lost.
    fn of(rollups: &[Rollup]) -> Option<Self> {
        let fewest = digits_of(rollups.iter().flat_map(|rollup| [rollup.min, rollup.max]))?;
        // Between the smallest and the largest there may be values of more digits.
        (fewest..=value::MOST_DIGITS).take(3).find_map(|digits| Self::with_digits(digits, rollups))
    }

    fn with_digits(digits: u8, rollups: &[Rollup]) -> Option<Self> {
        let mut decimals = Self { digits, smallest: Vec::new(), span: Vec::new(), excess: Vec::new() };
        for rollup in rollups {
            let (min, max) = (to_decimal(rollup.min, digits)?, to_decimal(rollup.max, digits)?);
            let count = i64::from(rollup.count);
            let sum = to_whole(rollup.mean * f64::from(rollup.count), digits)?;
            if mean_of(sum, rollup.count, digits).to_bits() != rollup.mean.to_bits() {
                return None;
            }
            decimals.smallest.push(min);
            decimals.span.push(max.checked_sub(min)?);
            let even = min.checked_add(max)?.checked_mul(count)?;
            decimals.excess.push(sum.checked_mul(2)?.checked_sub(even)?);
        }
        Some(decimals)
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.digits);
        for part in [&self.smallest, &self.span, &self.excess] {
            column::encode(part, bytes);
        }
    }

    fn take(length: usize, input: &mut Input<'_>) -> Result<Self, ChunkError> {
        let digits = input.byte()?;
        if digits > value::MOST_DIGITS {
            return Err(ChunkError("its form is unknown"));
        }
        let mut part = || column::decode(length, input);
        Ok(Self { digits, smallest: part()?, span: part()?, excess: part()? })
    }

    /// Smallest, largest and mean of each.
    fn values(&self, counts: &[u32]) -> Vec<(f64, f64, f64)> {
        let parts = self.smallest.iter().zip(&self.span).zip(&self.excess).zip(counts);
        let values = parts.map(|(((smallest, span), excess), count)| {
            let largest = smallest.wrapping_add(*span);
            let even = smallest.wrapping_add(largest).wrapping_mul((*count).into());
            let sum = excess.wrapping_add(even) / 2;
            let (min, max) = (from_decimal(*smallest, self.digits), from_decimal(largest, self.digits));
            (min, max, mean_of(sum, *count, self.digits))
        });
        values.collect()
    }
}

/// The whole number that is nearest to the value without its point, if it is small enough to be exact.
fn to_whole(value: f64, digits: u8) -> Option<i64> {
    let rounded = (value * value::power_of_ten(digits)).round();
    // Well below 2^53, so that the errors of the arithmetic before do not count.
    let is_exact = rounded.abs() < 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
    is_exact.then_some(rounded as i64)
}

/// The mean of so many decimals, of which this is the sum without its point.
pub(super) fn mean_of(sum: i64, count: u32, digits: u8) -> f64 {
    from_decimal(sum, digits) / f64::from(count)
}

fn at_end(input: &Input<'_>) -> Result<(), ChunkError> {
    if input.is_empty() { Ok(()) } else { Err(ChunkError("something follows its end")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rollup::{Resolution, roll_up};
    use super::*;

    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite())
    }

    fn samples() -> impl Strategy<Value = Vec<Datum>> {
        let value = prop_oneof![finite(), (-5_000..5_000_i64, 0..4_u8).prop_map(|(n, d)| from_decimal(n, d))];
        let time = prop_oneof![any::<i64>(), 1_700_000_000_000..1_700_000_100_000_i64];
        prop::collection::vec((time, value).prop_map(|(time, value)| Datum { time, value }), 0..100)
    }

    fn bits(rollup: &Rollup) -> (i64, u32, [u64; 3]) {
        (rollup.slot, rollup.count, [rollup.min, rollup.max, rollup.mean].map(f64::to_bits))
    }

    proptest! {
        #[test]
        fn samples_come_back(samples in samples(), base in any::<i64>()) {
            let decoded = decode(base, &encode(base, &samples)).unwrap();
            let bits = |datum: &Datum| (datum.time, datum.value.to_bits());
            prop_assert_eq!(decoded.iter().map(bits).collect::<Vec<_>>(), samples.iter().map(bits).collect::<Vec<_>>());
        }

        #[test]
        fn rollups_come_back(samples in samples(), counts in prop::collection::vec((1..=u32::MAX, finite()), 0..9)) {
            let mut rollups = roll_up(&samples, Resolution::Minute);
            let any = |(count, value)| Rollup { slot: 5, min: value, max: value, mean: value, count };
            rollups.extend(counts.into_iter().map(any));
            let decoded = decode_rollups(&encode_rollups(&rollups)).unwrap();
            prop_assert_eq!(decoded.iter().map(bits).collect::<Vec<_>>(), rollups.iter().map(bits).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_a_chunk_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(0, &bytes);
            if let Ok(rollups) = decode_rollups(&bytes) {
                prop_assert!(rollups.iter().all(|rollup| rollup.mean.is_finite() && rollup.count > 0));
            }
        }

        #[test]
        fn a_part_of_a_chunk_is_none(samples in samples()) {
            let bytes = encode(0, &samples);
            for length in 0..bytes.len() {
                prop_assert!(decode(0, &bytes[..length]).is_err());
            }
        }
    }

    #[test]
    fn more_points_than_there_may_be_are_refused() {
        let mut bytes = Vec::new();
        put_count(&mut bytes, MOST_POINTS + 1);
        assert!(decode(0, &bytes).is_err());
        assert!(decode_rollups(&bytes).is_err());
    }

    #[test]
    fn a_sensor_that_is_read_every_half_minute_takes_a_byte_for_each_sample() {
        // Answers come up to 16 ms late, and the temperature walks in steps of a tenth.
        let sample = |step: i64| Datum {
            time: step * 30_000 + step * 7 % 16,
            value: from_decimal(215 + (step / 3) % 5, 1),
        };
        let samples: Vec<Datum> = (0..240).map(sample).collect();
        assert!(encode(0, &samples).len() <= 240, "{}", encode(0, &samples).len());
        let minutes = roll_up(&samples, Resolution::Minute);
        assert!(encode_rollups(&minutes).len() <= minutes.len(), "{}", encode_rollups(&minutes).len());
    }
}
