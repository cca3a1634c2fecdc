//! The state of the log as a whole.

use super::entry::SelEntry;
use super::time::SelTime;
use crate::DecodeError;
use crate::wire::Reader;

/// What Get SEL Info tells (IPMI 2.0 §31.2, table 31-2).
///
/// The timestamps tell a reader whether anything happened: a log whose last erasure has changed was cleared, and its
/// record ids may have been given anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelInfo {
    /// The version of the commands, in BCD with the lower digit first: 51h is 1.5, which IPMI 2.0 kept.
    pub version: u8,
    /// How many entries it has.
    pub entries: u16,
    /// How many bytes are free; `0xffff` may also stand for more.
    pub free_bytes: u16,
    /// When an entry was last added.
    pub last_addition: SelTime,
    /// When entries were last deleted, or all of them.
    pub last_erase: SelTime,
    /// Whether events were lost because the log was full.
    pub overflow: bool,
    /// Whether single entries can be deleted.
    pub can_delete: bool,
    /// Whether entries can be added in parts.
    pub can_add_parts: bool,
    /// Whether the log can be reserved.
    pub can_reserve: bool,
    /// Whether the BMC tells how its memory is divided.
    pub has_allocation_info: bool,
}

impl SelInfo {
    const OVERFLOW: u8 = 0x80;
    const DELETE: u8 = 0x08;
    const ADD_PARTS: u8 = 0x04;
    const RESERVE: u8 = 0x02;
    const ALLOCATION_INFO: u8 = 0x01;

    /// Reads the data of an answer to Get SEL Info.
    ///
    /// # Errors
    /// When there are too few.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("SEL info", bytes);
        let version = reader.u8()?;
        let entries = reader.u16()?;
        let free_bytes = reader.u16()?;
        let last_addition = SelTime(reader.u32()?);
        let last_erase = SelTime(reader.u32()?);
        let flags = reader.u8()?;
        Ok(Self {
            version,
            entries,
            free_bytes,
            last_addition,
            last_erase,
            overflow: flags & Self::OVERFLOW != 0,
            can_delete: flags & Self::DELETE != 0,
            can_add_parts: flags & Self::ADD_PARTS != 0,
            can_reserve: flags & Self::RESERVE != 0,
            has_allocation_info: flags & Self::ALLOCATION_INFO != 0,
        })
    }

    /// How full the log is, 0 to 100: full when there is no room for one more entry. Nothing when it has so much room
    /// that the BMC cannot say how much (IPMI 2.0 §31.2, table 31-2, bytes 5 and 6).
    #[must_use]
    pub fn used_percent(&self) -> Option<u8> {
        if self.free_bytes == u16::MAX {
            return None;
        }
        let (used, length) = (u32::from(self.entries), u32::try_from(SelEntry::LENGTH).ok()?);
        let all = used + u32::from(self.free_bytes) / length;
        u8::try_from((used * 100).checked_div(all)?).ok()
    }

    /// The data of such an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.version];
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(self.free_bytes.to_le_bytes());
        bytes.extend(self.last_addition.0.to_le_bytes());
        bytes.extend(self.last_erase.0.to_le_bytes());
        let flags = [
            (self.overflow, Self::OVERFLOW),
            (self.can_delete, Self::DELETE),
            (self.can_add_parts, Self::ADD_PARTS),
            (self.can_reserve, Self::RESERVE),
            (self.has_allocation_info, Self::ALLOCATION_INFO),
        ];
        bytes.push(flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |flags, (_, flag)| flags | flag));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::When;
    use super::*;

    /// From ipmi_sim; ipmitool prints 1.5, 1 entry, 15984 bytes free, added at S+ 03:17:46, never deleted, no overflow,
    /// and the commands delete and reserve.
    #[test]
    fn the_info_of_a_simulated_bmc_is_read() {
        let bytes = [0x51, 0x01, 0x00, 0x70, 0x3e, 0x5a, 0x2e, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x0a];
        let info = SelInfo::decode(&bytes).unwrap();
        assert_eq!((info.version, info.entries, info.free_bytes), (0x51, 1, 15984));
        assert_eq!(info.last_addition.when(), When::SinceStart(3 * 3600 + 17 * 60 + 46));
        assert_eq!(info.last_erase.when(), When::Unspecified);
        assert!(info.can_delete && info.can_reserve);
        assert!(!info.overflow && !info.can_add_parts && !info.has_allocation_info);
        assert_eq!(info.encode(), bytes);
        for length in 0..bytes.len() {
            SelInfo::decode(&bytes[..length]).unwrap_err();
        }
    }

    #[test]
    fn a_log_is_full_without_room_for_one_entry() {
        let decode = |entries: u8, [low, high]: [u8; 2]| {
            let bytes = [0x51, entries, 0, low, high, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            SelInfo::decode(&bytes).unwrap().used_percent()
        };
        assert_eq!(decode(0, [160, 0]), Some(0));
        assert_eq!(decode(9, [16, 0]), Some(90));
        assert_eq!(decode(9, [15, 0]), Some(100));
        assert_eq!(decode(9, [0xff, 0xff]), None, "there may be any number of bytes");
        assert_eq!(decode(0, [0, 0]), None, "there is no log");
    }

    proptest! {
        #[test]
        fn every_info_comes_back(mut bytes: [u8; 14]) {
            bytes[13] &= 0x8f;
            prop_assert_eq!(SelInfo::decode(&bytes).unwrap().encode(), bytes);
        }
    }
}
