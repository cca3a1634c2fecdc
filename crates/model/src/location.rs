//! Where in a chassis a device is, as far as its identifier says (device bus description §5.3).

use serde::{Deserialize, Serialize};

use crate::DeviceId;

/// The identifier names a micro-server and no other place.
const MICRO_SERVER: u16 = 0x8000;
const SERVER_NODE: u16 = 0x1f00;
const FRONT: u16 = 0x4000;
const REAR: u16 = 0x2000;
const LEFT: u16 = 0x1000;
const RIGHT: u16 = 0x0800;
const TOP: u16 = 0x0400;
const BOTTOM: u16 = 0x0200;

/// A place within a chassis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChassisLocation {
    /// Between front and rear.
    pub depth: Depth,
    /// Between left and right.
    pub horizontal: Horizontal,
    /// Between top and bottom.
    pub vertical: Vertical,
    /// The micro-server to which the device belongs, 0 to 31. The rest is unknown then.
    pub server_node: Option<u8>,
}

/// Between front and rear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// At the front.
    Front,
    /// In the middle.
    Middle,
    /// At the rear.
    Rear,
    /// The identifier does not say.
    Unknown,
}

/// Between left and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizontal {
    /// On the left.
    Left,
    /// In the middle.
    Middle,
    /// On the right.
    Right,
    /// The identifier does not say.
    Unknown,
}

/// Between top and bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vertical {
    /// At the top.
    Top,
    /// In the middle.
    Middle,
    /// At the bottom.
    Bottom,
    /// The identifier does not say.
    Unknown,
}

impl ChassisLocation {
    /// The place that a device identifier of the bus names.
    #[must_use]
    pub fn of(device: DeviceId) -> Self {
        let id = device.0;
        if id & MICRO_SERVER != 0 {
            let [node, _] = (id & SERVER_NODE).to_be_bytes();
            let (depth, horizontal, vertical) = (Depth::Unknown, Horizontal::Unknown, Vertical::Unknown);
            return Self { depth, horizontal, vertical, server_node: Some(node) };
        }
        let is_set = |mask| id & mask != 0;
        Self {
            depth: match (is_set(FRONT), is_set(REAR)) {
                (true, true) => Depth::Middle,
                (true, false) => Depth::Front,
                (false, true) => Depth::Rear,
                (false, false) => Depth::Unknown,
            },
            horizontal: match (is_set(LEFT), is_set(RIGHT)) {
                (true, true) => Horizontal::Middle,
                (true, false) => Horizontal::Left,
                (false, true) => Horizontal::Right,
                (false, false) => Horizontal::Unknown,
            },
            vertical: match (is_set(TOP), is_set(BOTTOM)) {
                (true, true) => Vertical::Middle,
                (true, false) => Vertical::Top,
                (false, true) => Vertical::Bottom,
                (false, false) => Vertical::Unknown,
            },
            server_node: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the description, §5.3.
    #[test]
    fn the_examples_of_the_description() {
        for (id, depth, horizontal, vertical, server_node) in [
            (0x0001, Depth::Unknown, Horizontal::Unknown, Vertical::Unknown, None),
            (0x2000, Depth::Rear, Horizontal::Unknown, Vertical::Unknown, None),
            (0x4000, Depth::Front, Horizontal::Unknown, Vertical::Unknown, None),
            (0x72df, Depth::Middle, Horizontal::Left, Vertical::Bottom, None),
            (0x0c01, Depth::Unknown, Horizontal::Right, Vertical::Top, None),
            (0x7e00, Depth::Middle, Horizontal::Middle, Vertical::Middle, None),
            (0x8302, Depth::Unknown, Horizontal::Unknown, Vertical::Unknown, Some(3)),
            (0x9f00, Depth::Unknown, Horizontal::Unknown, Vertical::Unknown, Some(31)),
        ] {
            let location = ChassisLocation { depth, horizontal, vertical, server_node };
            assert_eq!(ChassisLocation::of(DeviceId(id)), location, "{id:04x}");
        }
    }
}
