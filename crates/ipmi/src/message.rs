//! Requests and responses, and the frame in which they travel (IPMI 2.0 §13.8).

use std::fmt;

use crate::wire::{Reader, checksum};
use crate::{Completion, DecodeError};

/// The address of a BMC on its own bus (IPMI 2.0 §13.8, IPMB §3).
pub const BMC_ADDRESS: u8 = 0x20;
/// The software id that remote console software uses (IPMI 2.0 §5.5, table 5-4).
pub const REMOTE_CONSOLE: u8 = 0x81;

/// What a message belongs to: an even number for requests, the next odd one for responses (IPMI 2.0 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetFn(pub u8);

impl NetFn {
    /// Chassis.
    pub const CHASSIS: Self = Self(0x00);
    /// Sensors and events.
    pub const SENSOR: Self = Self(0x04);
    /// The BMC itself: identity, users, sessions.
    pub const APP: Self = Self(0x06);
    /// SDR, SEL and FRU.
    pub const STORAGE: Self = Self(0x0a);
    /// LAN configuration.
    pub const TRANSPORT: Self = Self(0x0c);
    /// Commands of other bodies; the first byte of the data names the body.
    pub const GROUP: Self = Self(0x2c);

    /// The number in the answer to a request with this one.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | 1)
    }

    /// Whether it stands in requests.
    #[must_use]
    pub const fn is_request(self) -> bool {
        self.0 & 1 == 0
    }
}

/// What is asked of a BMC.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// What it belongs to; even, below 0x40.
    pub netfn: NetFn,
    /// The logical unit that is asked, 0 to 3. Almost always 0.
    pub lun: u8,
    /// The command.
    pub command: u8,
    /// Its data.
    pub data: Vec<u8>,
}

impl Request {
    /// A request to logical unit 0.
    #[must_use]
    pub fn new(netfn: NetFn, command: u8, data: &[u8]) -> Self {
        Self { netfn, lun: 0, command, data: data.to_vec() }
    }
}

impl fmt::Debug for Request {
    /// Without the data: that of some commands is a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { netfn, lun, command, data } = self;
        write!(f, "Request({:02x}.{lun} {command:02x}, {} bytes)", netfn.0, data.len())
    }
}

/// What a BMC answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Whether it did what it was asked.
    pub completion: Completion,
    /// What follows the completion code.
    pub data: Vec<u8>,
}

/// A request or response in its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who is meant.
    pub to: u8,
    /// What it belongs to.
    pub netfn: NetFn,
    /// The logical unit that is meant.
    pub to_lun: u8,
    /// Who sends.
    pub from: u8,
    /// The number of the request, which its response repeats; below 64.
    pub sequence: u8,
    /// The logical unit that sends.
    pub from_lun: u8,
    /// The command.
    pub command: u8,
    /// The data; in a response the completion code comes first.
    pub data: Vec<u8>,
}

impl Message {
    /// A request from a remote console to a BMC. The lower six bits of `sequence` count.
    #[must_use]
    pub fn request(request: &Request, sequence: u8) -> Self {
        Self {
            to: BMC_ADDRESS,
            netfn: request.netfn,
            to_lun: request.lun,
            from: REMOTE_CONSOLE,
            sequence,
            from_lun: 0,
            command: request.command,
            data: request.data.clone(),
        }
    }

    /// The answer to this request; its data begin with the completion code.
    #[must_use]
    pub const fn reply(&self, data: Vec<u8>) -> Self {
        Self {
            to: self.from,
            netfn: self.netfn.response(),
            to_lun: self.from_lun,
            from: self.to,
            sequence: self.sequence,
            from_lun: self.to_lun,
            command: self.command,
            data,
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(7 + self.data.len());
        bytes.extend([self.to, self.netfn.0 << 2 | self.to_lun & 3]);
        bytes.push(checksum(&bytes));
        let body = [self.from, self.sequence << 2 | self.from_lun & 3, self.command];
        bytes.extend(body);
        bytes.extend(&self.data);
        let sum = checksum(&body).wrapping_add(checksum(&self.data));
        bytes.push(sum);
        bytes
    }

    /// Takes the bytes of one message apart.
    ///
    /// # Errors
    /// When they are too few or a checksum is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "an IPMI message";
        let mut reader = Reader::new(WHAT, bytes);
        let head = reader.array::<3>()?;
        if checksum(&head) != 0 {
            return Err(DecodeError::Checksum { what: WHAT });
        }
        let [to, netfn, _] = head;
        let body = reader.rest();
        let mut reader = Reader::new(WHAT, body);
        let [from, sequence, command] = reader.array()?;
        let (data, _) = reader
            .rest()
            .split_last()
            .ok_or(DecodeError::Truncated { what: WHAT, length: bytes.len() })
            .map(|(sum, data)| (data, sum))?;
        if checksum(body) != 0 {
            return Err(DecodeError::Checksum { what: WHAT });
        }
        Ok(Self {
            to,
            netfn: NetFn(netfn >> 2),
            to_lun: netfn & 3,
            from,
            sequence: sequence >> 2,
            from_lun: sequence & 3,
            command,
            data: data.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first message that the original sends, with the usual requester address.
    #[test]
    fn the_frame_is_that_of_the_specification() {
        let message = Message {
            to: BMC_ADDRESS,
            netfn: NetFn::APP,
            to_lun: 0,
            from: REMOTE_CONSOLE,
            sequence: 0,
            from_lun: 0,
            command: 0x38,
            data: vec![0x0e, 0x04],
        };
        let bytes = [0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, 0x0e, 0x04, 0x35];
        assert_eq!(message.encode(), bytes);
        assert_eq!(Message::decode(&bytes), Ok(message));
    }

    #[test]
    fn every_flipped_bit_and_every_prefix_is_refused() {
        let bytes = [0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, 0x0e, 0x04, 0x35];
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Message::decode(&bad), Err(DecodeError::Checksum { what: "an IPMI message" }));
        }
        for length in 0..bytes.len() {
            Message::decode(&bytes[..length]).unwrap_err();
        }
    }
}
