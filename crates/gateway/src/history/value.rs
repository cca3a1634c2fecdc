//! A column of values in few bits and without loss: sensors report decimals, or a few values that are not, and only
//! seldom anything else. It knows nothing of when the values were.

use std::collections::BTreeSet;

use super::bits::{Input, put_count};
use super::chunk::{ChunkError, MOST_POINTS};
use super::column;

/// The most digits after the point of a value that is taken for a decimal. It is the form of a column of decimals.
pub(super) const MOST_DIGITS: u8 = 9;
/// Stands for the digits after the point of what is no decimal.
pub(super) const NO_DIGITS: u8 = MOST_DIGITS + 1;
/// The form of a column of few values: each value once, and which one comes when.
const FEW: u8 = 0x10;
/// The form of a column of anything, plus how many low bits are zero in all of them.
const ANY: u8 = 0x40;

/// Up to here every whole number is exact (IEEE 754 binary64, 53 bits of precision).
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Adds a column in the smallest of the forms. The values must be finite.
pub(super) fn encode(values: &[f64], bytes: &mut Vec<u8>) {
    let mut smallest = as_decimals(values);
    // Otherwise, as almost always, the other forms are not worth the time.
    if smallest.as_ref().is_none_or(|decimals| decimals.len() > values.len()) {
        let forms = [smallest, as_few(values), Some(as_any(values))];
        smallest = forms.into_iter().flatten().min_by_key(Vec::len);
    }
    bytes.extend(smallest.unwrap_or_default());
}

/// Takes a column of so many values, all of them finite.
pub(super) fn decode(count: usize, input: &mut Input<'_>) -> Result<Vec<f64>, ChunkError> {
    match input.byte()? {
        digits @ 0..=MOST_DIGITS => {
            let numbers = column::decode(count, input)?;
            Ok(numbers.into_iter().map(|number| from_decimal(number, digits)).collect())
        }
        FEW => {
            let distinct = input.count(MOST_POINTS)?;
            let zeros = input.byte()?;
            let values = decode_any(distinct, zeros, input)?;
            let places = column::decode(count, input)?;
            let value = |place: i64| usize::try_from(place).ok().and_then(|place| values.get(place)).copied();
            let found: Option<Vec<f64>> = places.into_iter().map(value).collect();
            found.ok_or(ChunkError("it names a value that it does not have"))
        }
        form => decode_any(count, form.checked_sub(ANY).ok_or(ChunkError("its form is unknown"))?, input),
    }
}

fn as_decimals(values: &[f64]) -> Option<Vec<u8>> {
    let digits = digits_of(values.iter().copied())?;
    let numbers: Option<Vec<i64>> = values.iter().map(|value| to_decimal(*value, digits)).collect();
    let mut bytes = vec![digits];
    column::encode(&numbers?, &mut bytes);
    Some(bytes)
}

fn as_few(values: &[f64]) -> Option<Vec<u8>> {
    let places: BTreeSet<i64> = values.iter().map(|value| to_place(*value, 0)).collect();
    let places: Vec<i64> = places.into_iter().collect();
    if places.len() > values.len() / 2 {
        return None;
    }
    let distinct: Vec<f64> = places.iter().map(|place| from_place(*place, 0)).collect();
    let mut bytes = vec![FEW];
    put_count(&mut bytes, distinct.len());
    encode_any(&distinct, 0, &mut bytes);
    let which = values.iter().map(|value| places.binary_search(&to_place(*value, 0)).unwrap_or_default());
    // There are fewer than numbers of 63 bits.
    let which: Vec<i64> = which.map(|place| (place as u64).cast_signed()).collect();
    column::encode(&which, &mut bytes);
    Some(bytes)
}

fn as_any(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_any(values, ANY, &mut bytes);
    bytes
}

/// Adds how many low bits are zero in all values, on top of `form`, and the rest of each value as a number.
fn encode_any(values: &[f64], form: u8, bytes: &mut Vec<u8>) {
    let used = values.iter().fold(0, |used, value| used | value.to_bits());
    // The exponent has bits, if there is anything but zeros.
    let zeros = used.trailing_zeros().min(52);
    let [low, ..] = zeros.to_le_bytes();
    bytes.push(form + low);
    let places: Vec<i64> = values.iter().map(|value| to_place(*value, zeros)).collect();
    column::encode(&places, bytes);
}

fn decode_any(count: usize, zeros: u8, input: &mut Input<'_>) -> Result<Vec<f64>, ChunkError> {
    if zeros > 52 {
        return Err(ChunkError("its form is unknown"));
    }
    let places = column::decode(count, input)?;
    let values: Vec<f64> = places.into_iter().map(|place| from_place(place, zeros.into())).collect();
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(ChunkError("a value in it is not finite"))
    }
}

/// A number that orders as the values do, so that values near to each other have numbers near to each other. So many low
/// bits of the value are zero, and left out.
const fn to_place(value: f64, zeros: u32) -> i64 {
    let bits = value.to_bits().cast_signed();
    let magnitude = (bits & i64::MAX) >> zeros;
    if bits < 0 { !magnitude } else { magnitude }
}

const fn from_place(place: i64, zeros: u32) -> f64 {
    let bits = if place < 0 { (!place << zeros) | i64::MIN } else { place << zeros };
    f64::from_bits(bits.cast_unsigned())
}

/// The fewest digits after the point that all values need, if all are decimals.
pub(super) fn digits_of(values: impl Iterator<Item = f64>) -> Option<u8> {
    let mut most = 0;
    for value in values {
        most = (most..=MOST_DIGITS).find(|digits| to_decimal(value, *digits).is_some())?;
    }
    Some(most)
}

/// The value without its point, if it has no more digits after it and is exactly the value that they mean.
pub(super) fn to_decimal(value: f64, digits: u8) -> Option<i64> {
    let shifted = (value * power_of_ten(digits)).round();
    if shifted.abs() > MOST_EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
    let number = shifted as i64;
    (from_decimal(number, digits).to_bits() == value.to_bits()).then_some(number)
}

/// The fewest digits after the point of a value, and the value without it; of what is no decimal [`NO_DIGITS`] and its
/// bits.
pub(super) fn to_parts(value: f64) -> (u8, i64) {
    let parts = |digits: u8| Some((digits, to_decimal(value, digits)?));
    (0..=MOST_DIGITS).find_map(parts).unwrap_or((NO_DIGITS, value.to_bits().cast_signed()))
}

/// The value that was taken apart.
pub(super) fn from_parts(digits: u8, number: i64) -> f64 {
    if digits <= MOST_DIGITS { from_decimal(number, digits) } else { f64::from_bits(number.cast_unsigned()) }
}

/// The value of a number whose last so many digits are after the point.
pub(super) fn from_decimal(number: i64, digits: u8) -> f64 {
    number as f64 / power_of_ten(digits)
}

pub(super) fn power_of_ten(digits: u8) -> f64 {
    const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
    POWERS.get(usize::from(digits)).copied().unwrap_or(1e9)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        bytes
    }

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite())
    }

    proptest! {
        #[test]
        fn every_finite_value_comes_back(values in prop_oneof![
            prop::collection::vec(finite(), 0..80),
            prop::collection::vec((-100_000..100_000_i64, 0..=MOST_DIGITS).prop_map(|(n, d)| from_decimal(n, d)), 0..80),
            prop::collection::vec(prop::sample::select(vec![0.1 + 0.2, -0.0, 0.0, f64::MAX, f64::MIN_POSITIVE, 5e-324]), 0..80),
            prop::collection::vec(any::<f32>().prop_map(f64::from).prop_filter("finite", |value| value.is_finite()), 0..80),
        ]) {
            let bytes = encoded(&values);
            let mut input = Input::new(&bytes);
            let decoded = decode(values.len(), &mut input).unwrap();
            prop_assert_eq!(bits(&decoded), bits(&values));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_bytes_are_finite_values_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0..100_usize) {
            if let Ok(values) = decode(count, &mut Input::new(&bytes)) {
                prop_assert_eq!(values.len(), count);
                prop_assert!(values.iter().all(|value| value.is_finite()));
            }
        }
    }

    #[test]
    fn decimals_and_few_values_are_small() {
        let decimals: Vec<f64> = (0..240).map(|step| f64::from(450 + step % 4) / 10.0).collect();
        assert!(encoded(&decimals).len() <= 240 * 3 / 8, "{}", encoded(&decimals).len());
        let few: Vec<f64> = (0..240).map(|step| 0.057_6 * f64::from(200 + step % 4) + 0.1 / 3.0).collect();
        assert!(encoded(&few).len() <= 240 * 3 / 8 + 40, "{}", encoded(&few).len());
    }
}
