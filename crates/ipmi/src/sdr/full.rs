//! Full sensor records, type 01h: sensors with numbers, thresholds and their arithmetic (IPMI 2.0 §43.1, table 43-1).

use super::common::{Hysteresis, SensorCommon};
use super::name;
use crate::DecodeError;
use crate::sensor::{AnalogFormat, Conversion, Factors, Interpretation, Linearization, Thresholds};
use crate::wire::Reader;

/// A full sensor record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FullSensor {
    /// What compact sensors have too.
    pub common: SensorCommon,
    /// The function that is applied last.
    pub linearization: Linearization,
    /// The factors of the arithmetic.
    pub factors: Factors,
    /// The usual raw reading.
    pub nominal: Option<u8>,
    /// The highest raw reading in normal operation.
    pub normal_maximum: Option<u8>,
    /// The lowest raw reading in normal operation.
    pub normal_minimum: Option<u8>,
    /// The highest raw reading that the sensor can give.
    pub maximum: u8,
    /// The lowest raw reading that the sensor can give.
    pub minimum: u8,
    /// The thresholds that an initialization agent writes, raw, in the order of their bits, whether the sensor has
    /// them or not; see [`FullSensor::thresholds`].
    pub initial_thresholds: [u8; 6],
    /// The hysteresis that an initialization agent writes.
    pub hysteresis: Hysteresis,
    /// For OEM use.
    pub oem: u8,
    /// The sensor's name.
    pub name: String,
}

impl FullSensor {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a full sensor record", body);
        let common = SensorCommon::decode(&mut reader)?;
        let linearization = Linearization::decode(reader.u8()?);
        let factors = Factors::decode(reader.array()?);
        let [given, nominal, normal_maximum, normal_minimum, maximum, minimum] = reader.array()?;
        let mut initial_thresholds = reader.array()?;
        // A record has them from the highest to the lowest bit.
        initial_thresholds.reverse();
        let [positive, negative, _, _, oem] = reader.array()?;
        Ok(Self {
            common,
            linearization,
            factors,
            nominal: (given & 1 != 0).then_some(nominal),
            normal_maximum: (given & 2 != 0).then_some(normal_maximum),
            normal_minimum: (given & 4 != 0).then_some(normal_minimum),
            maximum,
            minimum,
            initial_thresholds,
            hysteresis: Hysteresis { positive, negative },
            oem,
            name: name::read(&mut reader)?,
        })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        self.common.encode(&mut body);
        body.push(self.linearization.encode());
        body.extend(self.factors.encode());
        let given = u8::from(self.nominal.is_some())
            | u8::from(self.normal_maximum.is_some()) << 1
            | u8::from(self.normal_minimum.is_some()) << 2;
        body.push(given);
        body.extend([self.nominal, self.normal_maximum, self.normal_minimum].map(Option::unwrap_or_default));
        body.extend([self.maximum, self.minimum]);
        body.extend(self.initial_thresholds.iter().rev());
        body.extend([self.hysteresis.positive, self.hysteresis.negative, 0, 0, self.oem]);
        name::write(&mut body, &self.name);
        body
    }

    /// The thresholds that can be read, as the record has them, raw. Those that the sensor has now are asked for with
    /// [`GetSensorThresholds`](crate::sensor::GetSensorThresholds).
    #[must_use]
    pub fn thresholds(&self) -> Thresholds<u8> {
        if !self.common.has_thresholds() {
            return Thresholds::default();
        }
        Thresholds::masked(self.initial_thresholds, self.common.masks.readable_thresholds())
    }

    /// How raw readings become numbers; nothing for sensors that have none: by their analog format, or because
    /// neither thresholds nor a unit say that the byte is a number.
    #[must_use]
    pub fn conversion(&self) -> Option<Conversion> {
        let SensorCommon { units, .. } = self.common;
        let is_number =
            units.format != AnalogFormat::None && (self.common.has_thresholds() || units.is_specified());
        is_number.then_some(Conversion {
            format: units.format,
            linearization: self.linearization,
            factors: self.factors,
        })
    }

    /// The number that a raw reading or threshold stands for; see [`Conversion::value`].
    #[must_use]
    pub fn convert(&self, raw: u8) -> Option<f64> {
        self.conversion()?.value(raw)
    }

    /// The same sensor with the factors of one reading, for sensors whose linearization
    /// [needs them](Linearization::needs_factors): with them it is linear, at this reading only (IPMI 2.0 §36.2).
    #[must_use]
    pub fn with_factors(&self, factors: Factors) -> Self {
        Self { factors, linearization: Linearization::Linear, ..self.clone() }
    }

    /// What has to be known to read the sensor.
    #[must_use]
    pub fn interpretation(&self) -> Interpretation {
        self.common.interpretation(self.conversion())
    }
}

#[cfg(test)]
mod tests {
    use super::super::common::SensorAddress;
    use super::*;

    /// The body of a record that OpenIPMI's sdrcomp made: "Neg M".
    const NEG_M: [u8; 48] = [
        0x20, 0x00, 0x32, 0x07, 0x01, 0x45, 0x68, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x3f, 0x00, 0x00, 0x12,
        0x00, 0x00, 0x0c, 0x83, 0xff, 0x77, 0x05, 0xd2, 0x07, 0x28, 0x5a, 0x14, 0xff, 0x00, 0xfa, 0x5a, 0x50,
        0x0a, 0x14, 0x1e, 0x02, 0x01, 0x00, 0x00, 0x00, 0xc5, b'N', b'e', b'g', b' ', b'M',
    ];

    /// ipmitool shows: reading 12.600 (+/- -0.750) RPM, nominal 31.100, normal 41.100 to 6.100, positive hysteresis
    /// -1.000, and thresholds 46.100, 41.100, 36.100, 11.100, 6.100 and -73.900.
    #[test]
    fn every_field_is_found() {
        let sensor = FullSensor::decode(&NEG_M).unwrap();
        assert_eq!(sensor.name, "Neg M");
        assert_eq!(sensor.common.address, SensorAddress::of_bmc(0x32));
        assert_eq!(sensor.convert(77), Some(12.6));
        assert_eq!(sensor.conversion().unwrap().tolerance(77), Some(0.75));
        assert_eq!(sensor.nominal.and_then(|raw| sensor.convert(raw)), Some(31.1));
        assert_eq!(sensor.normal_minimum.and_then(|raw| sensor.convert(raw)), Some(41.1));
        assert_eq!(sensor.normal_maximum.and_then(|raw| sensor.convert(raw)), Some(6.1));
        assert_eq!((sensor.maximum, sensor.minimum), (255, 0));
        assert_eq!(sensor.hysteresis, Hysteresis { positive: 2, negative: 1 });
        let thresholds = sensor.thresholds().convert(|raw| sensor.convert(raw));
        let expected = Thresholds {
            lower_non_recoverable: Some(46.1),
            lower_critical: Some(41.1),
            lower_non_critical: Some(36.1),
            upper_non_critical: Some(11.1),
            upper_critical: Some(6.1),
            upper_non_recoverable: Some(-73.9),
        };
        assert_eq!(thresholds, expected);
        assert_eq!(sensor.encode(), NEG_M);
    }

    #[test]
    fn a_sensor_without_fixed_factors_is_read_with_those_of_the_reading() {
        let mut body = NEG_M;
        body[18] = 0x71;
        let sensor = FullSensor::decode(&body).unwrap();
        assert!(sensor.linearization.needs_factors());
        assert_eq!(sensor.convert(77), None);
        let factors = Factors { m: 2, b: 1, ..Factors::default() };
        assert_eq!(sensor.with_factors(factors).convert(77), Some(155.0));
    }

    #[test]
    fn a_byte_is_a_number_only_if_something_says_so() {
        let with = |event_reading_type, flags, unit| {
            let mut body = NEG_M;
            (body[8], body[15], body[16]) = (event_reading_type, flags, unit);
            FullSensor::decode(&body).unwrap().convert(77)
        };
        assert_eq!(with(0x01, 0xc0, 18), None, "format 3 has no numbers");
        assert_eq!(with(0x01, 0x00, 0), Some(12.6), "a threshold sensor without a unit");
        assert_eq!(with(0x6f, 0x00, 0), None, "discrete");
        assert_eq!(with(0x6f, 0x00, 6), Some(12.6), "discrete, but in watts");
        assert_eq!(with(0x6f, 0x01, 0), Some(12.6), "discrete, but in percent");
    }

    #[test]
    fn every_shorter_body_is_refused() {
        for length in 0..43 {
            FullSensor::decode(&NEG_M[..length]).unwrap_err();
        }
        assert_eq!(FullSensor::decode(&NEG_M[..45]).unwrap().name, "Ne", "only its name is cut");
    }
}
