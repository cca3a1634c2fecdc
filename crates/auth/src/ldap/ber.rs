//! Basic Encoding Rules (X.690) as far as LDAP uses them (RFC 4511 §5.1): definite lengths and tags of one octet.
//!
//! Reading never recurses and never allocates by a length that the other side has named. Nothing here knows what the
//! elements mean.

use thiserror::Error;

/// `BOOLEAN` (X.690 §8.2).
pub(super) const BOOLEAN: u8 = 0x01;
/// `INTEGER` (X.690 §8.3).
pub(super) const INTEGER: u8 = 0x02;
/// `OCTET STRING` (X.690 §8.7).
pub(super) const OCTET_STRING: u8 = 0x04;
/// `ENUMERATED` (X.690 §8.4).
pub(super) const ENUMERATED: u8 = 0x0a;
/// `SEQUENCE` (X.690 §8.9).
pub(super) const SEQUENCE: u8 = 0x30;
/// `SET` (X.690 §8.11).
pub(super) const SET: u8 = 0x31;

/// The bits of a tag that announce further octets of it (X.690 §8.1.2.4).
const LONG_TAG: u8 = 0x1f;
/// The bit of the first length octet that announces further ones (X.690 §8.1.3.5).
const LONG_LENGTH: u8 = 0x80;

/// What is wrong with an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum BerError {
    #[error("an element ends early")]
    Truncated,
    #[error("a tag has more than one octet")]
    LongTag,
    #[error("a length is indefinite or has more than four octets")]
    Length,
    #[error("an element has the tag {found:#04x} instead of {wanted:#04x}")]
    Tag { wanted: u8, found: u8 },
    #[error("a number does not fit in 32 bits")]
    Number,
    #[error("a text is not UTF-8")]
    Text,
}

struct Header {
    tag: u8,
    size: usize,
    length: usize,
}

/// Reads tag and length; nothing if they are not complete yet.
fn header(bytes: &[u8]) -> Result<Option<Header>, BerError> {
    let [tag, first, rest @ ..] = bytes else { return Ok(None) };
    if tag & LONG_TAG == LONG_TAG {
        return Err(BerError::LongTag);
    }
    if first & LONG_LENGTH == 0 {
        return Ok(Some(Header { tag: *tag, size: 2, length: usize::from(*first) }));
    }
    let count = usize::from(first & !LONG_LENGTH);
    if !(1..=4).contains(&count) {
        return Err(BerError::Length);
    }
    let Some(octets) = rest.get(..count) else { return Ok(None) };
    let length = octets.iter().fold(0_u32, |length, octet| (length << 8) | u32::from(*octet));
    let length = usize::try_from(length).map_err(|_| BerError::Length)?;
    Ok(Some(Header { tag: *tag, size: 2 + count, length }))
}

/// How many octets the message that begins `bytes` has altogether; nothing if its length is not complete yet.
///
/// # Errors
/// What begins there is no `LDAPMessage` (RFC 4511 §4.1.1).
pub(super) fn message_length(bytes: &[u8]) -> Result<Option<usize>, BerError> {
    match bytes.first() {
        Some(&found) if found != SEQUENCE => Err(BerError::Tag { wanted: SEQUENCE, found }),
        _ => Ok(header(bytes)?.map(|header| header.size.saturating_add(header.length))),
    }
}

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is: its tag and its content.
    pub(super) fn element(&mut self) -> Result<(u8, &'a [u8]), BerError> {
        let header = header(self.rest)?.ok_or(BerError::Truncated)?;
        let body = self.rest.get(header.size..).ok_or(BerError::Truncated)?;
        let (content, rest) = body.split_at_checked(header.length).ok_or(BerError::Truncated)?;
        self.rest = rest;
        Ok((header.tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<&'a [u8], BerError> {
        match self.element()? {
            (found, content) if found == wanted => Ok(content),
            (found, _) => Err(BerError::Tag { wanted, found }),
        }
    }

    /// The elements inside the next one, which must have this tag.
    pub(super) fn inside(&mut self, wanted: u8) -> Result<Reader<'a>, BerError> {
        self.expect(wanted).map(Reader::new)
    }

    /// A number of at most 32 bits, encoded as `INTEGER` or `ENUMERATED`.
    pub(super) fn number(&mut self, wanted: u8) -> Result<i32, BerError> {
        let octets = self.expect(wanted)?;
        let negative = octets.first().ok_or(BerError::Number)? & 0x80 != 0;
        if octets.len() > 4 {
            return Err(BerError::Number);
        }
        let start = if negative { -1 } else { 0 };
        Ok(octets.iter().fold(start, |number, octet| (number << 8) | i32::from(*octet)))
    }

    /// An `OCTET STRING` that holds UTF-8, such as `LDAPString` (RFC 4511 §4.1.2).
    pub(super) fn text(&mut self) -> Result<&'a str, BerError> {
        std::str::from_utf8(self.expect(OCTET_STRING)?).map_err(|_| BerError::Text)
    }
}

/// Appends an element.
pub(super) fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    put_nested(out, tag, |out| out.extend_from_slice(content));
}

/// Appends an element whose content is what `write` appends.
///
/// The length always takes four octets, so that it can be filled in afterwards; nothing is copied, which would leave
/// copies of passwords behind.
pub(super) fn put_nested(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, LONG_LENGTH | 4, 0, 0, 0, 0]);
    let start = out.len();
    write(out);
    let length = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    if let Some(octets) = out.get_mut(start.saturating_sub(4)..start) {
        octets.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, tag: u8, number: i32) {
    put(out, tag, &number.to_be_bytes());
}

/// Appends a truth value.
pub(super) fn put_boolean(out: &mut Vec<u8>, tag: u8, value: bool) {
    put(out, tag, &[if value { 0xff } else { 0 }]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_short_and_long_lengths() {
        for bytes in [&[4, 2, b'h', b'i'][..], &[4, 0x81, 2, b'h', b'i'], &[4, 0x84, 0, 0, 0, 2, b'h', b'i']]
        {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.text(), Ok("hi"));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn refuses_what_ldap_does_not_use() {
        assert_eq!(Reader::new(&[0x1f, 1, 0]).element(), Err(BerError::LongTag));
        assert_eq!(Reader::new(&[4, 0x80, 0, 0]).element(), Err(BerError::Length));
        assert_eq!(Reader::new(&[4, 0x85, 0, 0, 0, 0, 0]).element(), Err(BerError::Length));
        assert_eq!(Reader::new(&[4, 3, 1]).element(), Err(BerError::Truncated));
        assert_eq!(Reader::new(&[2, 0]).number(INTEGER), Err(BerError::Number));
        assert_eq!(Reader::new(&[2, 5, 0, 0, 0, 0, 0]).number(INTEGER), Err(BerError::Number));
        assert_eq!(message_length(&[0x15]), Err(BerError::Tag { wanted: SEQUENCE, found: 0x15 }));
    }

    #[test]
    fn a_huge_length_is_only_a_number() {
        assert_eq!(message_length(&[SEQUENCE, 0x84, 0x7f, 0xff, 0xff, 0xff]), Ok(Some(0x7fff_ffff + 6)));
        assert_eq!(message_length(&[SEQUENCE, 0x84, 0x7f]), Ok(None));
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: i32) {
            let mut out = Vec::new();
            put_number(&mut out, INTEGER, number);
            prop_assert_eq!(Reader::new(&out).number(INTEGER), Ok(number));
        }

        #[test]
        fn contents_come_back(content: Vec<u8>) {
            let mut out = Vec::new();
            put_nested(&mut out, SEQUENCE, |out| put(out, OCTET_STRING, &content));
            prop_assert_eq!(message_length(&out), Ok(Some(out.len())));
            prop_assert_eq!(Reader::new(&out).inside(SEQUENCE)?.expect(OCTET_STRING), Ok(&content[..]));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>) {
            let _ = message_length(&bytes);
            let mut reader = Reader::new(&bytes);
            while reader.element().is_ok() {}
        }
    }
}
