//! DCMI, the data center's extension of IPMI: power readings and limits, asset tag, name of the controller, and
//! temperatures, all in the same form on every BMC (Data Center Manageability Interface 1.0, 1.1 and 1.5).
//!
//! Refuses answers that do not carry DCMI's group extension, and knows nothing of DCMI's configuration parameters and
//! thermal limits. The test bytes are the specification's layouts as ipmitool and FreeIPMI read and send them.

mod capability;
mod power;
mod temperature;
mod text;

use std::fmt;

pub use capability::{
    AccessChannels, Capabilities, Capability, CapabilityParameter, GetCapability, MandatoryAttributes,
    PowerController, ReadCapabilities, RollingPeriods, Supported,
};
pub use power::{
    ActivatePowerLimit, ExceptionAction, GetPowerLimit, GetPowerReading, PowerLimit, PowerLimitState,
    PowerReading, RollingPeriod, SetPowerLimit, Statistics,
};
pub use temperature::{
    Entity, EntityCommand, EntityQuery, FindTemperatureSensors, GetSensorInfo, GetTemperatureReadings, Page,
    ReadTemperatures, Temperature, WalkEntities,
};
pub use text::{
    AssetTag, ControllerId, GetText, ReadAssetTag, ReadControllerId, ReadText, SetText, TextError, TextField,
    TextPart, WriteAssetTag, WriteControllerId, WriteText,
};

use crate::wire::Reader;
use crate::{DecodeError, NetFn, Request};

/// The group extension of DCMI, the first byte of all its requests and answers (DCMI 1.5 §6).
pub const GROUP_EXTENSION: u8 = 0xdc;

/// Get DCMI Capabilities Info (DCMI 1.5 §6.1).
pub const GET_CAPABILITIES: u8 = 0x01;
/// Get Power Reading (DCMI 1.5 §6.6.1).
pub const GET_POWER_READING: u8 = 0x02;
/// Get Power Limit (DCMI 1.5 §6.6.2).
pub const GET_POWER_LIMIT: u8 = 0x03;
/// Set Power Limit (DCMI 1.5 §6.6.3).
pub const SET_POWER_LIMIT: u8 = 0x04;
/// Activate/Deactivate Power Limit (DCMI 1.5 §6.6.4).
pub const ACTIVATE_POWER_LIMIT: u8 = 0x05;
/// Get Asset Tag (DCMI 1.5 §6.4).
pub const GET_ASSET_TAG: u8 = 0x06;
/// Get DCMI Sensor Info (DCMI 1.5 §6.5.2).
pub const GET_SENSOR_INFO: u8 = 0x07;
/// Set Asset Tag (DCMI 1.5 §6.4).
pub const SET_ASSET_TAG: u8 = 0x08;
/// Get Management Controller Identifier String (DCMI 1.5 §6.4.6.1).
pub const GET_CONTROLLER_ID: u8 = 0x09;
/// Set Management Controller Identifier String (DCMI 1.5 §6.4.6.2).
pub const SET_CONTROLLER_ID: u8 = 0x0a;
/// Set Thermal Limit (DCMI 1.5 §6.7.2).
pub const SET_THERMAL_LIMIT: u8 = 0x0b;
/// Get Thermal Limit (DCMI 1.5 §6.7.1).
pub const GET_THERMAL_LIMIT: u8 = 0x0c;
/// Get Temperature Readings (DCMI 1.5 §6.7.3).
pub const GET_TEMPERATURE_READINGS: u8 = 0x10;
/// Set DCMI Configuration Parameters (DCMI 1.5 §6.1).
pub const SET_CONFIGURATION: u8 = 0x12;
/// Get DCMI Configuration Parameters (DCMI 1.5 §6.1).
pub const GET_CONFIGURATION: u8 = 0x13;

/// A version of DCMI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1 so far.
    pub major: u8,
    /// 0, 1 or 5 so far.
    pub minor: u8,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A request of DCMI.
fn request(command: u8, data: &[u8]) -> Request {
    Request::new(NetFn::GROUP, command, &body(data.iter().copied()))
}

/// What requests and answers carry: the group extension, and `data`.
fn body(data: impl IntoIterator<Item = u8>) -> Vec<u8> {
    std::iter::once(GROUP_EXTENSION).chain(data).collect()
}

/// Begins to read an answer or request, which has to be one of DCMI.
fn reader<'a>(what: &'static str, data: &'a [u8]) -> Result<Reader<'a>, DecodeError> {
    let mut reader = Reader::new(what, data);
    match reader.u8()? {
        GROUP_EXTENSION => Ok(reader),
        other => Err(reader.invalid("group extension", other.into())),
    }
}
