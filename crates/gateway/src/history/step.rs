//! Values that come one after the other, each as what it differs from the one before, without loss. It knows nothing of
//! when the values came.
//!
//! Sensors count in units: revolutions in hundreds, volts in steps of a converter. Decimals are taken as numbers without
//! their points, and the differences in the largest unit that has fitted all of them so far. What is no decimal is one of a
//! few values, each of which is written once; a difference is then how many of them lie between.

use std::mem;

use super::bits::{BitReader, BitWriter, from_zigzag, to_zigzag};
use super::chunk::ChunkError;
use super::rice::{Size, read_number, write_number};
use super::value::{MOST_DIGITS, NO_DIGITS, from_decimal, to_decimal, to_parts};

/// Stands for a value that is written in full, in place of a difference; all differences are one more.
const CHANGE: u64 = 0;
/// The bits of the digits of a value.
const DIGITS_BITS: u32 = 4;

/// The most values that are known.
const MOST_KNOWN: usize = 64;

/// What the next value is compared with.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    form: Form,
    /// The last value without its point, or its place among those that are known.
    number: i64,
    size: Size,
}

#[derive(Debug, Clone)]
enum Form {
    /// Decimals with so many digits after the point. They differ by multiples of the unit, which is zero as long as they
    /// do not differ.
    Decimals { digits: u8, unit: i64 },
    /// One of these values, whose bits are in their order as numbers.
    Known(Vec<i64>),
}

impl Steps {
    /// Before the first value.
    pub(super) const FIRST: Self = Self { form: Form::Known(Vec::new()), number: 0, size: Size::FIRST };

    /// Adds a value.
    pub(super) fn put(&mut self, value: f64, bits: &mut BitWriter<'_>) {
        if let Some(step) = self.step(value) {
            self.size.put(step, bits);
            self.go(step);
        } else {
            let (digits, number) = self.parts(value);
            self.size.put(CHANGE, bits);
            bits.write(digits.into(), DIGITS_BITS);
            write_number(bits, to_zigzag(number));
            self.change(digits, number);
        }
    }

    /// The next value.
    pub(super) fn take(&mut self, bits: &mut BitReader<'_, '_>) -> Result<f64, ChunkError> {
        match self.size.take(bits)? {
            CHANGE => {
                let digits = u8::try_from(bits.read(DIGITS_BITS)?).unwrap_or(NO_DIGITS);
                self.change(digits, from_zigzag(read_number(bits)?));
            }
            step => self.go(step),
        }
        self.value().ok_or(ChunkError("it names a value that it does not have"))
    }

    fn value(&self) -> Option<f64> {
        match &self.form {
            Form::Decimals { digits, .. } => Some(from_decimal(self.number, *digits)),
            Form::Known(values) => {
                let bits = usize::try_from(self.number).ok().and_then(|place| values.get(place))?;
                Some(f64::from_bits(bits.cast_unsigned()))
            }
        }
    }

    /// By how much the value differs, if that can be said.
    fn step(&self, value: f64) -> Option<u64> {
        let steps = match &self.form {
            Form::Decimals { digits, unit } => {
                let difference = to_decimal(value, *digits)?.checked_sub(self.number)?;
                if difference == 0 {
                    0
                } else {
                    (difference.checked_rem(*unit)? == 0).then(|| difference / unit)?
                }
            }
            Form::Known(values) => {
                to_number(values.binary_search(&value.to_bits().cast_signed()).ok()?) - self.number
            }
        };
        to_zigzag(steps).checked_add(CHANGE + 1)
    }

    /// Goes on to the value that differs so much.
    fn go(&mut self, step: u64) {
        let steps = from_zigzag(step.wrapping_sub(CHANGE + 1));
        let difference = match self.form {
            Form::Decimals { unit, .. } => steps.wrapping_mul(unit),
            Form::Known(_) => steps,
        };
        self.number = self.number.wrapping_add(difference);
    }

    /// A value that has to be written in full: its digits, and its number without its point or its bits.
    fn parts(&self, value: f64) -> (u8, i64) {
        let parts = match &self.form {
            Form::Decimals { digits, .. } => to_decimal(value, *digits).map(|number| (*digits, number)),
            Form::Known(values) => {
                let has_room = !values.is_empty() && values.len() < MOST_KNOWN;
                has_room.then(|| (NO_DIGITS, value.to_bits().cast_signed()))
            }
        };
        parts.unwrap_or_else(|| to_parts(value))
    }

    /// Goes on to a value that was written in full.
    fn change(&mut self, digits: u8, number: i64) {
        if digits <= MOST_DIGITS {
            let unit = self.unit_with(digits, number).unwrap_or(0);
            self.form = Form::Decimals { digits, unit };
            self.number = number;
        } else {
            let mut values = match &mut self.form {
                Form::Known(values) if values.len() < MOST_KNOWN => mem::take(values),
                _ => Vec::new(),
            };
            let place = values.binary_search(&number).unwrap_or_else(|place| place);
            values.insert(place, number);
            self.form = Form::Known(values);
            self.number = to_number(place);
        }
    }

    /// The largest unit that also fits this number with as many digits as there were, or more.
    fn unit_with(&self, digits: u8, number: i64) -> Option<i64> {
        let Form::Decimals { digits: before, unit } = self.form else { return None };
        let scale = 10_i64.checked_pow(digits.checked_sub(before)?.into())?;
        let difference = number.checked_sub(self.number.checked_mul(scale)?)?;
        let unit = unit.checked_mul(scale)?;
        i64::try_from(common_divisor(unit.unsigned_abs(), difference.unsigned_abs())).ok()
    }

    /// What it takes of the memory beside itself, in bytes.
    pub(super) const fn size(&self) -> usize {
        match &self.form {
            Form::Decimals { .. } => 0,
            Form::Known(values) => values.capacity() * size_of::<i64>(),
        }
    }
}

/// A place among few as a number.
const fn to_number(place: usize) -> i64 {
    (place as u64).cast_signed()
}

/// The greatest common divisor (Euclid).
const fn common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bits::Input;
    use super::super::value::from_parts;
    use super::*;

    fn encoded(values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (mut bits, mut steps) = (BitWriter::new(&mut bytes), Steps::FIRST);
        values.iter().for_each(|value| steps.put(*value, &mut bits));
        bits.finish();
        bytes
    }

    fn decoded(bytes: &[u8], count: usize) -> Result<Vec<f64>, ChunkError> {
        let mut input = Input::new(bytes);
        let (mut bits, mut steps) = (input.bits(), Steps::FIRST);
        (0..count).map(|_| steps.take(&mut bits)).collect()
    }

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// What a converter with eight bits makes of what it measures.
    fn converted(convert: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..240_u32).map(|step| convert(f64::from(100 + step * step % 7))).collect()
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()),
            (-5_000..5_000_i64, 0..=MOST_DIGITS).prop_map(|(number, digits)| from_parts(digits, number)),
            (-9..9_i64, prop::sample::select(vec![3, 17, 100, i64::MAX / 20]))
                .prop_map(|(steps, unit)| from_parts(3, 4 + steps * unit)),
            (0..100_i32).prop_map(|number| f64::from(number).sqrt()),
            prop::sample::select(vec![
                0.0,
                -0.0,
                0.1 + 0.2,
                9e15,
                -9e15,
                f64::MAX,
                f64::MIN_POSITIVE,
                5e-324
            ]),
        ]
    }

    proptest! {
        #[test]
        fn every_value_comes_back(values in prop::collection::vec(any_value(), 0..300)) {
            let found = decoded(&encoded(&values), values.len()).unwrap();
            prop_assert_eq!(bits(&found), bits(&values));
        }

        #[test]
        fn more_values_than_can_be_known_come_back(values in prop::collection::vec(0..120_u32, 0..600)) {
            let values: Vec<f64> = values.into_iter().map(|number| -f64::from(number).sqrt()).collect();
            let found = decoded(&encoded(&values), values.len()).unwrap();
            prop_assert_eq!(bits(&found), bits(&values));
        }

        #[test]
        fn any_bytes_are_values_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80), count in 0..100_usize) {
            let _ = decoded(&bytes, count);
        }
    }

    #[test]
    fn a_step_takes_the_same_in_every_unit() {
        let plain = encoded(&converted(|raw| raw)).len();
        for (name, values) in [
            ("revolutions", converted(|raw| raw * 100.0)),
            ("volts", converted(|raw| raw * 17.0 / 1000.0)),
            ("watts", converted(|raw| raw * 3.0 + 4.0)),
        ] {
            let size = encoded(&values).len();
            assert!(size <= plain + 10, "{name}: {size}, not {plain}");
        }
        // The values themselves are written once.
        let flow = encoded(&converted(|raw| (raw * 40.0).sqrt())).len();
        assert!(flow <= plain + 7 * 12, "{flow}, not {plain}");
    }
}
