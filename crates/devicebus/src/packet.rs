//! One packet (§2): `01 | LEN | sequence | type | board (4) | device (2) | data (n) | checksum | 04`.
//!
//! This module knows the frame and nothing of what the data means.

use std::fmt;

use thiserror::Error;

use crate::checksum;

/// First byte of every packet (§2).
pub(crate) const HEADER: u8 = 0x01;
/// Last byte of every packet (§2).
const TRAILER: u8 = 0x04;
/// Bytes that LEN counts besides the data: sequence, type, board, device and checksum (§2).
const LEN_WITHOUT_DATA: u8 = 9;
/// Bytes that LEN does not count: header, LEN itself and trailer (§2).
const UNCOUNTED: usize = 3;

/// The shortest packet, one without data (§2).
pub const MIN_PACKET: usize = LEN_WITHOUT_DATA as usize + UNCOUNTED;
/// The longest data field: LEN is one byte (§2).
pub const MAX_DATA: usize = (u8::MAX - LEN_WITHOUT_DATA) as usize;
/// The longest packet.
pub const MAX_PACKET: usize = MIN_PACKET + MAX_DATA;

/// Why bytes are not a packet. The order of the variants is the order of the checks (§8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Fewer bytes than the shortest packet.
    #[error("{length} bytes are fewer than the shortest packet, {MIN_PACKET}")]
    TooShort {
        /// The number of bytes.
        length: usize,
    },
    /// The first byte is not the header.
    #[error("first byte is {found:02x}, not {HEADER:02x}")]
    Header {
        /// The first byte.
        found: u8,
    },
    /// LEN does not fit the number of bytes.
    #[error("length byte {found} does not describe a packet of {length} bytes")]
    Length {
        /// The length byte.
        found: u8,
        /// The number of bytes.
        length: usize,
    },
    /// The checksum does not fit the bytes.
    #[error("checksum is {found:02x}, the bytes give {expected:02x}")]
    Checksum {
        /// The checksum byte.
        found: u8,
        /// What the bytes give.
        expected: u8,
    },
    /// The last byte is not the trailer.
    #[error("last byte is {found:02x}, not {TRAILER:02x}")]
    Trailer {
        /// The last byte.
        found: u8,
    },
    /// The data does not fit one packet; there is no way to split it.
    #[error("{length} data bytes are more than one packet can hold, {MAX_DATA}")]
    TooLong {
        /// The number of data bytes.
        length: usize,
    },
}

/// A packet in either direction.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Ties a reply to its request (§4).
    pub sequence: u8,
    /// Device type code (§6).
    pub kind_code: u8,
    /// Board id with its flag bits (§5.1).
    pub board: u32,
    /// Device id (§5.3).
    pub device: u16,
    /// Command or answer.
    pub data: Vec<u8>,
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, kind_code, board, device, data } = self;
        let data = data.escape_ascii();
        write!(
            f,
            "Packet(seq {sequence:02x} type {kind_code:02x} board {board:08x} device {device:04x} \"{data}\")"
        )
    }
}

/// What the beginning of a byte stream holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// A valid packet of so many bytes.
    Packet(Packet, usize),
    /// No packet begins here.
    Damaged(PacketError),
    /// More bytes are needed to tell.
    Incomplete,
}

impl Packet {
    /// The bytes on the line.
    ///
    /// # Errors
    /// [`PacketError::TooLong`] if the data exceeds [`MAX_DATA`].
    pub fn encode(&self) -> Result<Vec<u8>, PacketError> {
        let too_long = PacketError::TooLong { length: self.data.len() };
        let data_length = u8::try_from(self.data.len()).map_err(|_| too_long)?;
        let length = data_length.checked_add(LEN_WITHOUT_DATA).ok_or(too_long)?;
        let mut counted = Vec::with_capacity(usize::from(length));
        counted.extend([self.sequence, self.kind_code]);
        counted.extend(self.board.to_be_bytes());
        counted.extend(self.device.to_be_bytes());
        counted.extend(&self.data);
        counted.push(checksum(&counted));
        let mut bytes = Vec::with_capacity(counted.len() + UNCOUNTED);
        bytes.extend([HEADER, length]);
        bytes.append(&mut counted);
        bytes.push(TRAILER);
        Ok(bytes)
    }

    /// Reads bytes that hold exactly one packet.
    ///
    /// # Errors
    /// Every [`PacketError`] but [`PacketError::TooLong`], checked in the order of the variants.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let too_short = PacketError::TooShort { length: bytes.len() };
        if bytes.len() < MIN_PACKET {
            return Err(too_short);
        }
        let [header, length, counted @ .., trailer] = bytes else {
            return Err(too_short);
        };
        if *header != HEADER {
            return Err(PacketError::Header { found: *header });
        }
        if usize::from(*length) != counted.len() {
            return Err(PacketError::Length { found: *length, length: bytes.len() });
        }
        let [sequence, kind_code, b3, b2, b1, b0, d1, d0, data @ .., found] = counted else {
            return Err(too_short);
        };
        let body = counted.split_last().map_or(counted, |(_, body)| body);
        let expected = checksum(body);
        if *found != expected {
            return Err(PacketError::Checksum { found: *found, expected });
        }
        if *trailer != TRAILER {
            return Err(PacketError::Trailer { found: *trailer });
        }
        Ok(Self {
            sequence: *sequence,
            kind_code: *kind_code,
            board: u32::from_be_bytes([*b3, *b2, *b1, *b0]),
            device: u16::from_be_bytes([*d1, *d0]),
            data: data.to_vec(),
        })
    }

    /// How long the packet at the front says it is; zero if it does not say.
    pub(crate) fn claimed_length(bytes: &[u8]) -> usize {
        bytes.get(1).map_or(0, |length| usize::from(*length) + UNCOUNTED)
    }

    /// Judges the packet that may begin with the first of `bytes`, which may be followed by more.
    pub(crate) fn at_front(bytes: &[u8]) -> Front {
        match bytes.first() {
            None => return Front::Incomplete,
            Some(&HEADER) => {}
            Some(&found) => return Front::Damaged(PacketError::Header { found }),
        }
        let Some(&length) = bytes.get(1) else {
            return Front::Incomplete;
        };
        let total = usize::from(length) + UNCOUNTED;
        if total < MIN_PACKET {
            return Front::Damaged(PacketError::TooShort { length: total });
        }
        let Some(candidate) = bytes.get(..total) else {
            return Front::Incomplete;
        };
        match Self::decode(candidate) {
            Ok(packet) => Front::Packet(packet, total),
            Err(error) => Front::Damaged(error),
        }
    }
}
