//! Packets of IPMI 2.0: the envelope, its integrity and its confidentiality (IPMI 2.0 §13.6, table 13-8; §13.28.4,
//! §13.29).

use std::fmt;

use thiserror::Error;

use crate::cipher::{CipherSuite, ConfidentialityAlgorithm};
use crate::crypto::{AES_BLOCK, Aes, Keyed};
use crate::wire::Reader;
use crate::{DecodeError, packet};

const WHAT: &str = "an IPMI 2.0 packet";
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;
const TYPE_BITS: u8 = 0x3f;
/// The payload type of manufacturers, which brings six bytes more of header.
const OEM_EXPLICIT: u8 = 0x02;
/// The "next header" byte in front of an authentication code.
const NEXT_HEADER: u8 = 0x07;
/// The length of the RMCP header, which no authentication code covers.
const RMCP_HEADER: usize = 4;

/// What a packet carries (IPMI 2.0 table 13-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadType {
    /// A message.
    Ipmi,
    /// Serial over LAN.
    Sol,
    /// The beginning of a session.
    OpenSessionRequest,
    /// The answer to it.
    OpenSessionResponse,
    /// RAKP message 1.
    Rakp1,
    /// RAKP message 2.
    Rakp2,
    /// RAKP message 3.
    Rakp3,
    /// RAKP message 4.
    Rakp4,
    /// Anything else.
    Other(u8),
}

impl PayloadType {
    /// The type with this number, of which the lower six bits count.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number & TYPE_BITS {
            0x00 => Self::Ipmi,
            0x01 => Self::Sol,
            0x10 => Self::OpenSessionRequest,
            0x11 => Self::OpenSessionResponse,
            0x12 => Self::Rakp1,
            0x13 => Self::Rakp2,
            0x14 => Self::Rakp3,
            0x15 => Self::Rakp4,
            other => Self::Other(other),
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ipmi => 0x00,
            Self::Sol => 0x01,
            Self::OpenSessionRequest => 0x10,
            Self::OpenSessionResponse => 0x11,
            Self::Rakp1 => 0x12,
            Self::Rakp2 => 0x13,
            Self::Rakp3 => 0x14,
            Self::Rakp4 => 0x15,
            Self::Other(number) => number & TYPE_BITS,
        }
    }
}

/// The keys of a session, ready to use.
#[derive(Clone)]
pub struct SessionKeys {
    pub(super) suite: CipherSuite,
    /// The session integrity key, for RAKP message 4 only.
    pub(super) session: Keyed,
    pub(super) integrity: Keyed,
    pub(super) aes: Option<Aes>,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeys({})", self.suite)
    }
}

/// A packet of which only the header is known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What it carries.
    pub payload_type: PayloadType,
    /// Whether the payload is encrypted.
    pub encrypted: bool,
    /// Whether an authentication code follows.
    pub authenticated: bool,
    /// The session, by the id that the receiver chose; 0 outside of sessions.
    pub session: u32,
    /// The number of the packet within its session; 0 outside of sessions.
    pub sequence: u32,
    payload: &'a [u8],
    /// Everything after the RMCP header.
    whole: &'a [u8],
    /// What follows the payload.
    trailer: &'a [u8],
}

/// Why a packet is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// It cannot be taken apart.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is less protected than its session.
    #[error("an IPMI 2.0 packet is not protected as its session is")]
    Unprotected,
    /// Its authentication code is wrong.
    #[error("an IPMI 2.0 packet has a wrong authentication code")]
    NotAuthentic,
}

impl<'a> Envelope<'a> {
    /// Reads what follows the RMCP header.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        let [_format, kind] = reader.array()?;
        if kind & TYPE_BITS == OEM_EXPLICIT {
            reader.take(6)?;
        }
        let session = reader.u32()?;
        let sequence = reader.u32()?;
        let length = reader.u16()?;
        let payload = reader.take(usize::from(length))?;
        Ok(Self {
            payload_type: PayloadType::from_number(kind),
            encrypted: kind & ENCRYPTED != 0,
            authenticated: kind & AUTHENTICATED != 0,
            session,
            sequence,
            payload,
            whole: bytes,
            trailer: reader.rest(),
        })
    }

    /// The payload of a packet that claims no protection, as those that begin a session.
    ///
    /// # Errors
    /// [`OpenError::Unprotected`] when it claims some, because nobody has the keys to check it.
    pub const fn plain(&self) -> Result<&'a [u8], OpenError> {
        if self.encrypted || self.authenticated {
            return Err(OpenError::Unprotected);
        }
        Ok(self.payload)
    }

    /// Checks and decrypts the payload. A packet with less protection than the session has is refused.
    ///
    /// # Errors
    /// Every [`OpenError`].
    pub fn open(&self, keys: &SessionKeys) -> Result<Vec<u8>, OpenError> {
        let (_, code_length) = keys.suite.integrity.hmac();
        if self.authenticated != (code_length > 0) || self.encrypted != keys.aes.is_some() {
            return Err(OpenError::Unprotected);
        }
        if self.authenticated {
            self.check(keys, code_length)?;
        }
        match &keys.aes {
            None => Ok(self.payload.to_vec()),
            Some(aes) => Ok(decrypt(aes, self.payload)?),
        }
    }

    fn check(&self, keys: &SessionKeys, code_length: usize) -> Result<(), OpenError> {
        let truncated = DecodeError::Truncated { what: WHAT, length: self.whole.len() };
        let split = |bytes: &'a [u8]| bytes.split_at_checked(bytes.len().checked_sub(code_length)?);
        let (signed, code) = split(self.whole).ok_or(truncated)?;
        let (padding, _) = split(self.trailer).ok_or(truncated)?;
        if !keys.integrity.code(&[signed]).truncated(code_length).matches(code) {
            return Err(OpenError::NotAuthentic);
        }
        // From here on a mistake is one of the BMC and not of an attacker: it has the keys.
        let reader = Reader::new(WHAT, padding);
        let [pad @ .., pad_length, NEXT_HEADER] = padding else {
            return Err(reader
                .invalid("the trailer", u32::from(padding.last().copied().unwrap_or_default()))
                .into());
        };
        if usize::from(*pad_length) != pad.len() {
            return Err(reader.invalid("the pad length", u32::from(*pad_length)).into());
        }
        Ok(())
    }
}

/// Without its IV and its padding (§13.29). What the padding holds is not looked at: the packet is authentic, and some
/// BMCs fill it in their own way.
fn decrypt(aes: &Aes, payload: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut reader = Reader::new("an encrypted payload", payload);
    let iv: [u8; AES_BLOCK] = reader.array()?;
    if reader.remaining() == 0 || !reader.remaining().is_multiple_of(AES_BLOCK) {
        return Err(reader.invalid("the length", u32::try_from(payload.len()).unwrap_or(u32::MAX)));
    }
    let mut bytes = reader.rest().to_vec();
    aes.decrypt(iv, &mut bytes);
    let pad_length = bytes.last().copied().unwrap_or_default();
    let length = bytes.len().checked_sub(1 + usize::from(pad_length));
    let length = length.ok_or_else(|| reader.invalid("the pad length", u32::from(pad_length)))?;
    bytes.truncate(length);
    Ok(bytes)
}

/// A packet outside of sessions.
#[must_use]
pub fn plain(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let mut bytes = packet::header(packet::CLASS_IPMI);
    bytes.extend([packet::FORMAT_2_0, payload_type.number()]);
    bytes.extend([0; 8]);
    finish_header(&mut bytes, payload.len());
    bytes.extend(payload);
    bytes
}

/// A packet of a session. `session` is the id that the receiver chose; `iv` is random and never used twice.
#[must_use]
pub fn seal(keys: &SessionKeys, session: u32, sequence: u32, payload: &[u8], iv: [u8; AES_BLOCK]) -> Vec<u8> {
    let (_, code_length) = keys.suite.integrity.hmac();
    let encrypted = keys.suite.confidentiality != ConfidentialityAlgorithm::None;
    let protection = if encrypted { ENCRYPTED } else { 0 } | if code_length > 0 { AUTHENTICATED } else { 0 };
    let mut bytes = packet::header(packet::CLASS_IPMI);
    bytes.extend([packet::FORMAT_2_0, PayloadType::Ipmi.number() | protection]);
    bytes.extend(session.to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    match &keys.aes {
        None => {
            finish_header(&mut bytes, payload.len());
            bytes.extend(payload);
        }
        Some(aes) => {
            let padded = (payload.len() + 1).next_multiple_of(AES_BLOCK);
            finish_header(&mut bytes, AES_BLOCK + padded);
            bytes.extend(iv);
            let start = bytes.len();
            bytes.extend(payload);
            // The padding counts 1, 2, 3 … and ends with its own length.
            let pad_length = padded - payload.len() - 1;
            bytes.extend((1_u8..).take(pad_length));
            bytes.push(pad_length.to_le_bytes()[0]);
            aes.encrypt(iv, bytes.get_mut(start..).unwrap_or_default());
        }
    }
    if code_length > 0 {
        // What is signed has a length that is a multiple of four (§13.28.4).
        let signed = bytes.len() - RMCP_HEADER + 2;
        let pad_length = signed.next_multiple_of(4) - signed;
        bytes.extend([0xff_u8; 3].iter().take(pad_length));
        bytes.extend([pad_length.to_le_bytes()[0], NEXT_HEADER]);
        let signed = bytes.get(RMCP_HEADER..).unwrap_or_default();
        let code = keys.integrity.code(&[signed]).truncated(code_length);
        bytes.extend(code.bytes());
    }
    bytes
}

/// The length of the payload. Messages are far shorter than what two bytes can say.
fn finish_header(bytes: &mut Vec<u8>, payload: usize) {
    bytes.extend(u16::try_from(payload).unwrap_or(u16::MAX).to_le_bytes());
}
