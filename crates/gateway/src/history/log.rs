//! Rows of the log: the samples that came between two commits, as few bytes. It knows nothing of files.

use super::bits::{Input, put_count};
use super::chunk::{ChunkError, MOST_POINTS};
use super::column;
use super::value::{NO_DIGITS, from_parts, to_parts};

/// The most samples of a row.
pub(super) const MOST_ENTRIES: usize = 1 << 15;

/// A sample and its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    /// The number of the series.
    pub(super) series: u32,
    /// In milliseconds since 1970.
    pub(super) time: i64,
    /// The value. Finite.
    pub(super) value: f64,
}

/// A row of these samples.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let parts = entries.iter().map(|entry| to_parts(entry.value));
    let (digits, numbers): (Vec<i64>, Vec<i64>) =
        parts.map(|(digits, number)| (i64::from(digits), number)).unzip();
    let mut bytes = Vec::new();
    put_count(&mut bytes, entries.len());
    column::encode(&entries.iter().map(|entry| entry.series.into()).collect::<Vec<_>>(), &mut bytes);
    column::encode(&entries.iter().map(|entry| entry.time).collect::<Vec<_>>(), &mut bytes);
    column::encode(&digits, &mut bytes);
    column::encode(&numbers, &mut bytes);
    bytes
}

/// The samples of a row.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, ChunkError> {
    let mut input = Input::new(bytes);
    let count = input.count(MOST_POINTS)?;
    let mut column = || column::decode(count, &mut input);
    let (series, times, digits, numbers) = (column()?, column()?, column()?, column()?);
    let entries = series.into_iter().zip(times).zip(digits.into_iter().zip(numbers));
    let entry = |((series, time), (digits, number))| {
        let series = u32::try_from(series).map_err(|_| ChunkError("a series in it is out of range"))?;
        let value = from_parts(u8::try_from(digits).unwrap_or(NO_DIGITS), number);
        let is_finite = value.is_finite().then_some(Entry { series, time, value });
        is_finite.ok_or(ChunkError("a value in it is not finite"))
    };
    entries.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_comes_back(entries in prop::collection::vec((any::<u32>(), any::<i64>(), any::<f64>()), 0..60)) {
            let entries: Vec<Entry> = entries
                .into_iter()
                .filter(|(_, _, value)| value.is_finite())
                .map(|(series, time, value)| Entry { series, time, value })
                .collect();
            prop_assert_eq!(decode(&encode(&entries)), Ok(entries));
        }

        #[test]
        fn any_bytes_are_a_row_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_row_takes_about_three_bytes_for_each_sample() {
        let entry = |index: u32| Entry {
            series: index % 2_000,
            time: 1_700_000_000_000 + i64::from(index * 3 / 2),
            value: f64::from(200 + index * 31 % 400) / 10.0,
        };
        let entries: Vec<Entry> = (0..6_667).map(entry).collect();
        let size = encode(&entries).len();
        assert!(size <= 3 * entries.len(), "{size}");
    }
}
