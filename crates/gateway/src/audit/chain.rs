//! The chain: each entry has a hash over its number, its text and the hash of the entry before it, so that whoever
//! knows the newest hash can tell whether anything before it is still as it was written.
//!
//! It knows nothing of files, nor of what a text says.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// What keeps these hashes apart from those that are made for anything else.
const DOMAIN: &[u8] = b"opendcre audit entry 1";

/// The length of a hash in bytes.
const LENGTH: usize = 32;

/// The hash of an entry: SHA-256 (FIPS 180-4). Written as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHash([u8; LENGTH]);

/// The newest entry of an audit log at some time: whoever has noted it can tell later whether the log was cut off or
/// rewritten. Written as its number and its hash with a colon between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: AuditHash,
}

/// A text that is no head.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no head of an audit log; it is a number, a colon and 64 hexadecimal digits, as the log has it"
)]
pub struct AuditHeadError(String);

impl AuditHash {
    /// What stands for the hash before the first entry: zeros.
    pub(super) const NONE: Self = Self([0; LENGTH]);

    /// The hash of the entry with this number and text that follows the entry with the hash `previous`:
    ///
    /// `SHA-256(L(domain) ‖ L(previous) ‖ L(number) ‖ L(text))`, where `L(x)` is the length of `x` in bytes as eight
    /// bytes, big-endian, followed by `x`; the domain is `opendcre audit entry 1`, and the number is eight bytes,
    /// big-endian.
    pub(super) fn following(previous: Self, sequence: u64, text: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [DOMAIN, &previous.0, &sequence.to_be_bytes(), text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The hash that these bytes are; nothing if there are not 32.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AuditHead {
    /// What an empty log ends with.
    pub(super) const NONE: Self = Self { sequence: 0, hash: AuditHash::NONE };

    /// The head after an entry with this text was added.
    pub(super) fn with(self, text: &[u8]) -> Self {
        let sequence = self.sequence.saturating_add(1);
        Self { sequence, hash: AuditHash::following(self.hash, sequence, text) }
    }
}

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

impl FromStr for AuditHead {
    type Err = AuditHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let head = text.split_once(':').and_then(|(sequence, hash)| {
            let sequence = sequence.parse().ok().filter(|sequence| *sequence > 0)?;
            Some(Self { sequence, hash: hash_of(hash)? })
        });
        head.ok_or_else(|| AuditHeadError(opendcre_model::excerpt(text)))
    }
}

fn hash_of(digits: &str) -> Option<AuditHash> {
    if digits.len() != 2 * LENGTH {
        return None;
    }
    let digit = |at: usize| digits.as_bytes().get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let byte = |at: usize| u8::try_from(digit(2 * at)? * 16 + digit(2 * at + 1)?).ok();
    let bytes: Option<Vec<u8>> = (0..LENGTH).map(byte).collect();
    AuditHash::of_bytes(&bytes?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by another implementation of SHA-256 from the formula: see docs/security.md.
    #[test]
    fn the_hash_is_the_documented_one() {
        let first = AuditHash::following(AuditHash::NONE, 1, b"{}");
        assert_eq!(first.to_string(), "5bfb976c5d77505989d032f0068532207895f10e7e49bb708548e44e63c90dfe");
        let second = AuditHash::following(first, 2, b"{\"kind\":\"intent\"}");
        assert_eq!(second.to_string(), "0b4ee22c2bfe0ed38758b6c9107732105deaaf6dd1f723e75b9fc20181c021b6");
    }

    #[test]
    fn only_a_number_a_colon_and_64_digits_are_a_head() {
        let digits = "0f".repeat(32);
        assert_eq!(format!("7:{digits}").parse::<AuditHead>().unwrap().to_string(), format!("7:{digits}"));
        for text in
            ["", ":", "7", &digits, &format!("0:{digits}"), &format!("-7:{digits}"), &format!("7:{digits}0")]
        {
            assert!(text.parse::<AuditHead>().is_err(), "{text}");
        }
        assert!(format!("7:{}", "0g".repeat(32)).parse::<AuditHead>().is_err());
        assert!(format!("7:{}", "é".repeat(32)).parse::<AuditHead>().is_err());
    }

    proptest! {
        #[test]
        fn a_head_is_read_as_it_is_written(sequence in 1..u64::MAX, bytes: [u8; LENGTH]) {
            let head = AuditHead { sequence, hash: AuditHash(bytes) };
            prop_assert_eq!(head.to_string().parse(), Ok(head));
        }

        #[test]
        fn no_text_breaks_it(text in ".*") {
            let _ = text.parse::<AuditHead>();
        }
    }
}
