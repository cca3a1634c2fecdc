//! Entries of the log: sixteen bytes of one of four forms (IPMI 2.0 §32).

use std::fmt;

use super::event::SystemEvent;
use super::time::SelTime;
use crate::DecodeError;
use crate::wire::Reader;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelEntry {
    /// The id by which the BMC knows it, 1 to FFFEh. It need not grow with time, and may be given again later.
    pub id: u16,
    /// What it holds.
    pub record: SelRecord,
}

/// What an entry holds, by its record type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelRecord {
    /// An event that a sensor or software reported (type 02h; IPMI 2.0 §32.1, table 32-1).
    Event(SystemEvent),
    /// Something of a manufacturer with a time (types C0h to DFh; IPMI 2.0 §32.2, table 32-2).
    OemTimestamped {
        /// The type.
        record_type: u8,
        /// When it was added.
        time: SelTime,
        /// The enterprise number of the manufacturer, 24 bits.
        manufacturer: u32,
        /// What the manufacturer defines.
        data: [u8; 6],
    },
    /// Something of the BMC's manufacturer without a time (types E0h to FFh; IPMI 2.0 §32.3, table 32-3).
    Oem {
        /// The type.
        record_type: u8,
        /// What the manufacturer defines.
        data: [u8; 13],
    },
    /// A type that the specification does not assign.
    Unassigned {
        /// The type.
        record_type: u8,
        /// What the specification does not define.
        data: [u8; 13],
    },
}

impl SelRecord {
    /// When it was added; nothing for records without a time.
    #[must_use]
    pub const fn time(&self) -> Option<SelTime> {
        match self {
            Self::Event(event) => Some(event.time),
            Self::OemTimestamped { time, .. } => Some(*time),
            Self::Oem { .. } | Self::Unassigned { .. } => None,
        }
    }

    /// The record type.
    #[must_use]
    pub const fn record_type(&self) -> u8 {
        match self {
            Self::Event(_) => SelEntry::EVENT,
            Self::OemTimestamped { record_type, .. }
            | Self::Oem { record_type, .. }
            | Self::Unassigned { record_type, .. } => *record_type,
        }
    }
}

impl SelEntry {
    /// The bytes of an entry.
    pub const LENGTH: usize = 16;
    const EVENT: u8 = 0x02;

    /// Reads an entry of [`SelEntry::LENGTH`] bytes; further ones are ignored.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a SEL entry", bytes);
        let id = reader.u16()?;
        let record = match reader.u8()? {
            Self::EVENT => SelRecord::Event(SystemEvent::decode(reader.array()?)),
            record_type @ 0xc0..=0xdf => SelRecord::OemTimestamped {
                record_type,
                time: SelTime(reader.u32()?),
                manufacturer: reader.u24()?,
                data: reader.array()?,
            },
            record_type @ 0xe0..=0xff => SelRecord::Oem { record_type, data: reader.array()? },
            record_type => SelRecord::Unassigned { record_type, data: reader.array()? },
        };
        Ok(Self { id, record })
    }

    /// The bytes of the entry.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = self.id.to_le_bytes().to_vec();
        bytes.push(self.record.record_type());
        match &self.record {
            SelRecord::Event(event) => bytes.extend(event.encode()),
            SelRecord::OemTimestamped { time, manufacturer, data, .. } => {
                bytes.extend(time.0.to_le_bytes());
                bytes.extend(manufacturer.to_le_bytes().into_iter().take(3));
                bytes.extend(data);
            }
            SelRecord::Oem { data, .. } | SelRecord::Unassigned { data, .. } => bytes.extend(data),
        }
        std::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default())
    }
}

impl fmt::Display for SelRecord {
    /// What happened, in one line, without the time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            Self::OemTimestamped { record_type, manufacturer, data, .. } => {
                write!(f, "OEM record {record_type:02X}h of manufacturer {manufacturer}:")?;
                write_bytes(f, data)
            }
            Self::Oem { record_type, data } => {
                write!(f, "OEM record {record_type:02X}h:")?;
                write_bytes(f, data)
            }
            Self::Unassigned { record_type, data } => {
                write!(f, "record of unassigned type {record_type:02X}h:")?;
                write_bytes(f, data)
            }
        }
    }
}

fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_timestamped_oem_record_has_a_manufacturer() {
        let bytes =
            [0x07, 0x00, 0xd0, 0x00, 0xfc, 0x64, 0x5f, 0xa2, 0x02, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06];
        let entry = SelEntry::decode(&bytes).unwrap();
        assert_eq!(
            entry,
            SelEntry {
                id: 7,
                record: SelRecord::OemTimestamped {
                    record_type: 0xd0,
                    time: SelTime(1_600_453_632),
                    manufacturer: 674,
                    data: [1, 2, 3, 4, 5, 6],
                },
            }
        );
        assert_eq!(entry.record.to_string(), "OEM record D0h of manufacturer 674: 01 02 03 04 05 06");
        assert_eq!(entry.encode(), bytes);
    }

    #[test]
    fn other_oem_records_are_all_data() {
        let bytes = [0x08, 0x01, 0xe1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
        let entry = SelEntry::decode(&bytes).unwrap();
        assert_eq!(entry.id, 0x0108);
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
        assert_eq!(entry.record, SelRecord::Oem { record_type: 0xe1, data });
        assert_eq!(entry.record.time(), None);
        let unassigned = SelEntry::decode(&[&[0x08, 0x01, 0x55], &data[..]].concat()).unwrap();
        assert_eq!(unassigned.record, SelRecord::Unassigned { record_type: 0x55, data });
    }

    proptest! {
        #[test]
        fn every_entry_comes_back(bytes: [u8; 16]) {
            prop_assert_eq!(SelEntry::decode(&bytes).unwrap().encode(), bytes);
        }

        #[test]
        fn every_entry_has_a_text(bytes: [u8; 16]) {
            let text = SelEntry::decode(&bytes).unwrap().record.to_string();
            prop_assert!(!text.is_empty() && !text.chars().any(char::is_control));
        }

        #[test]
        fn short_entries_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            SelEntry::decode(&bytes).unwrap_err();
        }
    }
}
