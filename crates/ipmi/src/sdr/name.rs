//! The names at the end of records: a byte with encoding and length, and the text (IPMI 2.0 §43.15).
//!
//! Names come from the outside and end up on terminals: what controls a terminal or hides text is replaced.

use crate::wire::Reader;
use crate::{DecodeError, text};

/// The most bytes that a name may have (IPMI 2.0 §43.1, byte 48 and on).
const MAX_NAME: usize = 16;
/// Encoding of the names that are written: eight bits, ASCII and Latin-1.
const LATIN_1: u8 = 0b1100_0000;

/// Takes a name off the front. The length counts bytes for some BMCs and characters for others, which differ where
/// characters are packed: since a name ends its record, it has at most what is left. Its end is trimmed.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let head = reader.u8()?;
    let length = usize::from(head & 0x1f).min(reader.remaining());
    let bytes = reader.take(length)?;
    let text = match head >> 6 {
        0 => unicode(bytes),
        1 => text::bcd_plus(bytes),
        2 => text::six_bit(bytes),
        _ => text::latin_1(bytes),
    };
    Ok(text::presentable(&text))
}

/// Appends a name in eight-bit characters: at most sixteen, and a question mark for those that Latin-1 does not have.
pub(super) fn write(record: &mut Vec<u8>, name: &str) {
    let mut bytes: Vec<u8> =
        name.chars().take(MAX_NAME).map(|char| u8::try_from(u32::from(char)).unwrap_or(b'?')).collect();
    if bytes.len() == 1 {
        // A length of one is reserved in this encoding.
        bytes.push(b' ');
    }
    let length = u8::try_from(bytes.len()).unwrap_or_default();
    record.push(LATIN_1 | length);
    record.extend(bytes);
}

/// UTF-16. Text that can only be ASCII is taken for that: some BMCs leave the encoding at zero.
fn unicode(bytes: &[u8]) -> String {
    let ascii = bytes.trim_ascii_end();
    if ascii.iter().all(u8::is_ascii_graphic) {
        return text::latin_1(ascii);
    }
    text::utf_16(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(bytes: &[u8]) -> String {
        read(&mut Reader::new("test", bytes)).unwrap()
    }

    #[test]
    fn latin_1_is_taken_as_it_is_and_trimmed() {
        assert_eq!(name(b"\xc8CPU Temp"), "CPU Temp");
        assert_eq!(name(b"\xc5\xb5V 1 "), "µV 1");
        assert_eq!(name(b"\xc0"), "");
        assert_eq!(name(b"\xc4Fan1 and more"), "Fan1");
        assert_eq!(name(b"\xdfas long as it is"), "as long as it is");
    }

    /// Names that OpenIPMI's sdrcomp packed: its lengths count characters.
    #[test]
    fn six_bit_names_are_unpacked() {
        assert_eq!(name(&[0x84, 0xf0, 0x5c, 0x47]), "PSU1");
        assert_eq!(name(&[0x86, 0xef, 0x2b, 0xce, 0x69, 0x0b]), "OOBSIM");
        assert_eq!(name(&[0x85, 0x64, 0xda, 0xb6, 0x00]), "DIMM");
        assert_eq!(name(&[0x83, 0xf0, 0x5c, 0x47, 0x21]), "PSU1", "this length counts bytes");
    }

    #[test]
    fn unicode_is_least_significant_byte_first_unless_it_is_plain_text() {
        assert_eq!(name(&[0x06, 0x41, 0x00, 0xa9, 0x03, 0x31, 0x00]), "AΩ1");
        assert_eq!(name(b"\x04CPU1"), "CPU1");
    }

    #[test]
    fn names_are_written_in_at_most_sixteen_bytes() {
        let written = |name| {
            let mut bytes = Vec::new();
            write(&mut bytes, name);
            bytes
        };
        assert_eq!(written("µV"), b"\xc2\xb5V");
        assert_eq!(written("A"), b"\xc2A ");
        assert_eq!(written("Ω!"), b"\xc2?!");
        assert_eq!(written("seventeen letters"), b"\xd0seventeen letter");
    }

    proptest! {
        #[test]
        fn names_of_latin_1_come_back(expected in "[!-~µ]([ -~µ]{0,14}[!-~µ])?") {
            let mut bytes = Vec::new();
            write(&mut bytes, &expected);
            prop_assert_eq!(name(&bytes), expected);
        }

        #[test]
        fn every_name_can_be_read(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
            prop_assert!(!name(&bytes).chars().any(char::is_control));
        }
    }
}
