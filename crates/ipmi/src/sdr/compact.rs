//! Compact and event-only sensor records, types 02h and 03h: sensors without numbers, several of which can share a
//! record (IPMI 2.0 §43.2, §43.3, tables 43-2 and 43-3).

use std::iter;

use super::common::{Hysteresis, SensorAddress, SensorCommon};
use super::entity::Entity;
use super::name;
use crate::DecodeError;
use crate::sensor::Interpretation;
use crate::wire::Reader;

/// How names of sensors that share a record are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Modifier {
    /// By a number.
    #[default]
    Numeric,
    /// By letters: A to Z, then AA, AB and so on.
    Alpha,
    /// By something that the specification reserves; nothing is appended.
    Reserved,
}

/// How many sensors share a record, and how they differ (IPMI 2.0 §43.2, bytes 24 and 25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sharing {
    /// How many sensors, with consecutive numbers, 0 to 15. 0 and 1 both mean that it is not shared.
    pub count: u8,
    /// How their names differ.
    pub modifier: Modifier,
    /// Where counting in the names begins, 0 to 127.
    pub offset: u8,
    /// Whether each belongs to the next instance of the entity, rather than all to the same.
    pub entity_increments: bool,
    /// 1 is an input, 2 an output, 0 unspecified.
    pub direction: u8,
}

impl Sharing {
    /// Reads the two bytes.
    #[must_use]
    pub const fn decode([count, offset]: [u8; 2]) -> Self {
        Self {
            count: count & 0x0f,
            modifier: match count >> 4 & 3 {
                0 => Modifier::Numeric,
                1 => Modifier::Alpha,
                _ => Modifier::Reserved,
            },
            offset: offset & 0x7f,
            entity_increments: offset & 0x80 != 0,
            direction: count >> 6,
        }
    }

    /// The two bytes.
    #[must_use]
    pub const fn encode(self) -> [u8; 2] {
        [
            self.direction << 6 | (self.modifier as u8) << 4 | self.count & 0x0f,
            self.offset & 0x7f | (self.entity_increments as u8) << 7,
        ]
    }

    /// The sensors of a record, one after the other. Numbers beyond 255 do not exist and are left out.
    fn sensors(
        self,
        address: SensorAddress,
        entity: Entity,
        name: &str,
    ) -> impl Iterator<Item = (SensorAddress, Entity, String)> {
        (0..self.count.max(1)).map_while(move |index| {
            let address = SensorAddress { number: address.number.checked_add(index)?, ..address };
            let step = if self.entity_increments { index } else { 0 };
            let entity = Entity { instance: entity.instance.wrapping_add(step) & 0x7f, ..entity };
            Some((address, entity, self.name(name, index)))
        })
    }

    fn name(self, name: &str, index: u8) -> String {
        let position = u16::from(self.offset) + u16::from(index);
        match self.modifier {
            _ if self.count <= 1 => name.to_owned(),
            Modifier::Numeric => format!("{name} {position}"),
            Modifier::Alpha => format!("{name} {}", letters(position)),
            Modifier::Reserved => name.to_owned(),
        }
    }

    /// Not shared, the rest as it was.
    const fn alone(self) -> Self {
        Self { count: 1, modifier: Modifier::Numeric, offset: 0, entity_increments: false, ..self }
    }
}

/// Counts in letters: 0 is A, 25 is Z, 26 is AA (IPMI 2.0 §43.2, byte 25).
fn letters(position: u16) -> String {
    let digits = iter::successors(Some(position), |rest| (rest / 26).checked_sub(1));
    let mut letters: Vec<char> =
        digits.filter_map(|digit| char::from_u32(u32::from(b'A') + u32::from(digit % 26))).collect();
    letters.reverse();
    letters.into_iter().collect()
}

/// A compact sensor record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CompactSensor {
    /// What full sensors have too.
    pub common: SensorCommon,
    /// How many sensors share the record.
    pub sharing: Sharing,
    /// The hysteresis that an initialization agent writes.
    pub hysteresis: Hysteresis,
    /// For OEM use.
    pub oem: u8,
    /// The name, or what the names of the sensors begin with.
    pub name: String,
}

impl CompactSensor {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a compact sensor record", body);
        let common = SensorCommon::decode(&mut reader)?;
        let sharing = Sharing::decode(reader.array()?);
        let [positive, negative, _, _, _, oem] = reader.array()?;
        let hysteresis = Hysteresis { positive, negative };
        Ok(Self { common, sharing, hysteresis, oem, name: name::read(&mut reader)? })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(48);
        self.common.encode(&mut body);
        body.extend(self.sharing.encode());
        body.extend([self.hysteresis.positive, self.hysteresis.negative, 0, 0, 0, self.oem]);
        name::write(&mut body, &self.name);
        body
    }

    /// Each of the sensors that share the record, as if it had a record of its own.
    pub fn sensors(&self) -> impl Iterator<Item = Self> {
        self.sharing.sensors(self.common.address, self.common.entity, &self.name).map(
            |(address, entity, name)| Self {
                common: SensorCommon { address, entity, ..self.common },
                sharing: self.sharing.alone(),
                name,
                ..*self
            },
        )
    }

    /// What has to be known to read the sensor.
    #[must_use]
    pub const fn interpretation(&self) -> Interpretation {
        self.common.interpretation(None)
    }
}

/// A record of a sensor that sends events, but cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventOnlySensor {
    /// Which sensor it is.
    pub address: SensorAddress,
    /// What it belongs to.
    pub entity: Entity,
    /// What it senses (IPMI 2.0 §42.2, table 42-3).
    pub sensor_type: u8,
    /// What its events mean (IPMI 2.0 §42.1, table 42-1).
    pub event_reading_type: u8,
    /// How many sensors share the record.
    pub sharing: Sharing,
    /// For OEM use.
    pub oem: u8,
    /// The name, or what the names of the sensors begin with.
    pub name: String,
}

impl EventOnlySensor {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("an event-only sensor record", body);
        let address = SensorAddress::decode(reader.array()?);
        let entity = Entity::decode(reader.array()?);
        let [sensor_type, event_reading_type] = reader.array()?;
        let sharing = Sharing::decode(reader.array()?);
        let [_, oem] = reader.array()?;
        let name = name::read(&mut reader)?;
        Ok(Self { address, entity, sensor_type, event_reading_type, sharing, oem, name })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = self.address.encode().to_vec();
        body.extend(self.entity.encode());
        body.extend([self.sensor_type, self.event_reading_type]);
        body.extend(self.sharing.encode());
        body.extend([0, self.oem]);
        name::write(&mut body, &self.name);
        body
    }

    /// Each of the sensors that share the record, as if it had a record of its own.
    pub fn sensors(&self) -> impl Iterator<Item = Self> {
        self.sharing.sensors(self.address, self.entity, &self.name).map(|(address, entity, name)| Self {
            address,
            entity,
            sharing: self.sharing.alone(),
            name,
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of a record that OpenIPMI's sdrcomp made: three memory sensors, alpha, from offset 25, with a six-bit
    /// name.
    const DIMM: [u8; 31] = [
        0x20, 0x00, 0x40, 0x20, 0x01, 0x00, 0x00, 0x0c, 0x6f, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0xc0, 0x00,
        0x00, 0x13, 0x99, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x85, 0x64, 0xda, 0xb6, 0x00,
    ];
    /// Two event-only sensors of a disk, numeric, from offset 5.
    const DISK: [u8; 16] =
        [0x20, 0x00, 0x50, 0x04, 0x01, 0x0d, 0x6f, 0x02, 0x05, 0x00, 0x00, 0xc4, b'D', b'i', b's', b'k'];

    #[test]
    fn sensors_that_share_a_record_are_told_apart() {
        let record = CompactSensor::decode(&DIMM).unwrap();
        let sensors: Vec<_> = record
            .sensors()
            .map(|sensor| (sensor.common.address.number, sensor.common.entity.instance, sensor.name))
            .collect();
        let expected = [(0x40, 1, "DIMM Z"), (0x41, 2, "DIMM AA"), (0x42, 3, "DIMM AB")];
        assert_eq!(sensors, expected.map(|(number, instance, name)| (number, instance, name.to_owned())));
        assert_eq!(CompactSensor::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn event_only_sensors_share_records_too() {
        let record = EventOnlySensor::decode(&DISK).unwrap();
        let sensors: Vec<_> = record
            .sensors()
            .map(|sensor| (sensor.address.number, sensor.entity.instance, sensor.name))
            .collect();
        assert_eq!(sensors, [(0x50, 1, "Disk 5".to_owned()), (0x51, 1, "Disk 6".to_owned())]);
        assert_eq!(record.encode(), DISK);
    }

    #[test]
    fn a_sensor_that_came_out_of_a_shared_record_is_alone() {
        let record = CompactSensor::decode(&DIMM).unwrap();
        let second = record.sensors().nth(1).unwrap();
        let again: Vec<_> = second.sensors().collect();
        assert_eq!(again, [second]);
    }

    #[test]
    fn numbers_end_at_255() {
        let mut body = DIMM;
        body[2] = 0xfe;
        assert_eq!(CompactSensor::decode(&body).unwrap().sensors().count(), 2);
        body[18] = 0x00;
        assert_eq!(CompactSensor::decode(&body).unwrap().sensors().count(), 1, "0 means one");
    }

    #[test]
    fn letters_count_like_columns() {
        let expected = [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (142, "EM")];
        for (position, text) in expected {
            assert_eq!(letters(position), text);
        }
    }

    #[test]
    fn every_sharing_comes_back() {
        for count in (0..=u8::MAX).filter(|count| count & 0x20 == 0) {
            for offset in 0..=u8::MAX {
                assert_eq!(Sharing::decode([count, offset]).encode(), [count, offset]);
            }
        }
    }

    #[test]
    fn shorter_bodies_are_refused() {
        for length in 0..27 {
            CompactSensor::decode(&DIMM[..length]).unwrap_err();
        }
        for length in 0..12 {
            EventOnlySensor::decode(&DISK[..length]).unwrap_err();
        }
    }
}
