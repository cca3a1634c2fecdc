//! Answers given as lists of byte values, which may hold places to be filled in.
//!
//! A value up to 255 is a byte, 999 stands for the sequence number of the request, 1000 + k for the checksum of the
//! bytes from index k up to that place. What the bytes mean is not looked at: they may well be a damaged packet.

use opendcre_devicebus::checksum;

/// Stands for the sequence number of the request.
const SEQUENCE: u64 = 999;
/// The place of a checksum is this value plus the index at which the checksum begins.
const CHECKSUM: u64 = 1000;

/// One value of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Byte(u8),
    Sequence,
    /// The checksum of everything from the index `from`.
    Checksum {
        from: u8,
    },
}

impl Cell {
    /// Reads a value; `None` if it is neither a byte nor a place to be filled in.
    pub(super) fn from_value(value: u64) -> Option<Self> {
        match (value, value.checked_sub(CHECKSUM)) {
            (SEQUENCE, _) => Some(Self::Sequence),
            (_, Some(from)) => u8::try_from(from).ok().map(|from| Self::Checksum { from }),
            (byte, None) => u8::try_from(byte).ok().map(Self::Byte),
        }
    }
}

/// A whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(pub(super) Vec<Cell>);

impl Template {
    /// The bytes of the answer to a request with this sequence number.
    pub(super) fn render(&self, sequence: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        for cell in &self.0 {
            let byte = match *cell {
                Cell::Byte(byte) => byte,
                Cell::Sequence => sequence,
                Cell::Checksum { from } => checksum(bytes.get(usize::from(from)..).unwrap_or_default()),
            };
            bytes.push(byte);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(values: &[u64], sequence: u8) -> Vec<u8> {
        let cells = values.iter().map(|value| Cell::from_value(*value).unwrap());
        Template(cells.collect()).render(sequence)
    }

    #[test]
    fn sequence_and_checksum_are_filled_in() {
        let noisy = [0, 2, 3, 1, 12, 999, 255, 0, 0, 0, 0, 255, 255, 54, 53, 54, 1005, 4];
        assert_eq!(
            render(&noisy, 0x2a),
            [0x00, 0x02, 0x03, 0x01, 0x0c, 0x2a, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0x36, 0x35, 0x36, 0x38, 0x04]
        );
        let clean = [1, 10, 999, 156, 0, 0, 0, 7, 1, 255, 156, 1002, 4];
        assert_eq!(
            render(&clean, 0x05),
            [0x01, 0x0a, 0x05, 0x9c, 0, 0, 0, 0x07, 0x01, 0xff, 0x9c, 0xbc, 0x04]
        );
    }

    #[test]
    fn a_checksum_of_nothing_is_zero() {
        assert_eq!(render(&[1, 1255, 1000], 9), [1, 0, 0xff]);
    }

    #[test]
    fn only_bytes_and_places_are_values() {
        for value in [256, 998, 1256, u64::MAX] {
            assert_eq!(Cell::from_value(value), None, "{value}");
        }
        assert_eq!(Cell::from_value(255), Some(Cell::Byte(255)));
        assert_eq!(Cell::from_value(1255), Some(Cell::Checksum { from: 255 }));
    }
}
