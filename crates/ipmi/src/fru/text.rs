//! Text fields: a byte of type and length, then text in one of five encodings (FRU §13).
//!
//! Characters that control a terminal or disguise text never leave this module, because these texts end up on terminals
//! and in logs.

use super::encode::FruEncodeError;
use crate::text;

/// The language of the texts in an area (FRU §15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(pub u8);

impl Language {
    /// English, which most devices state by zero.
    pub const ENGLISH: Self = Self(0);

    /// Whether texts are stored as 8-bit ASCII with Latin 1 and not as UTF-16. English has two codes.
    #[must_use]
    pub const fn is_english(self) -> bool {
        matches!(self.0, 0 | 25)
    }
}

/// The byte that stands behind the last field. It has the form of an 8-bit text of one character, which therefore
/// cannot be stored as such.
pub(super) const END_OF_FIELDS: u8 = 0xc1;

const LENGTH_MASK: u8 = 0x3f;
const KIND_MASK: u8 = 0xc0;
const KIND_BINARY: u8 = 0x00;
const KIND_BCD_PLUS: u8 = 0x40;
const KIND_SIX_BIT: u8 = 0x80;
const KIND_LANGUAGE: u8 = 0xc0;

/// The number of bytes behind a type/length byte.
pub(super) fn length(type_length: u8) -> usize {
    usize::from(type_length & LENGTH_MASK)
}

/// The text in the bytes behind a type/length byte, without blanks and zeros at its end. Binary becomes hexadecimal
/// digits.
pub(super) fn decode(type_length: u8, bytes: &[u8], language: Language) -> String {
    let text = match type_length & KIND_MASK {
        KIND_BINARY => return hexadecimal(bytes),
        KIND_BCD_PLUS => text::bcd_plus(bytes),
        KIND_SIX_BIT => text::six_bit(bytes),
        _ if language.is_english() => text::latin_1(bytes),
        _ => text::utf_16(bytes),
    };
    text::presentable(&text)
}

/// The type/length byte and the bytes of a text.
///
/// # Errors
/// When it is longer than 63 bytes, or has characters that the encoding lacks.
pub(super) fn encode(text: &str, language: Language) -> Result<Vec<u8>, FruEncodeError> {
    let mut bytes = if language.is_english() {
        latin1(text).ok_or_else(|| FruEncodeError::Character { text: text.to_owned() })?
    } else {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    // One character would be read as the end of the fields.
    if bytes.len() == 1 {
        bytes.push(b' ');
    }
    let length = u8::try_from(bytes.len()).ok().filter(|length| *length <= LENGTH_MASK);
    let length = length.ok_or_else(|| FruEncodeError::TextTooLong { text: text.to_owned() })?;
    bytes.insert(0, KIND_LANGUAGE | length);
    Ok(bytes)
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok().filter(|_| !text::is_unpresentable(c))).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRENCH: Language = Language(29);

    #[test]
    fn binary_becomes_hexadecimal() {
        assert_eq!(decode(0x03, &[0x00, 0x1b, 0xff], Language::ENGLISH), "001bff");
        assert_eq!(decode(0x00, &[], Language::ENGLISH), "");
    }

    #[test]
    fn bcd_plus_has_two_characters_in_a_byte() {
        assert_eq!(decode(0x44, &[0x12, 0xb3, 0xc4, 0x5a], Language::ENGLISH), "12-3.45");
        assert_eq!(decode(0x42, &[0xde, 0xf0], Language::ENGLISH), ":,_0");
    }

    #[test]
    fn the_language_decides_between_latin_1_and_utf_16() {
        assert_eq!(decode(0xc4, b"caf\xe9", Language::ENGLISH), "café");
        assert_eq!(decode(0xc4, b"caf\xe9", Language(25)), "café");
        assert_eq!(decode(0xc6, &[0xac, 0x20, 0x31, 0x00, 0x00, 0x00], FRENCH), "€1");
        assert_eq!(decode(0xc3, &[0x31, 0x00, 0x31], FRENCH), "1\u{fffd}");
        assert_eq!(decode(0xc2, &[0x00, 0xd8], FRENCH), "\u{fffd}");
    }

    #[test]
    fn control_characters_are_replaced_and_padding_is_cut() {
        assert_eq!(decode(0xc6, b"a\x1b[2J\0", Language::ENGLISH), "a\u{fffd}[2J");
        assert_eq!(decode(0xc8, b"SN1 \0\0  ", Language::ENGLISH), "SN1");
        assert_eq!(decode(0xc6, &[0x2e, 0x20, 0x31, 0x00, 0x9b, 0x00], FRENCH), "\u{fffd}1\u{fffd}");
    }

    #[test]
    fn one_character_is_not_mistaken_for_the_end() {
        assert_eq!(encode("A", Language::ENGLISH), Ok(vec![0xc2, b'A', b' ']));
        assert_eq!(encode("", Language::ENGLISH), Ok(vec![0xc0]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "x".repeat(64);
        assert_eq!(encode(&long, Language::ENGLISH), Err(FruEncodeError::TextTooLong { text: long.clone() }));
        assert!(encode(&long[..63], Language::ENGLISH).is_ok());
        assert!(encode(&long[..31], FRENCH).is_ok());
        encode(&long[..32], FRENCH).unwrap_err();
        for text in ["€", "a\nb"] {
            assert_eq!(encode(text, Language::ENGLISH), Err(FruEncodeError::Character { text: text.into() }));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_give_control_characters(type_length: u8, bytes: Vec<u8>, language: u8) {
            prop_assert!(!decode(type_length, &bytes, Language(language)).chars().any(char::is_control));
        }

        #[test]
        fn texts_come_back(text in "([!-~ ]{0,61}[!-~¡-¬®-ÿ])?", language in prop::sample::select(vec![0_u8, 25])) {
            let bytes = encode(&text, Language(language)).unwrap();
            prop_assert_eq!(decode(bytes[0], &bytes[1..], Language(language)), text);
        }
    }
}
