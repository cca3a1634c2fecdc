//! BMCs that deviate from the specification, as a table: who, how, and why we believe it.
//!
//! Code asks for a named property and never for a manufacturer. What every session can do without asking – dropping
//! strays, trying the next suite, learning privileges – is no quirk and stands where it is done.

/// The ways in which BMCs deviate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Sensors are marked as not scanned although they are, so their readings count.
    pub scanning_bit_is_wrong: bool,
    /// Sensors name another owner than the BMC although the BMC has them.
    pub owner_is_wrong: bool,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The manufacturer's number with IANA, as Get Device ID tells it.
    pub manufacturer: u32,
    /// The product, as Get Device ID tells it; nothing for all of the manufacturer.
    pub product: Option<u16>,
    /// Where it was seen, and by whom it is reported.
    pub seen: &'static str,
    /// What is different.
    pub quirks: Quirks,
}

const NONE: Quirks = Quirks { scanning_bit_is_wrong: false, owner_is_wrong: false };

/// The table. A line for one product comes before the line for all of its manufacturer.
pub const TABLE: &[Entry] = &[
    Entry {
        manufacturer: 674,
        product: Some(0x0100),
        seen: "Dell PowerEdge 2900, 2950, R410, R610 (freeipmi(7), workaround ignorescanningdisabled)",
        quirks: Quirks { scanning_bit_is_wrong: true, ..NONE },
    },
    Entry {
        manufacturer: 10368,
        product: None,
        seen: "Fujitsu RX300, RX300S2 (freeipmi(7), workaround assumebmcowner)",
        quirks: Quirks { owner_is_wrong: true, ..NONE },
    },
];

/// How the BMCs of this manufacturer and product deviate.
#[must_use]
pub fn quirks(manufacturer: u32, product: u16) -> Quirks {
    let matches = |entry: &&Entry| {
        entry.manufacturer == manufacturer && entry.product.is_none_or(|only| only == product)
    };
    TABLE.iter().find(matches).map_or(NONE, |entry| entry.quirks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_found_by_manufacturer_and_product() {
        assert!(quirks(674, 0x0100).scanning_bit_is_wrong);
        assert_eq!(quirks(674, 0x0001), NONE);
        assert!(quirks(10368, 7).owner_is_wrong);
        assert_eq!(quirks(0, 0), NONE);
    }

    #[test]
    fn every_line_can_be_found() {
        for (index, entry) in TABLE.iter().enumerate() {
            let product = entry.product.unwrap_or(0xfffe);
            let found = TABLE.iter().position(|other| {
                other.manufacturer == entry.manufacturer && other.product.is_none_or(|only| only == product)
            });
            assert_eq!(found, Some(index), "{} is hidden by a line before it", entry.seen);
            assert_ne!(entry.quirks, NONE, "{} says nothing", entry.seen);
        }
    }
}
