//! The packet checksum (§3).

/// The two's complement of the sum of `bytes`, low eight bits: the value that makes the sum of all of them zero.
///
/// `bytes` are the sequence, type, board, device and data bytes of a packet.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn sum_and_checksum_cancel() {
        assert_eq!(checksum(&[]), 0);
        assert_eq!(checksum(&[1]), 0xff);
        assert_eq!(checksum(&[0x80, 0x80]), 0);
    }
}
