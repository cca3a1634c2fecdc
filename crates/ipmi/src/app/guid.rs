//! GUIDs, and the three orders in which BMCs send them.
//!
//! IPMI 2.0 (§20.8, table 20-10) sends a GUID from its last byte to its first. Most BMCs instead copy the UUID of
//! SMBIOS, whose first three fields have their lowest byte first (SMBIOS 2.6 §7.2.1), and some send it as RFC 4122
//! writes it. The bytes do not say which; but a UUID carries its version and variant in fixed places (RFC 4122 §4.1),
//! and those are in different places in each order.

use std::fmt;

use crate::DecodeError;
use crate::wire::Reader;

/// The order in which the bytes of a GUID come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuidOrder {
    /// As SMBIOS has it: the first three fields with their lowest byte first, the rest as it is written.
    Smbios,
    /// As RFC 4122 writes it.
    Rfc4122,
    /// As IPMI 2.0 has it: the last byte first.
    Ipmi,
}

impl GuidOrder {
    /// All, the most common first.
    const ALL: [Self; 3] = [Self::Smbios, Self::Rfc4122, Self::Ipmi];

    /// Between the wire and the written order. Every order is its own inverse.
    const fn swap(self, bytes: [u8; 16]) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        match self {
            Self::Smbios => [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p],
            Self::Rfc4122 => bytes,
            Self::Ipmi => [p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a],
        }
    }
}

/// A GUID as a BMC sent it. It is shown as RFC 4122 writes UUIDs, in the order that [`Guid::order`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid {
    /// The bytes as they come on the wire.
    pub wire: [u8; 16],
}

impl Guid {
    /// The GUID that is written as `written` (RFC 4122's order), to be sent in `order`.
    #[must_use]
    pub const fn new(written: [u8; 16], order: GuidOrder) -> Self {
        Self { wire: order.swap(written) }
    }

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than 16 bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { wire: Reader::new("a GUID", data).array()? })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.wire.to_vec()
    }

    /// The order in which the BMC most probably sends: the first of SMBIOS, RFC 4122 and IPMI, which is the order of
    /// how common they are, in which version and variant are those of a UUID; when it is a UUID in none of them, that
    /// of IPMI, since that is what the specification demands. A guess goes wrong only when bytes that are free happen
    /// to look like a version and a variant; [`Guid::written`] takes the order from somebody who knows it.
    #[must_use]
    pub fn order(&self) -> GuidOrder {
        GuidOrder::ALL.into_iter().find(|order| is_uuid(self.written(*order))).unwrap_or(GuidOrder::Ipmi)
    }

    /// Whether it tells this system from others. Not so when all its bytes are equal, as in memory that was never written
    /// or when SMBIOS says that there is none (SMBIOS 2.6 §7.2.1: all 00h or FFh), nor when it is one that many systems
    /// have.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        let [first, rest @ ..] = self.wire;
        let is_uniform = rest.iter().all(|byte| *byte == first);
        !is_uniform && !GuidOrder::ALL.into_iter().any(|order| self.written(order) == FORGOTTEN)
    }

    /// The bytes as RFC 4122 writes them, if they come in `order`.
    #[must_use]
    pub const fn written(&self, order: GuidOrder) -> [u8; 16] {
        order.swap(self.wire)
    }
}

/// A UUID that manufacturers forget to replace: the default of the firmware that AMI gives to them, as RFC 4122 writes
/// it.
const FORGOTTEN: [u8; 16] =
    [0x03, 0x00, 0x02, 0x00, 0x04, 0x00, 0x05, 0x00, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00, 0x09];

/// Whether bytes in written order have a version from 1 to 8 and the variant of RFC 4122.
const fn is_uuid(written: [u8; 16]) -> bool {
    let [_, _, _, _, _, _, version, _, variant, ..] = written;
    matches!(version >> 4, 1..=8) && variant >> 6 == 0b10
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.written(self.order()).into_iter().enumerate() {
            let separator = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A random UUID of RFC 4122 §4.4, version 4.
    const WRITTEN: [u8; 16] =
        [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x47, 0x08, 0x89, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10];

    #[test]
    fn one_uuid_is_shown_the_same_in_every_order() {
        for order in GuidOrder::ALL {
            let guid = Guid::new(WRITTEN, order);
            assert_eq!(guid.order(), order);
            assert_eq!(guid.to_string(), "01020304-0506-4708-890a-0b0c0d0e0f10");
        }
    }

    /// ipmitool shows these bytes as the same UUID and calls them "SMBIOS".
    #[test]
    fn the_order_of_smbios_is_little_endian_in_three_fields() {
        let wire =
            [0x04, 0x03, 0x02, 0x01, 0x06, 0x05, 0x08, 0x47, 0x89, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10];
        assert_eq!(Guid::new(WRITTEN, GuidOrder::Smbios), Guid { wire });
    }

    /// What ipmi_sim answers is no UUID in any order; bmc-info and ipmitool show it in the order of IPMI as well.
    #[test]
    fn what_is_no_uuid_is_shown_in_the_order_of_the_specification() {
        let wire =
            [0xa1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xa1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let guid = Guid::decode(&wire).unwrap();
        assert_eq!(guid.order(), GuidOrder::Ipmi);
        assert_eq!(guid.to_string(), "efcdab89-6745-23a1-efcd-ab89674523a1");
        Guid::decode(&wire[..15]).unwrap_err();
    }

    #[test]
    fn a_guid_that_many_systems_have_is_not_unique() {
        for order in GuidOrder::ALL {
            assert!(Guid::new(WRITTEN, order).is_unique());
            assert!(!Guid::new(FORGOTTEN, order).is_unique());
        }
        for byte in [0x00, 0xff, 0xfe] {
            assert!(!Guid { wire: [byte; 16] }.is_unique());
        }
    }

    proptest! {
        #[test]
        fn every_order_is_its_own_inverse(written: [u8; 16]) {
            for order in GuidOrder::ALL {
                prop_assert_eq!(Guid::new(written, order).written(order), written);
            }
        }

        #[test]
        fn what_is_decoded_comes_back_when_encoded(wire: [u8; 16]) {
            prop_assert_eq!(Guid::decode(&wire).unwrap().encode(), wire);
        }
    }
}
