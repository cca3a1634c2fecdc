//! Presence ping and pong of the Alert Standard Format (IPMI 2.0 §13.2.3 and §13.2.4; ASF 2.0 §3.2.4).

use crate::DecodeError;
use crate::wire::Reader;

/// The enterprise number of ASF, most significant byte first.
const ASF_IANA: u32 = 4542;
const PRESENCE_PING: u8 = 0x80;
const PRESENCE_PONG: u8 = 0x40;
/// "Supported entities": IPMI is spoken here, and version 1.0 of ASF.
const SPEAKS_IPMI: u8 = 0x80;
const ASF_VERSION_1: u8 = 0x01;

/// Asks whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// Repeated by the answer; 255 asks for none.
    pub tag: u8,
}

/// Somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pong {
    /// That of the ping.
    pub tag: u8,
    /// Whether it speaks IPMI.
    pub ipmi: bool,
}

/// A message of ASF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Ping(Ping),
    Pong(Pong),
}

impl Ping {
    /// The datagram.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(PRESENCE_PING, self.tag, &[])
    }
}

impl Pong {
    /// The datagram.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = [0; 16];
        let [a, b, c, d, _, _, _, _, entities, ..] = &mut data;
        [*a, *b, *c, *d] = ASF_IANA.to_be_bytes();
        *entities = ASF_VERSION_1 | if self.ipmi { SPEAKS_IPMI } else { 0 };
        encode(PRESENCE_PONG, self.tag, &data)
    }
}

fn encode(kind: u8, tag: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = super::header(super::CLASS_ASF);
    bytes.extend(ASF_IANA.to_be_bytes());
    // No message here is longer than 16 bytes.
    bytes.extend([kind, tag, 0, data.len().to_le_bytes()[0]]);
    bytes.extend(data);
    bytes
}

impl Message {
    /// Reads what follows the RMCP header.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("an ASF message", bytes);
        let iana = reader.array().map(u32::from_be_bytes)?;
        if iana != ASF_IANA {
            return Err(reader.invalid("the enterprise number", iana));
        }
        let [kind, tag, _reserved, length] = reader.array()?;
        let mut data = Reader::new("an ASF message", reader.take(usize::from(length))?);
        match kind {
            PRESENCE_PING => Ok(Self::Ping(Ping { tag })),
            PRESENCE_PONG => {
                data.take(8)?;
                Ok(Self::Pong(Pong { tag, ipmi: data.u8()? & SPEAKS_IPMI != 0 }))
            }
            other => Err(reader.invalid("the message type", u32::from(other))),
        }
    }
}
