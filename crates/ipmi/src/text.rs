//! Text as IPMI stores it (IPMI 2.0 §43.15; FRU §13): the encodings, and what of it may be shown.

/// What stands for a character that must not be shown.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// One character in each byte.
pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// UTF-16, least significant byte first. What is not text becomes the replacement character.
pub(crate) fn utf_16(bytes: &[u8]) -> String {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().copied().map(u16::from_le_bytes);
    let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(REPLACEMENT));
    text.chain(odd.iter().map(|_| REPLACEMENT)).collect()
}

/// Two characters in each byte, the upper half first.
pub(crate) fn bcd_plus(bytes: &[u8]) -> String {
    let character = |nibble: u8| match nibble {
        0..=9 => char::from(b'0' + nibble),
        0xa => ' ',
        0xb => '-',
        0xc => '.',
        0xd => ':',
        0xe => ',',
        _ => '_',
    };
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).map(character).collect()
}

/// Four characters in three bytes, lowest bits first, counted from the space.
pub(crate) fn six_bit(bytes: &[u8]) -> String {
    let group = |chunk: &[u8]| {
        let bits = chunk.iter().rev().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let characters = chunk.len() * 8 / 6;
        (0..characters)
            .filter_map(move |index| char::from_u32((bits >> (6 * index) & 0x3f) + u32::from(b' ')))
    };
    bytes.chunks(3).flat_map(group).collect()
}

/// Text that may be shown: without padding at its end, and without characters that control a terminal, or hide or turn
/// around the text beside them.
pub(crate) fn presentable(text: &str) -> String {
    let shown = |char: char| if is_unpresentable(char) { REPLACEMENT } else { char };
    text.trim_end_matches(['\0', ' ']).chars().map(shown).collect()
}

/// Whether a character controls a terminal, or hides or turns around text.
pub(crate) fn is_unpresentable(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcd_plus_has_sixteen_characters() {
        assert_eq!(bcd_plus(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]), "0123456789 -.:,_");
    }

    /// "IPMI" is the example of the specification (FRU §13.1).
    #[test]
    fn six_bit_characters_begin_with_the_lowest_bits() {
        assert_eq!(six_bit(&[0x29, 0xdc, 0xa6]), "IPMI");
        assert_eq!(six_bit(&[0x29, 0xdc]), "IP");
        assert_eq!(six_bit(&[0x29, 0xdc, 0xa6, 0x29]), "IPMII");
    }

    #[test]
    fn what_is_no_utf_16_is_replaced() {
        assert_eq!(utf_16(&[0x41, 0x00, 0xa9, 0x03]), "AΩ");
        assert_eq!(utf_16(&[0x00, 0xd8]), "\u{fffd}");
        assert_eq!(utf_16(&[0x31, 0x00, 0x31]), "1\u{fffd}");
    }

    #[test]
    fn nothing_reaches_a_terminal_that_controls_it() {
        assert_eq!(presentable("a\u{1b}[2J"), "a\u{fffd}[2J");
        assert_eq!(presentable("a\u{9b}b \0 "), "a\u{fffd}b");
        assert_eq!(presentable("A\u{202e}"), "A\u{fffd}");
        assert_eq!(presentable("µV"), "µV");
    }
}
