//! Boards and the devices they hold.

use serde::Serialize;

use crate::{BoardId, DeviceId, DeviceKind};

/// A board as a scan found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Board {
    /// Its identifier.
    pub id: BoardId,
    /// Its devices, in the order in which they answered.
    pub devices: Vec<Device>,
}

/// A device of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Device {
    /// Its identifier on the board.
    pub id: DeviceId,
    /// What it is.
    pub kind: DeviceKind,
}
