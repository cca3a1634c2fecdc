//! Cipher suites: which algorithms protect a session (IPMI 2.0 §13.28, §22.15.2, table 22-20).
//!
//! The suites with xRC4 and with plain MD5-128 are not offered: RC4 and keyed MD5 are broken, and no peer speaks them.

use std::fmt;

use crate::DecodeError;
use crate::wire::Reader;

/// Proves who the user is (IPMI 2.0 table 13-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthAlgorithm {
    /// Nothing does.
    None = 0,
    /// RAKP-HMAC-SHA1.
    HmacSha1 = 1,
    /// RAKP-HMAC-MD5.
    HmacMd5 = 2,
    /// RAKP-HMAC-SHA256.
    HmacSha256 = 3,
}

/// Proves that a packet was not changed (IPMI 2.0 table 13-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntegrityAlgorithm {
    /// Nothing does.
    None = 0,
    /// HMAC-SHA1-96.
    HmacSha1_96 = 1,
    /// HMAC-MD5-128.
    HmacMd5_128 = 2,
    /// HMAC-SHA256-128.
    HmacSha256_128 = 4,
}

/// Hides what a packet says (IPMI 2.0 table 13-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfidentialityAlgorithm {
    /// Nothing does.
    None = 0,
    /// AES-CBC-128.
    AesCbc128 = 1,
}

/// One algorithm of each sort, and the number under which BMCs offer them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CipherSuite {
    /// The number.
    pub id: u8,
    /// Proves who the user is.
    pub authentication: AuthAlgorithm,
    /// Proves that a packet was not changed.
    pub integrity: IntegrityAlgorithm,
    /// Hides what a packet says.
    pub confidentiality: ConfidentialityAlgorithm,
}

impl CipherSuite {
    /// Every suite that can be used.
    pub const ALL: &[Self] = {
        use {AuthAlgorithm as A, ConfidentialityAlgorithm as C, IntegrityAlgorithm as I};
        &[
            Self::new(0, A::None, I::None, C::None),
            Self::new(1, A::HmacSha1, I::None, C::None),
            Self::new(2, A::HmacSha1, I::HmacSha1_96, C::None),
            Self::new(3, A::HmacSha1, I::HmacSha1_96, C::AesCbc128),
            Self::new(6, A::HmacMd5, I::None, C::None),
            Self::new(7, A::HmacMd5, I::HmacMd5_128, C::None),
            Self::new(8, A::HmacMd5, I::HmacMd5_128, C::AesCbc128),
            Self::new(15, A::HmacSha256, I::None, C::None),
            Self::new(16, A::HmacSha256, I::HmacSha256_128, C::None),
            Self::new(17, A::HmacSha256, I::HmacSha256_128, C::AesCbc128),
        ]
    };

    const fn new(
        id: u8,
        authentication: AuthAlgorithm,
        integrity: IntegrityAlgorithm,
        confidentiality: ConfidentialityAlgorithm,
    ) -> Self {
        Self { id, authentication, integrity, confidentiality }
    }

    /// The suite with this number, if it can be used.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.iter().find(|suite| suite.id == id).copied()
    }

    /// The suite with these algorithms as they stand on the wire, if it can be used.
    #[must_use]
    pub fn from_algorithms(authentication: u8, integrity: u8, confidentiality: u8) -> Option<Self> {
        let wanted = (authentication, integrity, confidentiality);
        Self::ALL.iter().find(|suite| suite.algorithms() == wanted).copied()
    }

    /// The numbers of the three algorithms on the wire.
    #[must_use]
    pub const fn algorithms(&self) -> (u8, u8, u8) {
        (self.authentication as u8, self.integrity as u8, self.confidentiality as u8)
    }

    /// Whether everybody on the network can read along, or change packets.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        matches!(self.integrity, IntegrityAlgorithm::None)
            || matches!(self.confidentiality, ConfidentialityAlgorithm::None)
            || matches!(self.authentication, AuthAlgorithm::HmacMd5)
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cipher suite {}", self.id)
    }
}

/// Tags of cipher suite records (IPMI 2.0 table 22-18).
const STANDARD_SUITE: u8 = 0xc0;
const OEM_SUITE: u8 = 0xc1;
const TAG_BITS: u8 = 0xc0;

/// Reads the suites that a BMC offers from its cipher suite records, in its order. Suites of manufacturers are left
/// out, and so is a last record that is not all there.
///
/// # Errors
/// When a record does not begin as one.
pub fn decode_records(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut reader = Reader::new("the list of cipher suites", bytes);
    let mut suites = Vec::new();
    while reader.remaining() > 0 {
        let start = reader.u8()?;
        if start & TAG_BITS != TAG_BITS {
            // An algorithm of the record before.
            continue;
        }
        match (start, reader.u8()) {
            (STANDARD_SUITE, Ok(id)) => suites.push(id),
            (OEM_SUITE, Ok(_)) if reader.u24().is_ok() => {}
            (STANDARD_SUITE | OEM_SUITE, _) => break,
            _ => return Err(reader.invalid("a start of record", u32::from(start))),
        }
    }
    Ok(suites)
}

/// The cipher suite records of a BMC that offers `suites`.
#[must_use]
pub fn encode_records(suites: &[CipherSuite]) -> Vec<u8> {
    let record = |suite: &CipherSuite| {
        let (authentication, integrity, confidentiality) = suite.algorithms();
        // The two bits on top tell the algorithms apart. An absent one could be left out, but not every reader bears it.
        [STANDARD_SUITE, suite.id, authentication, 0x40 | integrity, 0x80 | confidentiality]
    };
    suites.iter().flat_map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lead_back_to_the_suites() {
        let bytes = encode_records(CipherSuite::ALL);
        let ids: Vec<u8> = CipherSuite::ALL.iter().map(|suite| suite.id).collect();
        assert_eq!(decode_records(&bytes), Ok(ids));
    }

    /// As a Supermicro BMC answers, with one suite of its manufacturer put in.
    #[test]
    fn suites_of_manufacturers_are_left_out() {
        let bytes = [
            0xc0, 0x03, 0x01, 0x41, 0x81, 0xc1, 0x80, 0x57, 0x01, 0x00, 0x01, 0x41, 0x81, 0xc0, 0x11, 0x03,
            0x44, 0x81,
        ];
        assert_eq!(decode_records(&bytes), Ok(vec![3, 17]));
        assert_eq!(decode_records(&bytes[..8]), Ok(vec![3]));
        assert_eq!(decode_records(&[0xc0]), Ok(vec![]));
        decode_records(&[0xff, 0]).unwrap_err();
    }

    #[test]
    fn suites_are_found_by_their_algorithms() {
        for suite in CipherSuite::ALL {
            let (authentication, integrity, confidentiality) = suite.algorithms();
            assert_eq!(
                CipherSuite::from_algorithms(authentication, integrity, confidentiality),
                Some(*suite)
            );
            assert_eq!(CipherSuite::from_id(suite.id), Some(*suite));
        }
        let strong: Vec<u8> =
            CipherSuite::ALL.iter().filter(|suite| !suite.is_weak()).map(|suite| suite.id).collect();
        assert_eq!(strong, [3, 17]);
        assert_eq!(CipherSuite::from_id(4), None);
    }
}
