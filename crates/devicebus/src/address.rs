//! What the bits of board and device ids mean (§5).

/// Scan all boards (§5.1).
pub const SCAN_ALL: u32 = 0x8000_0000;
/// Boards draw a new time slot; set on retries of a scan-all (§5.1, §9.2).
pub const SHUFFLE: u32 = 0x2000_0000;
/// Boards keep the time slots of the last scan; nothing is answered (§5.1, §9.4).
pub const SAVE: u32 = 0x1000_0000;
/// The largest id of a board on the bus; the byte above holds flags and reserved bits (§5.1).
pub const MAX_BOARD: u32 = 0x00ff_ffff;
/// The device id of requests that address a whole board (§7).
pub const WHOLE_BOARD: u16 = 0xffff;
/// The board id in answers of responders that do not echo addresses (§4, §8).
pub const NO_BOARD: u32 = 0;

/// The board id that asks every board to answer in its own time slot of `time_slice_ms` milliseconds (§5.2).
///
/// `master` tells boards which master assigned their slot; they treat it as opaque.
#[must_use]
pub const fn scan_all(master: [u8; 2], time_slice_ms: u8) -> u32 {
    let [high, low] = master;
    u32::from_be_bytes([0x80, high, low, time_slice_ms])
}

/// The two bytes that the original derives from its 48-bit MAC address (§5.2): the last four decimal digits of
/// the address as an integer, each pair of digits read as hexadecimal.
#[must_use]
pub fn master_id(mac: [u8; 6]) -> [u8; 2] {
    let [a, b, c, d, e, f] = mac;
    let address = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let pair = |divisor: u64| {
        let digits = (address / divisor % 100).to_le_bytes();
        let [value, ..] = digits;
        (value / 10) << 4 | (value % 10)
    };
    [pair(100), pair(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_all_ids_of_the_worked_examples() {
        let first = master_id([0x02, 0x42, 0xac, 0x11, 0x00, 0x02]);
        assert_eq!(scan_all(first, 75), 0x8023_544b);
        let second = master_id([0xb8, 0x27, 0xeb, 0x12, 0x34, 0x56]);
        assert_eq!(scan_all(second, 75), 0x8041_344b);
        assert_eq!(scan_all([0x56, 0x78], 75), 0x8056_784b);
    }
}
