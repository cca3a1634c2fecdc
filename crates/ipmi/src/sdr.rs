//! Sensor data records: what a BMC says about its sensors, FRU inventories and controllers (IPMI 2.0 §33, §43).
//!
//! [`WalkSdr`] reads all of them; [`Sdr::decode`] reads one. They describe; what a sensor reports is asked for with
//! the commands of [`crate::sensor`].
//!
//! ```
//! use opendcre_ipmi::sdr::Sdr;
//!
//! // A temperature sensor as OpenIPMI's simulator has it.
//! let bytes = [
//!     0x03, 0x00, 0x51, 0x01, 0x33, 0x20, 0x00, 0x01, 0x03, 0x01, 0x45, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00,
//!     0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x00,
//!     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc8, 0x43, 0x50, 0x55, 0x20, 0x54, 0x65,
//!     0x6d, 0x70,
//! ];
//! for sensor in Sdr::decode(&bytes)?.sensors() {
//!     assert_eq!(sensor.name, "CPU Temp");
//!     assert_eq!(sensor.interpretation.value(30).unwrap().to_string(), "30 C");
//! }
//! # Ok::<(), opendcre_ipmi::DecodeError>(())
//! ```

mod command;
mod common;
mod compact;
mod entity;
mod full;
mod locator;
mod name;
mod record;
mod walk;

pub use command::{
    DeviceSdrInfo, GetDeviceSdrInfo, GetSdr, GetSdrRepositoryInfo, LAST_RECORD, RepositoryInfo,
    RepositoryOperations, ReserveSdr, SdrPart, Source,
};
pub use common::{
    Access, Hysteresis, Initialization, Masks, SensorAddress, SensorCapabilities, SensorCommon,
};
pub use compact::{CompactSensor, EventOnlySensor, Modifier, Sharing};
pub use entity::{
    AssociationFlags, DeviceEntity, DeviceEntityAssociation, Entity, EntityAssociation, entity_name,
};
pub use full::FullSensor;
pub use locator::{ControllerCapabilities, ControllerLocator, Device, FruLocator};
pub use record::{OemRecord, RecordProblem, SDR_VERSION, Sdr, SdrRecord, Sensor};
pub use walk::{MAX_RECORDS, Repository, Stamp, WalkSdr};

use record::HEADER;
