//! Multi-records: what FRU devices hold beside the three areas, such as the ratings of a power supply. Their contents
//! are kept as they are.

use super::inventory::{FruPart, FruProblem};
use super::layout::{RECORD_HEADER_LENGTH, RecordHeader};
use crate::wire::{Reader, checksum};

/// One multi-record (FRU §16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiRecord {
    /// What it is about.
    pub type_id: u8,
    /// The version of its format, below 16; the specification has version 2.
    pub version: u8,
    /// What it holds, at most 255 bytes.
    pub data: Vec<u8>,
}

impl MultiRecord {
    /// What it is about (FRU §16.1, table 16-2); nothing for numbers that are not assigned.
    #[must_use]
    pub const fn type_name(&self) -> Option<&'static str> {
        Some(match self.type_id {
            0x00 => "power supply information",
            0x01 => "DC output",
            0x02 => "DC load",
            0x03 => "management access",
            0x04 => "base compatibility",
            0x05 => "extended compatibility",
            0x06 => "ASF fixed SMBus devices",
            0x07 => "ASF legacy device alerts",
            0x08 => "ASF remote control",
            0x09 => "extended DC output",
            0x0a => "extended DC load",
            0xc0..=0xff => "OEM",
            _ => return None,
        })
    }

    /// Who defined an OEM record (FRU §18.7): the enterprise number in its first three bytes.
    #[must_use]
    pub fn manufacturer(&self) -> Option<u32> {
        let is_oem = self.type_id >= 0xc0;
        is_oem.then(|| Reader::new("an OEM multi-record", &self.data).u24().ok()).flatten()
    }
}

/// Reads the list that begins at `start`, as far as it is sound.
pub(super) fn decode_all(bytes: &[u8], start: usize, problems: &mut Vec<FruProblem>) -> Vec<MultiRecord> {
    let mut records = Vec::new();
    let mut rest = bytes.get(start..).unwrap_or_default();
    loop {
        let part = FruPart::Record(records.len());
        let Some((header, behind)) = rest.split_at_checked(RECORD_HEADER_LENGTH) else {
            problems.push(FruProblem::BeyondEnd { part, length: bytes.len() });
            return records;
        };
        let Ok(header) = RecordHeader::decode(header) else {
            problems.push(FruProblem::Checksum { part });
            return records;
        };
        let Some((data, behind)) = behind.split_at_checked(header.length.into()) else {
            problems.push(FruProblem::BeyondEnd { part, length: bytes.len() });
            return records;
        };
        if checksum(data) != header.body_checksum {
            problems.push(FruProblem::Checksum { part });
        }
        records.push(MultiRecord { type_id: header.type_id, version: header.version, data: data.to_vec() });
        if header.is_last {
            return records;
        }
        rest = behind;
    }
}
