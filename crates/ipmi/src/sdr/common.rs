//! What the records of full and compact sensors have in common: their bytes 6 to 23 (IPMI 2.0 §43.1, §43.2).

use super::entity::Entity;
use crate::sensor::{Conversion, Interpretation, Units};
use crate::wire::Reader;
use crate::{BMC_ADDRESS, DecodeError, event};

/// Which sensor it is: who owns it, and its number there (IPMI 2.0 §43.1, bytes 6 to 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SensorAddress {
    /// The owner: a controller's address on its bus when even (20h is the BMC), a software's id when odd.
    pub owner: u8,
    /// The channel by which the owner is reached, 0 to 15.
    pub channel: u8,
    /// The logical unit of the owner, 0 to 3.
    pub lun: u8,
    /// The number.
    pub number: u8,
}

impl SensorAddress {
    /// A sensor of the BMC's first logical unit.
    #[must_use]
    pub const fn of_bmc(number: u8) -> Self {
        Self { owner: BMC_ADDRESS, channel: 0, lun: 0, number }
    }

    /// Reads the three bytes.
    #[must_use]
    pub const fn decode([owner, lun, number]: [u8; 3]) -> Self {
        Self { owner, channel: lun >> 4, lun: lun & 3, number }
    }

    /// The three bytes.
    #[must_use]
    pub const fn encode(self) -> [u8; 3] {
        [self.owner, self.channel << 4 | self.lun & 3, self.number]
    }

    /// Whether the BMC itself owns it, so that it can be read without bridging.
    #[must_use]
    pub const fn is_of_bmc(self) -> bool {
        self.owner == BMC_ADDRESS
    }
}

/// What an initialization agent does to a sensor, and how it is after power-up (IPMI 2.0 §43.1, byte 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Initialization {
    /// The sensor can be set.
    pub settable: bool,
    /// Scanning is enabled.
    pub scanning: bool,
    /// Events are enabled.
    pub events: bool,
    /// Thresholds are written.
    pub thresholds: bool,
    /// Hysteresis is written.
    pub hysteresis: bool,
    /// Sensor type and event/reading type are written.
    pub sensor_type: bool,
    /// Events are on by themselves after power-up.
    pub events_by_default: bool,
    /// Scanning is on by itself after power-up.
    pub scanning_by_default: bool,
}

impl Initialization {
    /// Reads the byte.
    #[must_use]
    pub const fn decode(byte: u8) -> Self {
        Self {
            settable: byte & 0x80 != 0,
            scanning: byte & 0x40 != 0,
            events: byte & 0x20 != 0,
            thresholds: byte & 0x10 != 0,
            hysteresis: byte & 0x08 != 0,
            sensor_type: byte & 0x04 != 0,
            events_by_default: byte & 0x02 != 0,
            scanning_by_default: byte & 0x01 != 0,
        }
    }

    /// The byte.
    #[must_use]
    pub const fn encode(self) -> u8 {
        (self.settable as u8) << 7
            | (self.scanning as u8) << 6
            | (self.events as u8) << 5
            | (self.thresholds as u8) << 4
            | (self.hysteresis as u8) << 3
            | (self.sensor_type as u8) << 2
            | (self.events_by_default as u8) << 1
            | self.scanning_by_default as u8
    }
}

/// What can be done with a sensor's thresholds or hysteresis (IPMI 2.0 §43.1, byte 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// There are none.
    #[default]
    None,
    /// They can be read.
    Readable,
    /// They can be read and set.
    Settable,
    /// They are there, but can be neither read nor set.
    Fixed,
}

impl Access {
    const fn decode(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Readable,
            2 => Self::Settable,
            _ => Self::Fixed,
        }
    }
}

/// What a sensor can do (IPMI 2.0 §43.1, byte 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SensorCapabilities {
    /// The sensor is to be ignored while its entity is not present.
    pub ignore_without_entity: bool,
    /// It arms itself again after an event.
    pub auto_rearm: bool,
    /// Its hysteresis.
    pub hysteresis: Access,
    /// Its thresholds.
    pub thresholds: Access,
    /// How events can be switched: 0 each, 1 all of the sensor, 2 only all of the controller, 3 there are none.
    pub event_control: u8,
}

impl SensorCapabilities {
    /// Reads the byte.
    #[must_use]
    pub const fn decode(byte: u8) -> Self {
        Self {
            ignore_without_entity: byte & 0x80 != 0,
            auto_rearm: byte & 0x40 != 0,
            hysteresis: Access::decode(byte >> 4),
            thresholds: Access::decode(byte >> 2),
            event_control: byte & 3,
        }
    }

    /// The byte.
    #[must_use]
    pub const fn encode(self) -> u8 {
        (self.ignore_without_entity as u8) << 7
            | (self.auto_rearm as u8) << 6
            | (self.hysteresis as u8) << 4
            | (self.thresholds as u8) << 2
            | self.event_control & 3
    }
}

/// Three masks, whose meaning depends on whether the sensor has thresholds (IPMI 2.0 §43.1, bytes 15 to 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Masks {
    /// Events on assertion that the sensor can send; with thresholds, bits 12 to 14 say which lower comparisons it
    /// returns.
    pub assertion: u16,
    /// Events on deassertion that the sensor can send; with thresholds, bits 12 to 14 say which upper comparisons it
    /// returns.
    pub deassertion: u16,
    /// States that the sensor can have; with thresholds, the low byte says which can be read, the high byte which
    /// can be set.
    pub reading: u16,
}

impl Masks {
    /// The thresholds that can be read, as a mask of their bits.
    #[must_use]
    pub const fn readable_thresholds(self) -> u8 {
        let [readable, _] = self.reading.to_le_bytes();
        readable & 0x3f
    }

    /// The thresholds that can be set, as a mask of their bits.
    #[must_use]
    pub const fn settable_thresholds(self) -> u8 {
        let [_, settable] = self.reading.to_le_bytes();
        settable & 0x3f
    }
}

/// What the records of full and compact sensors have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SensorCommon {
    /// Which sensor it is.
    pub address: SensorAddress,
    /// What it belongs to.
    pub entity: Entity,
    /// How it begins.
    pub initialization: Initialization,
    /// What it can do.
    pub capabilities: SensorCapabilities,
    /// What it senses (IPMI 2.0 §42.2, table 42-3).
    pub sensor_type: u8,
    /// What its states and events mean (IPMI 2.0 §42.1, table 42-1).
    pub event_reading_type: u8,
    /// Which states, events and thresholds it has.
    pub masks: Masks,
    /// In which unit it measures.
    pub units: Units,
}

impl SensorCommon {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let address = SensorAddress::decode(reader.array()?);
        let entity = Entity::decode(reader.array()?);
        let [initialization, capabilities, sensor_type, event_reading_type] = reader.array()?;
        Ok(Self {
            address,
            entity,
            initialization: Initialization::decode(initialization),
            capabilities: SensorCapabilities::decode(capabilities),
            sensor_type,
            event_reading_type,
            masks: Masks { assertion: reader.u16()?, deassertion: reader.u16()?, reading: reader.u16()? },
            units: Units::decode(reader.array()?),
        })
    }

    pub(super) fn encode(&self, body: &mut Vec<u8>) {
        body.extend(self.address.encode());
        body.extend(self.entity.encode());
        body.extend([
            self.initialization.encode(),
            self.capabilities.encode(),
            self.sensor_type,
            self.event_reading_type,
        ]);
        for mask in [self.masks.assertion, self.masks.deassertion, self.masks.reading] {
            body.extend(mask.to_le_bytes());
        }
        body.extend(self.units.encode());
    }

    /// Whether it compares with thresholds.
    #[must_use]
    pub const fn has_thresholds(&self) -> bool {
        self.event_reading_type == event::THRESHOLD
    }

    pub(super) const fn interpretation(&self, conversion: Option<Conversion>) -> Interpretation {
        Interpretation {
            sensor_type: self.sensor_type,
            event_reading_type: self.event_reading_type,
            units: self.units,
            conversion,
        }
    }
}

/// The amounts by which a reading must fall back before an event is taken back, in raw counts (IPMI 2.0 §43.1,
/// bytes 43 and 44). Zero means none, or not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hysteresis {
    /// Of upper thresholds.
    pub positive: u8,
    /// Of lower thresholds.
    pub negative: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=u8::MAX {
            assert_eq!(Initialization::decode(byte).encode(), byte);
            assert_eq!(SensorCapabilities::decode(byte).encode(), byte);
            assert_eq!(SensorAddress::decode([byte, byte & 0xf3, 7]).encode(), [byte, byte & 0xf3, 7]);
        }
    }

    #[test]
    fn masks_of_thresholds_leave_reserved_bits_out() {
        let masks = Masks { reading: 0xd2ff, ..Masks::default() };
        assert_eq!((masks.readable_thresholds(), masks.settable_thresholds()), (0x3f, 0x12));
    }

    #[test]
    fn satellite_sensors_are_not_the_bmcs() {
        assert!(SensorAddress::of_bmc(3).is_of_bmc());
        assert!(!SensorAddress::decode([0x2c, 0, 3]).is_of_bmc());
        assert!(!SensorAddress::decode([0x41, 0, 3]).is_of_bmc());
    }
}
