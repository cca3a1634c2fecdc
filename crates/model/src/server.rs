//! What can be done to a server besides switching its power.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether a server shows which one it is, usually with a blinking lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identify {
    /// Until it is told otherwise.
    On,
    /// For a while, in whole seconds from 1 to 255.
    Seconds(u8),
    /// Not any more.
    Off,
}

/// What a server says about itself and its parts. Empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetInfo {
    /// The main board.
    pub board: BoardAsset,
    /// The case.
    pub chassis: ChassisAsset,
    /// The whole product.
    pub product: ProductAsset,
    /// Where the server is managed over the network, if it is.
    pub management_address: Option<IpAddr>,
}

/// What is known of a main board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardAsset {
    /// Who made it.
    pub manufacturer: String,
    /// The maker's number of its type.
    pub part_number: String,
    /// The maker's name of its type.
    pub product_name: String,
    /// The maker's number of this one.
    pub serial_number: String,
}

/// What is known of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChassisAsset {
    /// What sort of case it is, in words.
    pub chassis_type: String,
    /// The maker's number of its type.
    pub part_number: String,
    /// The maker's number of this one.
    pub serial_number: String,
}

/// What is known of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductAsset {
    /// The owner's number of this one.
    pub asset_tag: String,
    /// Who made it.
    pub manufacturer: String,
    /// The maker's number of its type.
    pub part_number: String,
    /// The maker's name of its type.
    pub product_name: String,
    /// The maker's number of this one.
    pub serial_number: String,
    /// The maker's version of its type.
    pub version: String,
}

/// How the host behind a board is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    /// Its names.
    pub hostnames: Vec<String>,
    /// Its addresses, and those of its management controller.
    pub ip_addresses: Vec<IpAddr>,
}

/// From where a server boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootTarget {
    /// As its firmware decides.
    NoOverride,
    /// From the network.
    Pxe,
    /// From its first disk.
    Disk,
    /// From its first disk, in safe mode.
    DiskSafeMode,
    /// From its diagnostic partition.
    Diagnostic,
    /// From its CD or DVD drive.
    Optical,
    /// Into the setup of its firmware.
    Setup,
    /// From a removable medium that its management controller provides.
    RemoteRemovable,
    /// From a CD or DVD that its management controller provides.
    RemoteOptical,
    /// From a disk that its management controller provides.
    RemoteDisk,
    /// From a removable medium, such as a USB stick.
    Removable,
}

impl fmt::Display for BootTarget {
    /// The word that stands for it in JSON, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoOverride => "no_override",
            Self::Pxe => "pxe",
            Self::Disk => "disk",
            Self::DiskSafeMode => "disk_safe_mode",
            Self::Diagnostic => "diagnostic",
            Self::Optical => "optical",
            Self::Setup => "setup",
            Self::RemoteRemovable => "remote_removable",
            Self::RemoteOptical => "remote_optical",
            Self::RemoteDisk => "remote_disk",
            Self::Removable => "removable",
        })
    }
}

/// What a server boots instead of what its firmware would choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootOverride {
    /// From where.
    pub target: BootTarget,
    /// Every time from now on, not only the next time.
    pub persistent: bool,
    /// In the manner of UEFI, not of a PC BIOS.
    pub efi: bool,
}

/// How much power a server may draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PowerLimit {
    /// The limit in watts.
    pub watts: u16,
    /// How long the server may take to get back below the limit, in whole milliseconds.
    pub correction_time: Duration,
    /// The time over which power is averaged, in whole seconds up to 65535.
    pub sampling_period: Duration,
    /// What happens when the limit cannot be kept.
    pub exception: PowerLimitException,
}

/// What happens when a server cannot keep its power limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerLimitException {
    /// Nothing.
    None,
    /// An entry in the event log.
    #[default]
    Log,
    /// The server is switched off, with an entry in the event log.
    PowerOff,
}

impl fmt::Display for PowerLimitException {
    /// The word that stands for it in JSON, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Log => "log",
            Self::PowerOff => "power_off",
        })
    }
}

/// A command in the words of IPMI.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The network function: even, below 0x40.
    pub netfn: u8,
    /// The logical unit, 0 to 3.
    pub lun: u8,
    /// The command.
    pub command: u8,
    /// Its data.
    pub data: Vec<u8>,
}

impl fmt::Debug for RawRequest {
    /// Without the data: that of some commands is a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { netfn, lun, command, data } = self;
        write!(f, "RawRequest({netfn:02x}.{lun} {command:02x}, {} bytes)", data.len())
    }
}

/// The answer to a [`RawRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RawAnswer {
    /// The completion code; zero when the command was carried out.
    pub completion: u8,
    /// What follows it.
    pub data: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_data_may_be_a_password_and_is_not_printed() {
        let request = RawRequest { netfn: 6, lun: 0, command: 0x47, data: b"\x02\x02secret".to_vec() };
        assert_eq!(format!("{request:?}"), "RawRequest(06.0 47, 8 bytes)");
    }
}
