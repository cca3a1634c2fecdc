//! Boards and the devices they hold.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{BoardId, Capabilities, Capability, DeviceAddress, DeviceId, DeviceKind, Query};

/// A board as its driver knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// Its identifier on this driver's wire.
    pub id: BoardId,
    /// Its devices, in the order in which they answered.
    pub devices: Vec<Device>,
    /// What tells the board from every other one, wherever it is; nothing where its place on the wire does.
    pub identity: Option<Identity>,
    /// The version of its firmware, as it says it.
    pub firmware: Option<String>,
    /// The names of the host behind it, as far as the driver knows them.
    pub hostnames: Vec<String>,
    /// The addresses at which the host or its management controller is reached.
    pub ip_addresses: Vec<IpAddr>,
}

/// A device of a board.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Device {
    /// Its identifier on the board.
    pub id: DeviceId,
    /// What it is.
    pub kind: DeviceKind,
    /// What the board calls it, such as the name of a sensor. Devices on a bus have none.
    pub name: Option<String>,
    /// What can be asked of it.
    pub capabilities: Capabilities,
}

/// A text that stays with a piece of equipment wherever it moves, such as `uuid:` and a UUID, or `serial:` and a
/// manufacturer with a serial number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(pub String);

impl Board {
    /// A board of which nothing but its devices is known.
    #[must_use]
    pub const fn new(id: BoardId, devices: Vec<Device>) -> Self {
        Self { id, devices, identity: None, firmware: None, hostnames: Vec::new(), ip_addresses: Vec::new() }
    }
}

impl Device {
    /// A device without a name.
    #[must_use]
    pub const fn new(id: DeviceId, kind: DeviceKind, capabilities: Capabilities) -> Self {
        Self { id, kind, name: None, capabilities }
    }

    /// The questions to this device of `board` whose answers are values: one for each of its capabilities that has one.
    pub fn questions(&self, board: BoardId) -> impl Iterator<Item = Query> + use<> {
        let device = DeviceAddress { board, device: self.id };
        let (kind, capabilities) = (self.kind, self.capabilities);
        let questions = [
            (Capability::Reading, Query::Sensor { device, kind }),
            (Capability::PowerState, Query::Power { device, kind }),
            (Capability::Led, Query::Led(device)),
        ];
        let asked = questions.into_iter().filter(move |(capability, _)| capabilities.has(*capability));
        asked.map(|(_, query)| query)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
