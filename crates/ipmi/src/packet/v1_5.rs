//! Session packets of IPMI 1.5 (IPMI 2.0 §13.6, table 13-8) and their authentication codes (§22.17.1).

use md2::Md2;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::wire::Reader;
use crate::{DecodeError, Secret};

const WHAT: &str = "an IPMI 1.5 packet";

/// How packets prove who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthType {
    /// They do not.
    None = 0,
    /// By a keyed MD2 digest.
    Md2 = 1,
    /// By a keyed MD5 digest.
    Md5 = 2,
    /// By the password itself.
    Password = 4,
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// How it proves who sent it.
    pub auth_type: AuthType,
    /// The number of the packet within its session; 0 outside of sessions.
    pub sequence: u32,
    /// The session; 0 outside of sessions.
    pub session: u32,
    /// The proof; zeros without one.
    pub code: [u8; 16],
    /// The message.
    pub payload: Vec<u8>,
}

impl AuthType {
    /// The type with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Md2),
            2 => Some(Self::Md5),
            4 => Some(Self::Password),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl Packet {
    /// A packet outside of sessions.
    #[must_use]
    pub const fn plain(payload: Vec<u8>) -> Self {
        Self { auth_type: AuthType::None, sequence: 0, session: 0, code: [0; 16], payload }
    }

    /// A packet of a session, proved with `password`.
    #[must_use]
    pub fn signed(
        auth_type: AuthType,
        password: &Secret,
        sequence: u32,
        session: u32,
        payload: Vec<u8>,
    ) -> Self {
        let code = code(auth_type, password, sequence, session, &payload);
        Self { auth_type, sequence, session, code, payload }
    }

    /// Whether somebody sent it who knows `password`. Says nothing about packets without proof.
    #[must_use]
    pub fn is_authentic(&self, password: &Secret) -> bool {
        let expected = code(self.auth_type, password, self.sequence, self.session, &self.payload);
        expected.ct_eq(&self.code).into()
    }

    /// The datagram. A payload of more than 255 bytes cannot be expressed and is cut off.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = super::header(super::CLASS_IPMI);
        bytes.push(self.auth_type.number());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.session.to_le_bytes());
        if self.auth_type != AuthType::None {
            bytes.extend(self.code);
        }
        let length = u8::try_from(self.payload.len()).unwrap_or(u8::MAX);
        bytes.push(length);
        bytes.extend(self.payload.iter().take(usize::from(length)));
        bytes
    }

    /// Reads what follows the RMCP header.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        let number = reader.u8()?;
        let auth_type = AuthType::from_number(number);
        let auth_type =
            auth_type.ok_or_else(|| reader.invalid("the authentication type", u32::from(number)))?;
        let sequence = reader.u32()?;
        let session = reader.u32()?;
        let code = if auth_type == AuthType::None { [0; 16] } else { reader.array()? };
        let length = reader.u8()?;
        // What follows is a pad byte that some lengths need (§13.6, "legacy PAD").
        let payload = reader.take(usize::from(length))?.to_vec();
        Ok(Self { auth_type, sequence, session, code, payload })
    }
}

fn code(auth_type: AuthType, password: &Secret, sequence: u32, session: u32, payload: &[u8]) -> [u8; 16] {
    let password = password.padded::<16>();
    match auth_type {
        AuthType::None => [0; 16],
        AuthType::Password => password,
        AuthType::Md2 => digest::<Md2>(&password, sequence, session, payload),
        AuthType::Md5 => digest::<Md5>(&password, sequence, session, payload),
    }
}

fn digest<D: Digest>(password: &[u8; 16], sequence: u32, session: u32, payload: &[u8]) -> [u8; 16] {
    let digest = D::new()
        .chain_update(password)
        .chain_update(session.to_le_bytes())
        .chain_update(payload)
        .chain_update(sequence.to_le_bytes())
        .chain_update(password)
        .finalize();
    let mut code = [0; 16];
    for (to, from) in code.iter_mut().zip(digest) {
        *to = from;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Datagram;

    fn secret() -> Secret {
        Secret::new(b"secret").unwrap()
    }

    #[test]
    fn signed_packets_are_authentic_until_anything_changes() {
        for auth_type in [AuthType::Md2, AuthType::Md5, AuthType::Password] {
            let packet = Packet::signed(auth_type, &secret(), 7, 9, vec![1, 2, 3]);
            assert!(packet.is_authentic(&secret()));
            assert!(!packet.is_authentic(&Secret::new(b"guess").unwrap()));
            let bytes = packet.encode();
            assert_eq!(Datagram::decode(&bytes), Ok(Datagram::V1_5(packet.clone())));
            if auth_type != AuthType::Password {
                assert!(!Packet { sequence: 8, ..packet.clone() }.is_authentic(&secret()));
                assert!(!Packet { session: 8, ..packet.clone() }.is_authentic(&secret()));
                assert!(!Packet { payload: vec![1, 2], ..packet }.is_authentic(&secret()));
            }
        }
    }

    /// RFC 1319 §A.5 and RFC 1321 §A.5: the digests themselves.
    #[test]
    fn the_digests_are_those_of_the_standards() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&Md2::digest(b"")), "8350e5a3e24c153df2275c9f80692773");
        assert_eq!(hex(&Md2::digest(b"message digest")), "ab4f496bfb2a530b219ff33031fe06b0");
        assert_eq!(hex(&Md5::digest(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(&Md5::digest(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
    }

    #[test]
    fn a_pad_byte_is_tolerated_and_a_short_packet_is_not() {
        let packet = Packet::plain(vec![1, 2, 3]);
        let mut bytes = packet.encode();
        bytes.push(0);
        assert_eq!(Datagram::decode(&bytes), Ok(Datagram::V1_5(packet)));
        for length in 0..bytes.len() - 1 {
            Datagram::decode(&bytes[..length]).unwrap_err();
        }
    }
}
