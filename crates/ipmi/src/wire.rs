//! Taking bytes apart without ever reading past their end.

use crate::DecodeError;

/// Takes fields off the front of a datagram or record. IPMI sends the least significant byte first.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    /// What is being read, for errors.
    what: &'static str,
    length: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which errors call `what`.
    #[must_use]
    pub const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, length: bytes.len(), rest: bytes }
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer are left; the same holds for every other method that takes bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// See [`Reader::take`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// See [`Reader::take`].
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes.
    ///
    /// # Errors
    /// See [`Reader::take`].
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next three bytes.
    ///
    /// # Errors
    /// See [`Reader::take`].
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        self.array().map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    /// The next four bytes.
    ///
    /// # Errors
    /// See [`Reader::take`].
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Everything that is left.
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &[];
        rest
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// A field with a value that is not allowed.
    #[must_use]
    pub const fn invalid(&self, field: &'static str, value: u32) -> DecodeError {
        DecodeError::Invalid { what: self.what, field, value }
    }

    const fn truncated(&self) -> DecodeError {
        DecodeError::Truncated { what: self.what, length: self.length }
    }
}

/// The byte that makes the sum of `bytes` and itself zero modulo 256 (IPMI 2.0 §13.8, "checksum").
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_off_the_front() {
        let mut reader = Reader::new("test", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0302));
        assert_eq!(reader.u24(), Ok(0x0006_0504));
        assert_eq!(reader.u32(), Ok(0x0a09_0807));
        assert_eq!(reader.remaining(), 1);
        assert_eq!(reader.u16(), Err(DecodeError::Truncated { what: "test", length: 11 }));
        assert_eq!(reader.rest(), [11]);
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn the_checksum_makes_the_sum_zero() {
        assert_eq!(checksum(&[]), 0);
        assert_eq!(checksum(&[0x20, 0x18]), 0xc8);
        assert_eq!(checksum(&[0x81, 0x00, 0x38, 0x0e, 0x04]), 0x35);
    }
}
