//! Kinds of chassis by their number in SMBIOS, which FRU inventories use too.

use std::fmt;

/// The kind of a chassis (FRU §10; the numbers are those of SMBIOS 3.6 §7.4.1, table 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChassisType(pub u8);

impl ChassisType {
    /// A chassis that is mounted in a rack.
    pub const RACK_MOUNT: Self = Self(0x17);

    /// What the number stands for; nothing for zero and for numbers that are not assigned.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x01 => "Other",
            0x02 => "Unknown",
            0x03 => "Desktop",
            0x04 => "Low Profile Desktop",
            0x05 => "Pizza Box",
            0x06 => "Mini Tower",
            0x07 => "Tower",
            0x08 => "Portable",
            0x09 => "Laptop",
            0x0a => "Notebook",
            0x0b => "Hand Held",
            0x0c => "Docking Station",
            0x0d => "All in One",
            0x0e => "Sub Notebook",
            0x0f => "Space-saving",
            0x10 => "Lunch Box",
            0x11 => "Main Server Chassis",
            0x12 => "Expansion Chassis",
            0x13 => "SubChassis",
            0x14 => "Bus Expansion Chassis",
            0x15 => "Peripheral Chassis",
            0x16 => "RAID Chassis",
            0x17 => "Rack Mount Chassis",
            0x18 => "Sealed-case PC",
            0x19 => "Multi-system Chassis",
            0x1a => "Compact PCI",
            0x1b => "Advanced TCA",
            0x1c => "Blade",
            0x1d => "Blade Enclosure",
            0x1e => "Tablet",
            0x1f => "Convertible",
            0x20 => "Detachable",
            0x21 => "IoT Gateway",
            0x22 => "Embedded PC",
            0x23 => "Mini PC",
            0x24 => "Stick PC",
            _ => return None,
        })
    }
}

impl fmt::Display for ChassisType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "chassis type {:02X}h", self.0),
        }
    }
}
