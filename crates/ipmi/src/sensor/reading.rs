//! What a sensor reports now (IPMI 2.0 §35.14), and what it means with the sensor's record beside it.

use std::borrow::Cow;
use std::fmt;

use super::conversion::Conversion;
use super::threshold::{Health, Threshold};
use super::unit::Units;
use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request, event};

/// Asks what a sensor reports now (IPMI 2.0 §35.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GetSensorReading {
    /// The logical unit that owns the sensor, 0 to 3.
    pub lun: u8,
    /// The sensor.
    pub number: u8,
}

/// What a sensor reports, raw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SensorReading {
    /// The raw reading; means nothing for sensors without numbers.
    pub raw: u8,
    /// Whether the sensor sends events.
    pub events_enabled: bool,
    /// Whether the BMC reads the sensor at all.
    pub scanning_enabled: bool,
    /// Whether the reading, and the states, are not to be used.
    pub unavailable: bool,
    /// Comparison bits of a threshold sensor (the lowest six), or states of another by their offset (fifteen).
    /// Nothing when the BMC sends none.
    pub states: Option<u16>,
}

impl SensorReading {
    /// Reads the data of the answer. Its third and fourth byte may be missing.
    ///
    /// # Errors
    /// When there are not even two bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a sensor reading", data);
        let [raw, flags] = reader.array()?;
        let states = match *reader.rest() {
            [] => None,
            [low] => Some(u16::from(low)),
            [low, high, ..] => Some(u16::from_le_bytes([low, high & 0x7f])),
        };
        Ok(Self {
            raw,
            events_enabled: flags & 0x80 != 0,
            scanning_enabled: flags & 0x40 != 0,
            unavailable: flags & 0x20 != 0,
            states,
        })
    }

    /// The data of the answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let flags = u8::from(self.events_enabled) << 7
            | u8::from(self.scanning_enabled) << 6
            | u8::from(self.unavailable) << 5;
        let mut data = vec![self.raw, flags];
        data.extend(self.states.map(u16::to_le_bytes).into_iter().flatten());
        data
    }

    /// Whether there is something to be read.
    #[must_use]
    pub const fn availability(&self) -> Availability {
        match (self.scanning_enabled, self.unavailable) {
            (false, _) => Availability::ScanningDisabled,
            (true, true) => Availability::Unavailable,
            (true, false) => Availability::Available,
        }
    }
}

impl Command for GetSensorReading {
    type Output = SensorReading;

    const NAME: &'static str = "Get Sensor Reading";

    fn request(&self) -> Request {
        Request { netfn: NetFn::SENSOR, lun: self.lun, command: 0x2d, data: vec![self.number] }
    }

    fn parse(&self, data: &[u8]) -> Result<SensorReading, DecodeError> {
        SensorReading::decode(data)
    }
}

/// Whether a sensor has something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Availability {
    /// It has.
    Available,
    /// The BMC does not read this sensor now.
    ScanningDisabled,
    /// There is no valid reading, such as from a part that is not there or has no power.
    Unavailable,
}

/// A number with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The number; always finite.
    pub number: f64,
    /// Its unit.
    pub units: Units,
}

impl fmt::Display for Value {
    /// At most three digits behind the point: no sensor is more exact than its 256 steps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.number * 1000.0).round() / 1000.0)?;
        match self.units.symbol() {
            Cow::Borrowed("") => Ok(()),
            symbol => write!(f, " {symbol}"),
        }
    }
}

/// A state that a sensor is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// Its number, 0 to 14; of a threshold sensor that of the comparison bit.
    pub offset: u8,
    /// What it means; nothing for states that OEMs define.
    pub text: Option<&'static str>,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text {
            Some(text) => f.write_str(text),
            None => write!(f, "state {}", self.offset),
        }
    }
}

/// What a sensor reports, in words and numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Whether there is something to be read. If not, nothing below is there.
    pub availability: Availability,
    /// The raw reading; means nothing for sensors without numbers.
    pub raw: u8,
    /// The number, of sensors that have one.
    pub value: Option<Value>,
    /// By how much the number may be off either way.
    pub tolerance: Option<f64>,
    /// The thresholds that are reached, or the states that the sensor is in.
    pub states: Vec<State>,
    /// How the sensor judges it: of sensors with thresholds, and of event/reading type 07h. Nothing for others, and
    /// when the BMC sends no states.
    pub health: Option<Health>,
}

/// What has to be known of a sensor to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interpretation {
    /// The sensor type (IPMI 2.0 table 42-3).
    pub sensor_type: u8,
    /// The event/reading type (IPMI 2.0 table 42-1).
    pub event_reading_type: u8,
    /// The unit.
    pub units: Units,
    /// How raw readings become numbers, of sensors with numbers.
    pub conversion: Option<Conversion>,
}

impl Interpretation {
    /// Puts a reading into words and numbers.
    #[must_use]
    pub fn observe(&self, reading: &SensorReading) -> Observation {
        let availability = reading.availability();
        if availability != Availability::Available {
            return Observation {
                availability,
                raw: reading.raw,
                value: None,
                tolerance: None,
                states: Vec::new(),
                health: None,
            };
        }
        Observation {
            availability,
            raw: reading.raw,
            value: self.value(reading.raw),
            tolerance: self.conversion.and_then(|conversion| conversion.tolerance(reading.raw)),
            states: reading.states.map(|bits| self.states(bits)).unwrap_or_default(),
            health: reading.states.and_then(|bits| self.health(bits)),
        }
    }

    /// The number that a raw reading or threshold stands for, with its unit.
    #[must_use]
    pub fn value(&self, raw: u8) -> Option<Value> {
        let number = self.conversion?.value(raw)?;
        Some(Value { number, units: self.units })
    }

    const fn has_thresholds(&self) -> bool {
        self.event_reading_type == event::THRESHOLD
    }

    fn states(&self, bits: u16) -> Vec<State> {
        if self.has_thresholds() {
            return Threshold::ALL
                .into_iter()
                .filter(|threshold| bits & u16::from(threshold.bit()) != 0)
                .map(|threshold| State { offset: threshold as u8, text: Some(threshold.text()) })
                .collect();
        }
        offsets(bits)
            .map(|offset| State {
                offset,
                text: event::state_text(self.event_reading_type, self.sensor_type, offset),
            })
            .collect()
    }

    fn health(&self, bits: u16) -> Option<Health> {
        if self.has_thresholds() {
            let [low, _] = bits.to_le_bytes();
            return Some(Health::from_comparison(low));
        }
        if self.event_reading_type == event::SEVERITY {
            return offsets(bits).filter_map(Health::from_severity).max();
        }
        None
    }
}

/// The numbers of the bits that are set, of the fifteen that can be.
fn offsets(bits: u16) -> impl Iterator<Item = u8> {
    (0..15).filter(move |offset| bits & 1 << offset != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::unit::{AnalogFormat, BaseUnit};
    use super::*;

    const CELSIUS: Units = Units {
        format: AnalogFormat::Unsigned,
        rate: 0,
        modifier_use: super::super::ModifierUse::None,
        percentage: false,
        base: BaseUnit(1),
        modifier: BaseUnit(0),
    };

    fn temperature() -> Interpretation {
        Interpretation {
            sensor_type: 1,
            event_reading_type: 1,
            units: CELSIUS,
            conversion: Some(Conversion::default()),
        }
    }

    fn discrete(sensor_type: u8, event_reading_type: u8) -> Interpretation {
        Interpretation { sensor_type, event_reading_type, units: Units::default(), conversion: None }
    }

    fn read(data: &[u8]) -> SensorReading {
        let command = GetSensorReading { lun: 0, number: 1 };
        assert_eq!(command.request(), Request::new(NetFn::SENSOR, 0x2d, &[1]));
        command.parse(data).unwrap()
    }

    /// The answer of OpenIPMI's ipmi_sim for its "CPU Temp" at 30 degrees.
    #[test]
    fn a_temperature_is_a_number_with_a_unit() {
        let observation = temperature().observe(&read(&[0x1e, 0xc0, 0x00, 0x00]));
        assert_eq!(observation.value.unwrap().to_string(), "30 C");
        assert_eq!(observation.states, []);
        assert_eq!(observation.health, Some(Health::Ok));
    }

    #[test]
    fn thresholds_that_are_reached_are_states_and_health() {
        let observation = temperature().observe(&read(&[0x5b, 0xc0, 0xd8]));
        let states: Vec<_> = observation.states.iter().map(State::to_string).collect();
        assert_eq!(states, ["at or above upper non-critical", "at or above upper critical"]);
        assert_eq!(observation.health, Some(Health::Critical));
    }

    /// The answer of ipmi_sim for a power supply that is present, which ipmitool shows as "Presence detected".
    #[test]
    fn discrete_states_are_texts() {
        let observation = discrete(0x08, 0x6f).observe(&read(&[0x00, 0xc0, 0x01, 0x00]));
        assert_eq!(observation.value, None);
        assert_eq!(observation.states, [State { offset: 0, text: Some("presence detected") }]);
        assert_eq!(observation.health, None);
    }

    #[test]
    fn all_fifteen_states_are_seen_and_the_reserved_bit_is_not() {
        let states = discrete(0x01, 0x70).observe(&read(&[0, 0xc0, 0xff, 0xff])).states;
        assert_eq!(states.len(), 15);
        assert_eq!(states[14].to_string(), "state 14");
    }

    #[test]
    fn severities_are_judged_by_the_worst() {
        let observation = discrete(0x01, 0x07).observe(&read(&[0, 0xc0, 0x07, 0x80]));
        assert_eq!(observation.health, Some(Health::Critical));
        assert_eq!(discrete(0x01, 0x07).observe(&read(&[0, 0xc0, 0x80, 0x80])).health, None);
    }

    #[test]
    fn nothing_is_read_from_sensors_that_are_off_or_unavailable() {
        for (flags, availability) in [
            (0x80, Availability::ScanningDisabled),
            (0xa0, Availability::ScanningDisabled),
            (0xe0, Availability::Unavailable),
            (0x60, Availability::Unavailable),
        ] {
            let observation = temperature().observe(&read(&[0xff, flags, 0x3f, 0x00]));
            assert_eq!(observation.availability, availability);
            assert_eq!((observation.value, observation.health), (None, None));
            assert_eq!(observation.states, []);
        }
    }

    #[test]
    fn state_bytes_may_be_missing() {
        assert_eq!(read(&[1, 0xc0]).states, None);
        assert_eq!(temperature().observe(&read(&[1, 0xc0])).health, None);
        assert_eq!(read(&[1, 0xc0, 0x08]).states, Some(8));
        SensorReading::decode(&[1]).unwrap_err();
    }

    proptest! {
        #[test]
        fn readings_come_back(raw: u8, flags in 0_u8..8, states in proptest::option::of(0_u16..0x8000)) {
            let reading = SensorReading {
                raw,
                events_enabled: flags & 1 != 0,
                scanning_enabled: flags & 2 != 0,
                unavailable: flags & 4 != 0,
                states,
            };
            prop_assert_eq!(SensorReading::decode(&reading.encode()), Ok(reading));
        }

        #[test]
        fn every_reading_can_be_observed(sensor_type: u8, event_reading_type: u8, data: [u8; 4]) {
            let reading = SensorReading::decode(&data).unwrap();
            let observation = discrete(sensor_type, event_reading_type).observe(&reading);
            prop_assert!(observation.states.len() <= 15);
        }
    }
}
