//! What tells the numbers of a gauge from each other: labels of boards and devices, each a name and a value.

use std::fmt;

use opendcre_model::{BoardId, Device, DeviceId};

use crate::BoardRecord;

/// The name of the label for the unit of a number, where each has one of its own.
pub const UNIT: &str = "unit";

/// A name and a value.
pub type Label<'a> = (&'static str, LabelValue<'a>);

/// The value of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelValue<'a> {
    /// Any text.
    Text(&'a str),
    /// A plain word.
    Word(&'static str),
    /// The id of a board.
    Board(BoardId),
    /// The id of a device.
    Device(DeviceId),
}

/// The labels of a board.
#[must_use]
pub fn board_labels(board: &BoardRecord) -> [Label<'_>; 3] {
    [
        ("rack", LabelValue::Text(&board.rack)),
        ("board", LabelValue::Board(board.id)),
        ("name", LabelValue::Text(&board.name)),
    ]
}

/// The labels of a device, which stand behind those of its board.
pub fn device_labels(device: &Device) -> impl Iterator<Item = Label<'_>> {
    let own = [("device", LabelValue::Device(device.id)), ("kind", LabelValue::Word(device.kind.name()))];
    let sensor = device.name.as_deref().map(|sensor| ("sensor", LabelValue::Text(sensor)));
    own.into_iter().chain(sensor)
}

impl fmt::Display for LabelValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Word(word) => f.write_str(word),
            Self::Board(id) => id.fmt(f),
            Self::Device(id) => id.fmt(f),
        }
    }
}
