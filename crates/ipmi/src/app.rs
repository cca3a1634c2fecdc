//! The BMC itself: what it is, whether it is well, which channels it has (NetFn App, IPMI 2.0 chapters 20 and 22).
//!
//! Knows nothing of sessions and cipher suites, whose commands share the NetFn, and has no names for manufacturers and
//! products. The test bytes are those of OpenIPMI's simulator, and of tables whose reading by ipmitool was compared.

mod channel;
mod guid;

use std::fmt;

pub use channel::{CURRENT_CHANNEL, ChannelInfo, GetChannelInfo, Medium, Protocol, SessionSupport};
pub use guid::{Guid, GuidOrder};

use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// Get Device ID (IPMI 2.0 §20.1).
pub const GET_DEVICE_ID: u8 = 0x01;
/// Cold Reset (IPMI 2.0 §20.2). Not offered as a command: it takes the BMC away from everybody.
pub const COLD_RESET: u8 = 0x02;
/// Warm Reset (IPMI 2.0 §20.3). Not offered, as [`COLD_RESET`].
pub const WARM_RESET: u8 = 0x03;
/// Get Self Test Results (IPMI 2.0 §20.4).
pub const GET_SELF_TEST_RESULTS: u8 = 0x04;
/// Get Device GUID (IPMI 2.0 §20.8).
pub const GET_DEVICE_GUID: u8 = 0x08;
/// Get System GUID (IPMI 2.0 §22.14).
pub const GET_SYSTEM_GUID: u8 = 0x37;
/// Get Channel Access (IPMI 2.0 §22.23).
pub const GET_CHANNEL_ACCESS: u8 = 0x41;
/// Get Channel Info Command (IPMI 2.0 §22.24).
pub const GET_CHANNEL_INFO: u8 = 0x42;

/// What a BMC says about itself (IPMI 2.0 §20.1, table 20-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// A number that the manufacturer gives to kinds of controllers; 0 when it does not.
    pub device_id: u8,
    /// The revision of the hardware, 0 to 15.
    pub revision: u8,
    /// Whether it has sensor records of its own beside those of the repository.
    pub device_sdrs: bool,
    /// Whether its firmware is being changed, or it still starts: it answers only a few commands.
    pub updating: bool,
    /// The first part of the firmware's version, 0 to 127.
    pub firmware_major: u8,
    /// The second part, two decimal digits in BCD.
    pub firmware_minor: u8,
    /// The version of IPMI, as two decimal digits; the lower one comes first on the wire.
    pub ipmi_version: IpmiVersion,
    /// What it can do beyond being a BMC.
    pub functions: Functions,
    /// The manufacturer's number in IANA's list of private enterprises; 20 bits, 0 when unspecified.
    pub manufacturer: u32,
    /// The product's number, chosen by the manufacturer; 0 when unspecified.
    pub product: u16,
    /// Four more bytes of firmware version, whose meaning the manufacturer knows. Optional.
    pub auxiliary: Option<[u8; 4]>,
}

/// A version of IPMI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpmiVersion {
    /// 1 or 2; at most 15.
    pub major: u8,
    /// 0 or 5; at most 15.
    pub minor: u8,
}

impl fmt::Display for IpmiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// "Additional device support" (IPMI 2.0 table 20-2, byte 7), one bit for each function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Functions(pub u8);

impl Functions {
    /// It has sensors.
    pub const SENSOR: Self = Self(0x01);
    /// It has a repository of sensor records.
    pub const SDR_REPOSITORY: Self = Self(0x02);
    /// It has a system event log.
    pub const SEL: Self = Self(0x04);
    /// It has FRU data.
    pub const FRU: Self = Self(0x08);
    /// It takes events from the IPMB.
    pub const EVENT_RECEIVER: Self = Self(0x10);
    /// It sends events on the IPMB.
    pub const EVENT_GENERATOR: Self = Self(0x20);
    /// It is a bridge.
    pub const BRIDGE: Self = Self(0x40);
    /// It controls a chassis.
    pub const CHASSIS: Self = Self(0x80);

    /// Whether it has all the functions of `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl DeviceIdentity {
    /// The firmware's version as people write it, such as "9.08".
    #[must_use]
    pub fn firmware(&self) -> String {
        format!("{}.{:02x}", self.firmware_major, self.firmware_minor)
    }

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they end before the product's number.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a device id", data);
        let [device_id, revision, major, minor, version, functions] = reader.array()?;
        Ok(Self {
            device_id,
            revision: revision & 0x0f,
            device_sdrs: revision & 0x80 != 0,
            updating: major & 0x80 != 0,
            firmware_major: major & 0x7f,
            firmware_minor: minor,
            ipmi_version: IpmiVersion { major: version & 0x0f, minor: version >> 4 },
            functions: Functions(functions),
            manufacturer: reader.u24()? & 0x000f_ffff,
            product: reader.u16()?,
            auxiliary: reader.array().ok(),
        })
    }

    /// The data of an answer. Numbers that are too large for their field lose their upper bits.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![
            self.device_id,
            self.revision & 0x0f | u8::from(self.device_sdrs) << 7,
            self.firmware_major & 0x7f | u8::from(self.updating) << 7,
            self.firmware_minor,
            self.ipmi_version.minor << 4 | self.ipmi_version.major & 0x0f,
            self.functions.0,
        ];
        let [low, middle, high, _] = (self.manufacturer & 0x000f_ffff).to_le_bytes();
        data.extend([low, middle, high]);
        data.extend(self.product.to_le_bytes());
        data.extend(self.auxiliary.iter().flatten());
        data
    }
}

/// Asks what a BMC is.
#[derive(Debug, Clone, Copy)]
pub struct GetDeviceId;

impl Command for GetDeviceId {
    type Output = DeviceIdentity;

    const NAME: &'static str = "Get Device ID";

    fn request(&self) -> Request {
        Request::new(NetFn::APP, GET_DEVICE_ID, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<DeviceIdentity, DecodeError> {
        DeviceIdentity::decode(data)
    }
}

/// Asks for the GUID of the managed system, which is meant to be its SMBIOS UUID.
#[derive(Debug, Clone, Copy)]
pub struct GetSystemGuid;

impl Command for GetSystemGuid {
    type Output = Guid;

    const NAME: &'static str = "Get System GUID";

    fn request(&self) -> Request {
        Request::new(NetFn::APP, GET_SYSTEM_GUID, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<Guid, DecodeError> {
        Guid::decode(data)
    }
}

/// What a BMC found when it tested itself (IPMI 2.0 §20.4, table 20-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfTest {
    /// All tests passed.
    Passed,
    /// It has no self test.
    NotImplemented,
    /// Something is corrupted or cannot be reached.
    Corrupted(Corruption),
    /// A fatal hardware error; the code is the manufacturer's.
    Fatal(u8),
    /// A failure of a kind that only the manufacturer knows.
    Specific {
        /// The kind.
        kind: u8,
        /// The details.
        code: u8,
    },
}

/// What a BMC found to be corrupted or out of reach, one bit for each finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Corruption(pub u8);

/// The findings, most significant bit first (IPMI 2.0 table 20-5).
const FINDINGS: [(u8, &str); 8] = [
    (0x80, "the SEL cannot be accessed"),
    (0x40, "the SDR repository cannot be accessed"),
    (0x20, "the BMC's FRU data cannot be accessed"),
    (0x10, "the IPMB does not respond"),
    (0x08, "the SDR repository is empty"),
    (0x04, "the internal use area of the BMC's FRU data is corrupted"),
    (0x02, "the update boot block firmware is corrupted"),
    (0x01, "the operational firmware is corrupted"),
];

impl Corruption {
    /// The findings as text.
    pub fn findings(self) -> impl Iterator<Item = &'static str> {
        FINDINGS.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, text)| text)
    }
}

impl SelfTest {
    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than two bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let [kind, code] = Reader::new("a self test result", data).array()?;
        Ok(match kind {
            0x55 => Self::Passed,
            0x56 => Self::NotImplemented,
            0x57 => Self::Corrupted(Corruption(code)),
            0x58 => Self::Fatal(code),
            _ => Self::Specific { kind, code },
        })
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::Passed => vec![0x55, 0x00],
            Self::NotImplemented => vec![0x56, 0x00],
            Self::Corrupted(Corruption(code)) => vec![0x57, code],
            Self::Fatal(code) => vec![0x58, code],
            Self::Specific { kind, code } => vec![kind, code],
        }
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::NotImplemented => f.write_str("the BMC has no self test"),
            Self::Corrupted(Corruption(0)) => f.write_str("something is corrupted or out of reach"),
            Self::Corrupted(corruption) => {
                for (index, finding) in corruption.findings().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{finding}")?;
                }
                Ok(())
            }
            Self::Fatal(code) => write!(f, "fatal hardware error {code:02X}h"),
            Self::Specific { kind, code } => write!(f, "device-specific failure {kind:02X}h {code:02X}h"),
        }
    }
}

/// Asks what a BMC found when it tested itself.
#[derive(Debug, Clone, Copy)]
pub struct GetSelfTest;

impl Command for GetSelfTest {
    type Output = SelfTest;

    const NAME: &'static str = "Get Self Test Results";

    fn request(&self) -> Request {
        Request::new(NetFn::APP, GET_SELF_TEST_RESULTS, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<SelfTest, DecodeError> {
        SelfTest::decode(data)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What ipmi_sim answers; ipmitool shows "Firmware Revision 9.08, IPMI Version 2.0, Manufacturer ID 4753".
    const SIMULATOR: [u8; 15] =
        [0x00, 0x03, 0x09, 0x08, 0x02, 0x9f, 0x91, 0x12, 0x00, 0x02, 0x0f, 0x00, 0x00, 0x00, 0x00];

    #[test]
    fn the_simulators_identity_is_read() {
        let identity = GetDeviceId.parse(&SIMULATOR).unwrap();
        assert_eq!(identity.revision, 3);
        assert!(!identity.device_sdrs && !identity.updating);
        assert_eq!(identity.firmware(), "9.08");
        assert_eq!(identity.ipmi_version.to_string(), "2.0");
        assert_eq!((identity.manufacturer, identity.product), (4753, 0x0f02));
        assert!(identity.functions.contains(Functions::CHASSIS));
        assert!(!identity.functions.contains(Functions::BRIDGE));
        assert_eq!(identity.auxiliary, Some([0; 4]));
        assert_eq!(identity.encode(), SIMULATOR);
    }

    #[test]
    fn a_bmc_of_ipmi_1_5_without_auxiliary_version_is_read() {
        let data = [0x20, 0x81, 0x83, 0x15, 0x51, 0xbf, 0x57, 0x01, 0x00, 0x34, 0x12];
        let identity = DeviceIdentity::decode(&data).unwrap();
        assert!(identity.device_sdrs && identity.updating);
        assert_eq!(identity.firmware(), "3.15");
        assert_eq!(identity.ipmi_version, IpmiVersion { major: 1, minor: 5 });
        assert_eq!((identity.manufacturer, identity.product), (343, 0x1234));
        assert_eq!(identity.auxiliary, None);
        assert_eq!(identity.encode(), data);
    }

    #[test]
    fn an_identity_that_ends_early_is_refused() {
        for length in 0..11 {
            DeviceIdentity::decode(&SIMULATOR[..length]).unwrap_err();
        }
    }

    #[test]
    fn self_tests_have_texts() {
        let text = |data: &[u8]| GetSelfTest.parse(data).unwrap().to_string();
        assert_eq!(text(&[0x55, 0x00]), "passed");
        assert_eq!(
            text(&[0x57, 0x84]),
            "the SEL cannot be accessed, the internal use area of the BMC's FRU data is corrupted"
        );
        assert_eq!(text(&[0x57, 0x00]), "something is corrupted or out of reach");
        assert_eq!(text(&[0x58, 0x1a]), "fatal hardware error 1Ah");
        assert_eq!(text(&[0x60, 0x01]), "device-specific failure 60h 01h");
        GetSelfTest.parse(&[0x55]).unwrap_err();
    }

    #[test]
    fn the_questions_are_those_of_the_specification() {
        assert_eq!(GetDeviceId.request(), Request::new(NetFn(0x06), 0x01, &[]));
        assert_eq!(GetSelfTest.request(), Request::new(NetFn(0x06), 0x04, &[]));
        assert_eq!(GetSystemGuid.request(), Request::new(NetFn(0x06), 0x37, &[]));
    }

    proptest! {
        #[test]
        fn what_is_decoded_comes_back_when_encoded(data: Vec<u8>) {
            if let Ok(identity) = DeviceIdentity::decode(&data) {
                prop_assert_eq!(DeviceIdentity::decode(&identity.encode()), Ok(identity));
            }
            if let Ok(test) = SelfTest::decode(&data) {
                prop_assert_eq!(SelfTest::decode(&test.encode()), Ok(test));
            }
        }
    }
}
