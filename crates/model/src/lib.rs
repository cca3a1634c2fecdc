//! The vocabulary that every other room of OpenDCRE speaks.
//!
//! Boards hold devices, a device has a kind, a [`Driver`] speaks one protocol, and nothing north of a driver
//! knows which. This crate names those things and nothing else: it does no I/O, reads no clock and needs no
//! runtime.

mod board;
mod capability;
mod driver;
mod error;
mod id;
mod kind;
mod lamp;
mod link;
mod location;
mod log;
mod number;
mod power;
mod reading;
mod server;
mod subject;
mod text;
mod time;

pub use board::{Board, Device, Identity};
pub use capability::{Capabilities, Capability};
pub use driver::{Action, BoxFuture, Context, Driver, Observation, Priority, Query, Scope, WallClock};
pub use error::{DriverError, Fault};
pub use id::{BoardId, DeviceAddress, DeviceId, IdError, SERVER_LED, SERVER_POWER, SERVER_SYSTEM, SERVERS};
pub use kind::{DeviceKind, UnknownKind};
pub use lamp::{ChamberLedSetting, ChamberLedState, ColorError, Rgb};
pub use link::{LinkState, LinkStatistics};
pub use location::{ChassisLocation, Depth, Horizontal, Vertical};
pub use log::{EventLogPage, LogCursor, LogEntry, LogPlace, LogSensor, UnreadableEntry};
pub use number::{Number, NumberError};
pub use power::{BatteryReport, Electrical, PowerAction, PowerReport, PowerState, UnknownPowerAction};
pub use reading::{Health, Measurement, Quality, Quantity, Reading};
pub use server::{
    AssetInfo, BoardAsset, BootOverride, BootTarget, ChassisAsset, HostInfo, Identify, PowerLimit,
    PowerLimitException, ProductAsset, RawAnswer, RawRequest,
};
pub use subject::{Extent, Grant, Login, Subject};
pub use text::excerpt;
pub use time::{Precision, write_time};
