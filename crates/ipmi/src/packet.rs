//! Datagrams: RMCP and what it carries (IPMI 2.0 §13.1).
//!
//! Decoding here says what a datagram claims to be. Whether it may be believed is decided with the keys of a session:
//! [`v1_5::Packet::is_authentic`], [`v2_0::Envelope::open`].

pub mod asf;
pub mod rakp;
pub mod v1_5;
pub mod v2_0;

use crate::DecodeError;
use crate::wire::Reader;

/// The UDP port of RMCP (IPMI 2.0 §13.1.2).
pub const PORT: u16 = 623;

/// The longest datagram that IPMI needs: a message of 255 bytes with all headers and trailers fits easily. Longer
/// ones are not looked at.
pub const MAX_DATAGRAM: usize = 1024;

/// The version of RMCP (§13.1.3, table 13-1).
const RMCP_VERSION: u8 = 0x06;
/// No acknowledgement of RMCP is wanted, as always with IPMI.
const NO_ACK: u8 = 0xff;
const CLASS_ASF: u8 = 0x06;
const CLASS_IPMI: u8 = 0x07;
/// The authentication type that marks the packets of IPMI 2.0 (§13.6, table 13-8).
const FORMAT_2_0: u8 = 0x06;

/// A datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// Somebody asks who is there.
    Ping(asf::Ping),
    /// Somebody is there.
    Pong(asf::Pong),
    /// IPMI 1.5, and what comes before a session of 2.0.
    V1_5(v1_5::Packet),
    /// IPMI 2.0.
    V2_0(v2_0::Envelope<'a>),
}

impl<'a> Datagram<'a> {
    /// Takes a datagram apart.
    ///
    /// # Errors
    /// When it is no RMCP, or ends too early.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("an RMCP datagram", bytes);
        if bytes.len() > MAX_DATAGRAM {
            return Err(reader.invalid("the length", u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
        }
        let [version, _reserved, _sequence, class] = reader.array()?;
        if version != RMCP_VERSION {
            return Err(reader.invalid("the version", u32::from(version)));
        }
        let rest = reader.rest();
        match (class, rest.first()) {
            (CLASS_ASF, _) => Ok(match asf::Message::decode(rest)? {
                asf::Message::Ping(ping) => Self::Ping(ping),
                asf::Message::Pong(pong) => Self::Pong(pong),
            }),
            (CLASS_IPMI, Some(&FORMAT_2_0)) => v2_0::Envelope::decode(rest).map(Self::V2_0),
            (CLASS_IPMI, _) => v1_5::Packet::decode(rest).map(Self::V1_5),
            _ => Err(reader.invalid("the class", u32::from(class))),
        }
    }
}

/// The RMCP header in front of everything.
fn header(class: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    bytes.extend([RMCP_VERSION, 0, NO_ACK, class]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::asf::{Ping, Pong};
    use super::*;

    #[test]
    fn ping_and_pong_are_those_of_the_standard() {
        let ping = Ping { tag: 7 };
        assert_eq!(ping.encode(), [6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 7, 0, 0]);
        assert_eq!(Datagram::decode(&ping.encode()), Ok(Datagram::Ping(ping)));
        let pong = Pong { tag: 7, ipmi: true };
        let bytes = pong.encode();
        assert_eq!(bytes[..13], [6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x40, 7, 0, 16, 0]);
        assert_eq!(bytes[20], 0x81);
        assert_eq!(Datagram::decode(&bytes), Ok(Datagram::Pong(pong)));
        for length in 0..bytes.len() {
            Datagram::decode(&bytes[..length]).unwrap_err();
        }
    }

    #[test]
    fn what_is_no_rmcp_is_refused() {
        Datagram::decode(&[5, 0, 0xff, 7, 0]).unwrap_err();
        Datagram::decode(&[6, 0, 0xff, 8, 0]).unwrap_err();
        Datagram::decode(&[6; MAX_DATAGRAM + 1]).unwrap_err();
        Datagram::decode(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
    }
}
