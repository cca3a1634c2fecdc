//! Any bytes as a chunk of the history, and any samples in one.
//!
//! The promises: what is a chunk is one again when it is written anew, with the same content; samples come back as they
//! were, bit by bit.

use arbitrary::{Arbitrary, Unstructured};
use opendcre_gateway::history_chunk::{Datum, Rollup, decode, decode_rollups, encode, encode_rollups};

/// Takes the bytes as samples, as rollups, and as what samples are made of.
pub fn history(data: &[u8]) {
    if let Ok(samples) = decode(0, data) {
        check(0, &samples);
    }
    if let Ok(rollups) = decode_rollups(data) {
        let again = decode_rollups(&encode_rollups(&rollups)).unwrap_or_default();
        assert_eq!(
            rollups.iter().map(rollup_bits).collect::<Vec<_>>(),
            again.iter().map(rollup_bits).collect::<Vec<_>>()
        );
    }
    if let Ok(series) = Series::arbitrary_take_rest(Unstructured::new(data)) {
        check(series.base, &series.samples());
    }
}

fn check(base: i64, samples: &[Datum]) {
    let again = decode(base, &encode(base, samples)).unwrap_or_default();
    assert_eq!(samples.iter().map(bits).collect::<Vec<_>>(), again.iter().map(bits).collect::<Vec<_>>());
}

fn bits(sample: &Datum) -> (i64, u64) {
    (sample.time, sample.value.to_bits())
}

fn rollup_bits(rollup: &Rollup) -> (i64, u32, [u64; 3]) {
    (rollup.slot, rollup.count, [rollup.min, rollup.max, rollup.mean].map(f64::to_bits))
}

#[derive(Debug, Arbitrary)]
struct Series {
    base: i64,
    pace: i16,
    /// How late each sample is, and its value.
    samples: Vec<(i16, Value)>,
}

#[derive(Debug, Arbitrary)]
enum Value {
    Decimal(i16, u8),
    Any(f64),
}

impl Series {
    fn samples(&self) -> Vec<Datum> {
        let mut time = self.base;
        let samples = self.samples.iter().map(|(late, value)| {
            time = time.wrapping_add(i64::from(self.pace));
            Datum { time: time.wrapping_add(i64::from(*late)), value: value.number() }
        });
        samples.filter(|sample| sample.value.is_finite()).collect()
    }
}

impl Value {
    fn number(&self) -> f64 {
        match self {
            Self::Decimal(number, digits) => f64::from(*number) / 10_f64.powi(i32::from(digits % 12)),
            Self::Any(number) => *number,
        }
    }
}
