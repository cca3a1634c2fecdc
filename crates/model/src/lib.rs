//! The vocabulary that every other room of OpenDCRE speaks.
//!
//! Boards hold devices, a device has a kind, a [`Driver`] speaks one protocol, and nothing north of a driver
//! knows which. This crate names those things and nothing else: it does no I/O, reads no clock and needs no
//! runtime.

mod board;
mod driver;
mod error;
mod id;
mod kind;
mod link;
mod number;
mod power;
mod reading;
mod server;
mod text;

pub use board::{Board, Device};
pub use driver::{Action, BoxFuture, Context, Driver, Observation, Priority, Query, Scope, WallClock};
pub use error::{DriverError, Fault};
pub use id::{BoardId, DeviceAddress, DeviceId, IdError};
pub use kind::{DeviceKind, UnknownKind};
pub use link::{LinkState, LinkStatistics};
pub use number::{Number, NumberError};
pub use power::{Electrical, PowerAction, PowerReport, PowerState, UnknownPowerAction};
pub use reading::{Measurement, Quality, Quantity, Reading};
pub use server::{
    BootOverride, BootTarget, Identify, PowerLimit, PowerLimitException, RawAnswer, RawRequest,
};
pub use text::excerpt;
