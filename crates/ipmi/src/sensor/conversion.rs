//! From raw bytes to numbers (IPMI 2.0 §36.3 to §36.5):
//!
//! `y = L((M·x + B·10^K1) · 10^K2)`
//!
//! where `x` is the raw byte as the analog format reads it, M, B and the exponents K1 and K2 come from the sensor's
//! record, and L is one of twelve functions. It knows neither units nor where the factors come from.

use super::unit::AnalogFormat;
use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// The function that is applied last (IPMI 2.0 §43.1, byte 24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Linearization {
    /// y = x
    #[default]
    Linear,
    /// y = ln x
    Ln,
    /// y = log10 x
    Log10,
    /// y = log2 x
    Log2,
    /// y = e^x
    Exp,
    /// y = 10^x
    Exp10,
    /// y = 2^x
    Exp2,
    /// y = 1/x
    Reciprocal,
    /// y = x²
    Square,
    /// y = x³
    Cube,
    /// y = √x
    SquareRoot,
    /// y = ∛x, which the specification writes as cube⁻¹(x), next to sqrt(x). ipmitool agrees; FreeIPMI takes it for
    /// 1/x³.
    CubeRoot,
    /// 70h to 7Fh: the factors differ from reading to reading and have to be asked for with
    /// [`GetSensorReadingFactors`]; every other number is reserved. Nothing can be computed.
    Other(u8),
}

impl Linearization {
    const FUNCTIONS: [Self; 12] = [
        Self::Linear,
        Self::Ln,
        Self::Log10,
        Self::Log2,
        Self::Exp,
        Self::Exp10,
        Self::Exp2,
        Self::Reciprocal,
        Self::Square,
        Self::Cube,
        Self::SquareRoot,
        Self::CubeRoot,
    ];

    /// Reads the byte; its highest bit is reserved.
    #[must_use]
    pub fn decode(byte: u8) -> Self {
        let number = byte & 0x7f;
        Self::FUNCTIONS.get(usize::from(number)).copied().unwrap_or(Self::Other(number))
    }

    /// The byte.
    #[must_use]
    pub const fn encode(self) -> u8 {
        match self {
            Self::Linear => 0,
            Self::Ln => 1,
            Self::Log10 => 2,
            Self::Log2 => 3,
            Self::Exp => 4,
            Self::Exp10 => 5,
            Self::Exp2 => 6,
            Self::Reciprocal => 7,
            Self::Square => 8,
            Self::Cube => 9,
            Self::SquareRoot => 10,
            Self::CubeRoot => 11,
            Self::Other(number) => number & 0x7f,
        }
    }

    /// Whether the factors have to be asked for with every reading.
    #[must_use]
    pub const fn needs_factors(self) -> bool {
        matches!(self, Self::Other(0x70..=0x7f))
    }

    /// Applies the function; nothing where it is not defined or not known.
    fn apply(self, x: f64) -> Option<f64> {
        let y = match self {
            Self::Linear => x,
            Self::Ln => x.ln(),
            Self::Log10 => x.log10(),
            Self::Log2 => x.log2(),
            Self::Exp => x.exp(),
            Self::Exp10 => 10_f64.powf(x),
            Self::Exp2 => x.exp2(),
            Self::Reciprocal => x.recip(),
            Self::Square => x * x,
            Self::Cube => x * x * x,
            Self::SquareRoot => x.sqrt(),
            Self::CubeRoot => x.cbrt(),
            Self::Other(_) => return None,
        };
        y.is_finite().then_some(y)
    }
}

/// What a sensor's record, or [`GetSensorReadingFactors`], says about the arithmetic (IPMI 2.0 §43.1, bytes 25 to 30;
/// §35.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Factors {
    /// M, −512 to 511.
    pub m: i16,
    /// B, −512 to 511.
    pub b: i16,
    /// K1, the exponent of B, −8 to 7.
    pub b_exponent: i8,
    /// K2, the exponent of the result, −8 to 7.
    pub result_exponent: i8,
    /// Tolerance in halves of a raw count, 0 to 63.
    pub tolerance: u8,
    /// Accuracy in hundredths of a percent before its exponent, 0 to 1023.
    pub accuracy: u16,
    /// The exponent of the accuracy, 0 to 3.
    pub accuracy_exponent: u8,
    /// The lowest two bits of the fifth byte: in a record 1 is an input, 2 an output, 0 unspecified (IPMI 2.0 §43.1,
    /// byte 29). Reserved in answers to [`GetSensorReadingFactors`].
    pub direction: u8,
}

impl Default for Factors {
    /// Raw counts are the value.
    fn default() -> Self {
        Self {
            m: 1,
            b: 0,
            b_exponent: 0,
            result_exponent: 0,
            tolerance: 0,
            accuracy: 0,
            accuracy_exponent: 0,
            direction: 0,
        }
    }
}

impl Factors {
    /// Reads the six bytes. Every combination is possible.
    #[must_use]
    pub fn decode([m, m_tolerance, b, b_accuracy, accuracy, exponents]: [u8; 6]) -> Self {
        Self {
            m: signed_10(m, m_tolerance),
            b: signed_10(b, b_accuracy),
            b_exponent: signed_4(exponents & 0x0f),
            result_exponent: signed_4(exponents >> 4),
            tolerance: m_tolerance & 0x3f,
            accuracy: u16::from(accuracy >> 4) << 6 | u16::from(b_accuracy & 0x3f),
            accuracy_exponent: accuracy >> 2 & 3,
            direction: accuracy & 3,
        }
    }

    /// The six bytes. What lies outside the ranges loses its upper bits.
    #[must_use]
    pub const fn encode(&self) -> [u8; 6] {
        let [m_low, m_high] = self.m.to_le_bytes();
        let [b_low, b_high] = self.b.to_le_bytes();
        let [accuracy_low, _] = self.accuracy.to_le_bytes();
        let [accuracy_high, _] = (self.accuracy >> 6).to_le_bytes();
        let [b_exponent] = self.b_exponent.to_le_bytes();
        let [result_exponent] = self.result_exponent.to_le_bytes();
        [
            m_low,
            m_high << 6 | self.tolerance & 0x3f,
            b_low,
            b_high << 6 | accuracy_low & 0x3f,
            accuracy_high << 4 | (self.accuracy_exponent & 3) << 2 | self.direction & 3,
            result_exponent << 4 | b_exponent & 0x0f,
        ]
    }

    /// Accuracy in percent of the reading.
    #[must_use]
    pub fn accuracy_percent(&self) -> f64 {
        scale(f64::from(self.accuracy), i32::from(self.accuracy_exponent & 3) - 2)
    }

    fn linear(&self, x: f64) -> f64 {
        let offset = scale(f64::from(self.b), i32::from(self.b_exponent));
        scale(f64::from(self.m) * x + offset, i32::from(self.result_exponent))
    }
}

/// How the readings of one sensor become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Conversion {
    /// How the raw byte is read.
    pub format: AnalogFormat,
    /// The function that comes last.
    pub linearization: Linearization,
    /// The factors.
    pub factors: Factors,
}

impl Conversion {
    /// The number that a raw reading or threshold stands for; nothing when the sensor has no numbers, the function is
    /// not defined there or not known, or the result is not finite.
    #[must_use]
    pub fn value(&self, raw: u8) -> Option<f64> {
        self.at(self.count(raw)?)
    }

    /// By how much the number of `raw` may be off either way, from the tolerance (IPMI 2.0 §36.4.1): never negative.
    /// Where the function is curved it is the larger of both sides.
    #[must_use]
    pub fn tolerance(&self, raw: u8) -> Option<f64> {
        let count = self.count(raw)?;
        let reach = f64::from(self.factors.tolerance) / 2.0;
        let value = self.at(count)?;
        let (below, above) = (self.at(count - reach)?, self.at(count + reach)?);
        Some((value - below).abs().max((above - value).abs()))
    }

    /// The raw byte whose number lies nearest to `value`: what a BMC would report for it. Nothing when no byte has a
    /// number.
    #[must_use]
    pub fn raw(&self, value: f64) -> Option<u8> {
        let distance = |raw: &u8| self.value(*raw).map(|number| ((number - value).abs(), *raw));
        let (_, raw) = (0..=u8::MAX).filter_map(|raw| distance(&raw)).min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(raw)
    }

    fn at(&self, count: f64) -> Option<f64> {
        self.linearization.apply(self.factors.linear(count))
    }

    fn count(&self, raw: u8) -> Option<f64> {
        match self.format {
            AnalogFormat::Unsigned => Some(f64::from(raw)),
            AnalogFormat::OnesComplement if raw & 0x80 != 0 => Some(-f64::from(!raw)),
            AnalogFormat::OnesComplement => Some(f64::from(raw)),
            AnalogFormat::TwosComplement => Some(f64::from(raw.cast_signed())),
            AnalogFormat::None => None,
        }
    }
}

/// Asks for the factors at one raw reading (IPMI 2.0 §35.5): of sensors whose linearization is 70h to 7Fh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GetSensorReadingFactors {
    /// The logical unit that owns the sensor, 0 to 3.
    pub lun: u8,
    /// The sensor.
    pub number: u8,
    /// The raw reading.
    pub raw: u8,
}

/// The factors at one raw reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadingFactors {
    /// The next raw reading with other factors.
    pub next_raw: u8,
    /// The factors.
    pub factors: Factors,
}

impl ReadingFactors {
    /// The data of the answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&[self.next_raw][..], &self.factors.encode()].concat()
    }
}

impl Command for GetSensorReadingFactors {
    type Output = ReadingFactors;

    const NAME: &'static str = "Get Sensor Reading Factors";

    fn request(&self) -> Request {
        Request { netfn: NetFn::SENSOR, lun: self.lun, command: 0x23, data: vec![self.number, self.raw] }
    }

    fn parse(&self, data: &[u8]) -> Result<ReadingFactors, DecodeError> {
        let mut reader = Reader::new("reading factors", data);
        Ok(ReadingFactors { next_raw: reader.u8()?, factors: Factors::decode(reader.array()?) })
    }
}

/// A number of ten bits with sign: the low byte, and the two bits on top of another byte.
fn signed_10(low: u8, high: u8) -> i16 {
    i16::from_le_bytes([low, (high.cast_signed() >> 6).cast_unsigned()])
}

/// A number of four bits with sign.
const fn signed_4(nibble: u8) -> i8 {
    (nibble << 4).cast_signed() >> 4
}

/// `value · 10^exponent`. Divided rather than multiplied by a fraction, so that 1200·10⁻² is 12 and 171·10⁻² is the
/// number nearest to 1.71.
fn scale(value: f64, exponent: i32) -> f64 {
    let power = 10_f64.powi(exponent.abs());
    if exponent < 0 { value / power } else { value * power }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn linear(m: i16, b: i16, b_exponent: i8, result_exponent: i8) -> Factors {
        Factors { m, b, b_exponent, result_exponent, ..Factors::default() }
    }

    fn unsigned(linearization: Linearization, factors: Factors) -> Conversion {
        Conversion { format: AnalogFormat::Unsigned, linearization, factors }
    }

    #[track_caller]
    fn assert_near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{value} is not {expected}");
    }

    #[test]
    fn the_twelve_functions_give_what_they_give_by_hand() {
        let at_two = linear(1, 0, 0, 0);
        let expected = [
            2.0,
            std::f64::consts::LN_2,
            std::f64::consts::LOG10_2,
            1.0,
            std::f64::consts::E * std::f64::consts::E,
            100.0,
            4.0,
            0.5,
            4.0,
            8.0,
            std::f64::consts::SQRT_2,
            1.259_921_049_894_873_2,
        ];
        for (number, expected) in (0_u8..).zip(expected) {
            assert_near(unsigned(Linearization::decode(number), at_two).value(2), expected);
        }
    }

    #[test]
    fn signs_and_exponents_apply_to_every_part() {
        let value = |factors, raw| unsigned(Linearization::Linear, factors).value(raw);
        assert_eq!(value(linear(6, 0, 0, -2), 200), Some(12.0));
        assert_eq!(value(linear(3, 0, 0, -2), 57), Some(1.71));
        assert_eq!(value(linear(1, 5, -1, 0), 100), Some(100.5));
        assert_eq!(value(linear(-500, 511, 2, -3), 77), Some(12.6));
        assert_eq!(value(linear(-512, -512, 7, 7), 255), Some(-51_201_305_600_000_000.0));
        assert_eq!(value(linear(511, 0, 0, -8), 1), Some(0.000_005_11));
    }

    #[test]
    fn the_analog_format_says_what_a_raw_byte_is() {
        let of = |format, raw| Conversion { format, ..Conversion::default() }.value(raw);
        assert_eq!(of(AnalogFormat::Unsigned, 0xf0), Some(240.0));
        assert_eq!(of(AnalogFormat::OnesComplement, 0xf0), Some(-15.0));
        assert_eq!(of(AnalogFormat::OnesComplement, 0xff), Some(0.0));
        assert_eq!(of(AnalogFormat::OnesComplement, 0x80), Some(-127.0));
        assert_eq!(of(AnalogFormat::OnesComplement, 0x7f), Some(127.0));
        assert_eq!(of(AnalogFormat::TwosComplement, 0xf0), Some(-16.0));
        assert_eq!(of(AnalogFormat::TwosComplement, 0x80), Some(-128.0));
        assert_eq!(of(AnalogFormat::None, 1), None);
    }

    #[test]
    fn what_is_not_finite_or_not_known_has_no_value() {
        let zero = linear(1, 0, 0, 0);
        assert_eq!(unsigned(Linearization::Ln, zero).value(0), None);
        assert_eq!(unsigned(Linearization::Reciprocal, zero).value(0), None);
        assert_eq!(unsigned(Linearization::SquareRoot, linear(-1, 0, 0, 0)).value(4), None);
        assert_eq!(unsigned(Linearization::Exp10, linear(511, 0, 0, 7)).value(255), None);
        assert_eq!(unsigned(Linearization::decode(0x70), zero).value(1), None);
        assert_eq!(unsigned(Linearization::decode(12), zero).value(1), None);
        assert_eq!(unsigned(Linearization::CubeRoot, linear(-1, 0, 0, 0)).value(8), Some(-2.0));
    }

    #[test]
    fn tolerance_is_in_the_unit_of_the_reading_and_positive() {
        let factors = Factors { tolerance: 3, ..linear(-500, 511, 2, -3) };
        assert_eq!(unsigned(Linearization::Linear, factors).tolerance(77), Some(0.75));
        let curved = Factors { tolerance: 2, ..linear(1, 0, 0, 0) };
        assert_eq!(unsigned(Linearization::Square, curved).tolerance(10), Some(21.0));
    }

    #[test]
    fn accuracy_is_in_percent() {
        let factors = Factors { accuracy: 55, accuracy_exponent: 1, ..Factors::default() };
        assert_eq!(factors.accuracy_percent(), 5.5);
        let factors = Factors { accuracy: 55, accuracy_exponent: 0, ..Factors::default() };
        assert_eq!(factors.accuracy_percent(), 0.55);
    }

    /// The bytes of sensor "Neg M" of a record that OpenIPMI's sdrcomp made: M -500, B 511, exponents -3 and 2,
    /// tolerance 3, accuracy 55 with exponent 1, an input.
    #[test]
    fn factors_are_packed_as_in_records() {
        let bytes = [0x0c, 0x83, 0xff, 0x77, 0x05, 0xd2];
        let factors = Factors {
            tolerance: 3,
            accuracy: 55,
            accuracy_exponent: 1,
            direction: 1,
            ..linear(-500, 511, 2, -3)
        };
        assert_eq!(Factors::decode(bytes), factors);
        assert_eq!(factors.encode(), bytes);
    }

    #[test]
    fn the_factors_of_one_reading_are_asked_for() {
        let command = GetSensorReadingFactors { lun: 1, number: 0x30, raw: 0x55 };
        let request = command.request();
        assert_eq!((request.netfn, request.lun, request.command), (NetFn::SENSOR, 1, 0x23));
        assert_eq!(request.data, [0x30, 0x55]);
        let factors = command.parse(&[0x60, 0x0c, 0x83, 0xff, 0x77, 0x05, 0xd2]).unwrap();
        assert_eq!((factors.next_raw, factors.factors.m), (0x60, -500));
        command.parse(&[0x60, 0x0c, 0x83, 0xff, 0x77, 0x05]).unwrap_err();
    }

    #[test]
    fn every_linearization_byte_comes_back() {
        for byte in 0..0x80 {
            assert_eq!(Linearization::decode(byte).encode(), byte);
            assert_eq!(Linearization::decode(byte | 0x80).encode(), byte);
        }
    }

    proptest! {
        #[test]
        fn factors_come_back(bytes: [u8; 6]) {
            prop_assert_eq!(Factors::decode(bytes).encode(), bytes);
        }

        #[test]
        fn a_raw_byte_is_found_again_by_its_value(m in 1_i16..512, b: i8, exponent in -8_i8..8, raw: u8) {
            let conversion = unsigned(Linearization::Linear, linear(m, i16::from(b), 0, exponent));
            prop_assert_eq!(conversion.raw(conversion.value(raw).unwrap()), Some(raw));
        }

        #[test]
        fn every_result_is_finite(format in 0_u8..4, linearization: u8, bytes: [u8; 6], raw: u8) {
            let conversion = Conversion {
                format: super::super::Units::decode([format << 6, 0, 0]).format,
                linearization: Linearization::decode(linearization),
                factors: Factors::decode(bytes),
            };
            for number in [conversion.value(raw), conversion.tolerance(raw)].into_iter().flatten() {
                prop_assert!(number.is_finite());
            }
        }
    }
}
