//! Where the areas of a FRU device lie. The reader needs it to know when it has everything, the decoder to find it.

use crate::DecodeError;
use crate::wire::{Reader, checksum};

/// Bytes of the common header.
pub(super) const HEADER_LENGTH: usize = 8;
/// Bytes of the header of one multi-record.
pub(super) const RECORD_HEADER_LENGTH: usize = 5;
/// Offsets and lengths count in these.
pub(super) const BLOCK: usize = 8;

const FORMAT_VERSION: u8 = 1;

/// The common header (FRU §8, table 8-1). Areas are given by the offset of their first byte.
///
/// The internal use area is left out: it has no format and no length of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) chassis: Option<usize>,
    pub(super) board: Option<usize>,
    pub(super) product: Option<usize>,
    pub(super) records: Option<usize>,
    /// Whether the checksum is right.
    pub(super) is_sound: bool,
}

impl Layout {
    /// Reads the header at the beginning of `bytes`.
    ///
    /// # Errors
    /// When it is too short, or its format version is not known, as with a memory that was never written.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a FRU header", bytes);
        let header = reader.array::<HEADER_LENGTH>()?;
        let [version, _internal, chassis, board, product, records, _pad, _checksum] = header;
        if version & 0x0f != FORMAT_VERSION {
            return Err(reader.invalid("format version", version.into()));
        }
        let start = |blocks: u8| (blocks != 0).then_some(usize::from(blocks) * BLOCK);
        Ok(Self {
            chassis: start(chassis),
            board: start(board),
            product: start(product),
            records: start(records),
            is_sound: checksum(&header) == 0,
        })
    }
}

/// Whether an area has the one format version there is (FRU §10 to §12).
pub(super) const fn is_known_version(version: u8) -> bool {
    version & 0x0f == FORMAT_VERSION
}

/// How many bytes are needed from the beginning, as far as the bytes that are already there can tell. Once they are as
/// many, everything in use is there.
pub(super) fn used(bytes: &[u8]) -> usize {
    if bytes.len() < HEADER_LENGTH {
        return HEADER_LENGTH;
    }
    let Ok(layout) = Layout::decode(bytes) else { return HEADER_LENGTH };
    let areas = [layout.chassis, layout.board, layout.product].into_iter().flatten();
    let ends = areas
        .map(|start| area_end(bytes, start))
        .chain(layout.records.map(|start| records_end(bytes, start)));
    ends.max().unwrap_or(0).max(HEADER_LENGTH)
}

/// The end of an area, or of its first two bytes while its length is not known.
fn area_end(bytes: &[u8], start: usize) -> usize {
    let blocks = bytes.get(start + 1).copied().unwrap_or(0);
    start + (usize::from(blocks) * BLOCK).max(2)
}

/// The end of the list of multi-records, or of the header of the first record that is not known yet. A damaged header
/// ends the list, because the length in it cannot be trusted.
fn records_end(bytes: &[u8], start: usize) -> usize {
    let mut start = start;
    loop {
        let body = start + RECORD_HEADER_LENGTH;
        let Some(header) = bytes.get(start..body).and_then(|header| RecordHeader::decode(header).ok()) else {
            return body;
        };
        let end = body + usize::from(header.length);
        if header.is_last {
            return end;
        }
        start = end;
    }
}

/// The header of a multi-record (FRU §16.1, table 16-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) type_id: u8,
    pub(super) is_last: bool,
    pub(super) version: u8,
    pub(super) length: u8,
    pub(super) body_checksum: u8,
}

impl RecordHeader {
    const NAME: &'static str = "the header of a FRU multi-record";

    /// # Errors
    /// When it is too short or its checksum is wrong.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let header = Reader::new(Self::NAME, bytes).array::<RECORD_HEADER_LENGTH>()?;
        if checksum(&header) != 0 {
            return Err(DecodeError::Checksum { what: Self::NAME });
        }
        let [type_id, flags, length, body_checksum, _] = header;
        Ok(Self { type_id, is_last: flags & 0x80 != 0, version: flags & 0x0f, length, body_checksum })
    }

    pub(super) fn encode(&self) -> [u8; RECORD_HEADER_LENGTH] {
        let flags = u8::from(self.is_last) << 7 | self.version & 0x0f;
        let sum = checksum(&[self.type_id, flags, self.length, self.body_checksum]);
        [self.type_id, flags, self.length, self.body_checksum, sum]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_alone_asks_for_the_heads_of_its_areas() {
        assert_eq!(used(&[]), 8);
        // Board at 8, product at 64.
        let mut bytes = vec![0x01, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00];
        bytes.push(checksum(&bytes));
        assert_eq!(used(&bytes), 66);
        bytes.resize(66, 0);
        bytes[65] = 3;
        assert_eq!(used(&bytes), 64 + 24);
    }

    #[test]
    fn records_are_followed_to_the_last() {
        let mut bytes = vec![0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0xfe];
        assert_eq!(used(&bytes), 13);
        let record =
            |is_last| RecordHeader { type_id: 0xc0, is_last, version: 2, length: 2, body_checksum: 0 };
        bytes.extend(record(false).encode());
        assert_eq!(used(&bytes), 20);
        bytes.extend([0, 0]);
        bytes.extend(record(true).encode());
        assert_eq!(used(&bytes), 22);
        bytes[19] ^= 1;
        assert_eq!(used(&bytes), 20, "a damaged header ends the list");
    }

    #[test]
    fn a_memory_that_was_never_written_has_no_layout() {
        for blank in [[0x00; 8], [0xff; 8]] {
            Layout::decode(&blank).unwrap_err();
            assert_eq!(used(&blank), 8);
        }
    }
}
