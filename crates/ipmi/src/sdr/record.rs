//! One record of any type: its header, and the types that are known (IPMI 2.0 §43).

use thiserror::Error;

use super::common::SensorAddress;
use super::compact::{CompactSensor, EventOnlySensor};
use super::entity::{DeviceEntityAssociation, Entity, EntityAssociation};
use super::full::FullSensor;
use super::locator::{ControllerLocator, FruLocator};
use crate::sensor::{Interpretation, Thresholds, Units};
use crate::wire::Reader;
use crate::{Completion, DecodeError};

/// How long the header of a record is.
pub(super) const HEADER: u8 = 5;
/// The version of records of IPMI 1.5 and 2.0 (IPMI 2.0 §43.1, byte 3).
pub const SDR_VERSION: u8 = 0x51;

/// A record with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdr {
    /// The id. It may change whenever records are added or erased.
    pub id: u16,
    /// The version of the record's layout, [`SDR_VERSION`] almost always.
    pub version: u8,
    /// What it says.
    pub record: SdrRecord,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdrRecord {
    /// Type 01h: a sensor with numbers.
    Full(FullSensor),
    /// Type 02h: one or several sensors without numbers.
    Compact(CompactSensor),
    /// Type 03h: one or several sensors that only send events.
    EventOnly(EventOnlySensor),
    /// Type 08h: which entities one contains.
    EntityAssociation(EntityAssociation),
    /// Type 09h: which entities one contains, each with its controller.
    DeviceEntityAssociation(DeviceEntityAssociation),
    /// Type 11h: where a FRU inventory is.
    FruLocator(FruLocator),
    /// Type 12h: where a controller is.
    ControllerLocator(ControllerLocator),
    /// Type C0h: what only an OEM understands.
    Oem(OemRecord),
    /// A type that is not known here.
    Unknown {
        /// The type.
        record_type: u8,
        /// What follows the header.
        data: Vec<u8>,
    },
    /// A record that is broken, or that the BMC did not give in whole.
    Unreadable {
        /// The type.
        record_type: u8,
        /// What is there behind the header.
        data: Vec<u8>,
        /// What is wrong with it.
        problem: RecordProblem,
    },
}

/// A record of an OEM: type C0h (IPMI 2.0 §43.12, table 43-11).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OemRecord {
    /// The OEM's number with IANA, 20 bits.
    pub manufacturer: u32,
    /// What only the OEM understands.
    pub data: Vec<u8>,
}

impl OemRecord {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("an OEM sensor record", body);
        Ok(Self { manufacturer: reader.u24()? & 0x000f_ffff, data: reader.rest().to_vec() })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let [low, middle, high, _] = (self.manufacturer & 0x000f_ffff).to_le_bytes();
        [&[low, middle, high], self.data.as_slice()].concat()
    }
}

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordProblem {
    /// Its bytes are not what they should be.
    #[error(transparent)]
    Malformed(DecodeError),
    /// The BMC does not give all of it.
    #[error("the BMC does not give the whole record: {0}")]
    Refused(Completion),
    /// The BMC gives another one.
    #[error("the BMC gives record {0:04x}h instead")]
    WrongId(u16),
}

/// A sensor, from whichever record: all that is needed to find, read and show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensor {
    /// The id of its record.
    pub record: u16,
    /// Which sensor it is.
    pub address: SensorAddress,
    /// What it belongs to.
    pub entity: Entity,
    /// Its name.
    pub name: String,
    /// Whether it can be read; otherwise it only sends events.
    pub is_readable: bool,
    /// How its readings are to be understood.
    pub interpretation: Interpretation,
    /// The thresholds that can be read, as its record has them, raw.
    pub thresholds: Thresholds<u8>,
}

impl Sdr {
    /// Reads a record. One whose header is right but whose body is not becomes [`SdrRecord::Unreadable`].
    ///
    /// # Errors
    /// When it is shorter than its header says.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a sensor record", bytes);
        let id = reader.u16()?;
        let [version, record_type, length] = reader.array()?;
        let body = reader.take(usize::from(length))?;
        let record = SdrRecord::decode(record_type, body).unwrap_or_else(|problem| SdrRecord::Unreadable {
            record_type,
            data: body.to_vec(),
            problem: RecordProblem::Malformed(problem),
        });
        Ok(Self { id, version, record })
    }

    /// The bytes of the record. A body can have at most 255; more are cut.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = self.record.encode();
        body.truncate(usize::from(u8::MAX));
        let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
        let [low, high] = self.id.to_le_bytes();
        [&[low, high, self.version, self.record.record_type(), length], body.as_slice()].concat()
    }

    /// The sensors of this record: none, one, or as many as share it.
    #[must_use]
    pub fn sensors(&self) -> Vec<Sensor> {
        match &self.record {
            SdrRecord::Full(sensor) => vec![Sensor {
                record: self.id,
                address: sensor.common.address,
                entity: sensor.common.entity,
                name: sensor.name.clone(),
                is_readable: true,
                interpretation: sensor.interpretation(),
                thresholds: sensor.thresholds(),
            }],
            SdrRecord::Compact(record) => record
                .sensors()
                .map(|sensor| Sensor {
                    record: self.id,
                    address: sensor.common.address,
                    entity: sensor.common.entity,
                    is_readable: true,
                    interpretation: sensor.interpretation(),
                    thresholds: Thresholds::default(),
                    name: sensor.name,
                })
                .collect(),
            SdrRecord::EventOnly(record) => record
                .sensors()
                .map(|sensor| Sensor {
                    record: self.id,
                    address: sensor.address,
                    entity: sensor.entity,
                    name: sensor.name,
                    is_readable: false,
                    interpretation: Interpretation {
                        sensor_type: sensor.sensor_type,
                        event_reading_type: sensor.event_reading_type,
                        units: Units::default(),
                        conversion: None,
                    },
                    thresholds: Thresholds::default(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl SdrRecord {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short for its type.
    pub fn decode(record_type: u8, body: &[u8]) -> Result<Self, DecodeError> {
        Ok(match record_type {
            0x01 => Self::Full(FullSensor::decode(body)?),
            0x02 => Self::Compact(CompactSensor::decode(body)?),
            0x03 => Self::EventOnly(EventOnlySensor::decode(body)?),
            0x08 => Self::EntityAssociation(EntityAssociation::decode(body)?),
            0x09 => Self::DeviceEntityAssociation(DeviceEntityAssociation::decode(body)?),
            0x11 => Self::FruLocator(FruLocator::decode(body)?),
            0x12 => Self::ControllerLocator(ControllerLocator::decode(body)?),
            0xc0 => Self::Oem(OemRecord::decode(body)?),
            _ => Self::Unknown { record_type, data: body.to_vec() },
        })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Full(record) => record.encode(),
            Self::Compact(record) => record.encode(),
            Self::EventOnly(record) => record.encode(),
            Self::EntityAssociation(record) => record.encode(),
            Self::DeviceEntityAssociation(record) => record.encode(),
            Self::FruLocator(record) => record.encode(),
            Self::ControllerLocator(record) => record.encode(),
            Self::Oem(record) => record.encode(),
            Self::Unknown { data, .. } | Self::Unreadable { data, .. } => data.clone(),
        }
    }

    /// Its type.
    #[must_use]
    pub const fn record_type(&self) -> u8 {
        match self {
            Self::Full(_) => 0x01,
            Self::Compact(_) => 0x02,
            Self::EventOnly(_) => 0x03,
            Self::EntityAssociation(_) => 0x08,
            Self::DeviceEntityAssociation(_) => 0x09,
            Self::FruLocator(_) => 0x11,
            Self::ControllerLocator(_) => 0x12,
            Self::Oem(_) => 0xc0,
            Self::Unknown { record_type, .. } | Self::Unreadable { record_type, .. } => *record_type,
        }
    }
}
