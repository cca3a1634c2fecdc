//! What is known of a board, and what happened to it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use opendcre_model::{BoardId, Device, DeviceId, DriverError, Identity};
use serde::{Deserialize, Serialize};

/// A board as the gateway knows it, whether it answers now or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardRecord {
    /// The id by which every API generation knows it. It stays, wherever the board moves.
    pub id: BoardId,
    /// What people call it: the configured name, else the first host name, else the id.
    pub name: String,
    /// The rack that holds it.
    pub rack: String,
    /// The driver through which it is reached.
    pub driver: String,
    /// Its id on the wire of that driver. Nothing while it is not known where the board is.
    pub place: Option<BoardId>,
    /// What tells it from every other board, if its place on the wire does not.
    pub identity: Option<Identity>,
    /// The version of its firmware.
    pub firmware: Option<String>,
    /// The names of the host behind it.
    pub hostnames: Vec<String>,
    /// The addresses of the host and its management controller.
    pub ip_addresses: Vec<IpAddr>,
    /// What its owner wrote on it.
    pub labels: BTreeMap<String, String>,
    /// The groups that its owner put it in.
    pub groups: Vec<String>,
    /// Its devices.
    pub devices: Vec<Device>,
    /// Whether it is there.
    pub state: BoardState,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When it was seen first.
    pub first_seen: Option<Timestamp>,
    /// When it was seen last.
    pub last_seen: Option<Timestamp>,
    /// Why it is not there, or cannot be used.
    pub failure: Option<BoardFailure>,
}

/// Whether a board is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardState {
    /// It is configured and has never answered.
    Unknown,
    /// It answered when it was looked for.
    Present,
    /// It did not answer when it was looked for, but has before.
    Missing,
}

/// Why a board is not there, or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardFailure {
    /// The stable machine-readable code.
    pub code: String,
    /// One sentence for people.
    pub message: String,
}

/// Something that happened to a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryChange {
    /// Its number: greater than that of every earlier change, also over restarts.
    pub sequence: u64,
    /// When it was noticed.
    pub time: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// The board.
    pub board: BoardId,
    /// What it is called.
    pub name: String,
    /// Its rack.
    pub rack: String,
    /// What exactly happened, in words.
    pub detail: String,
}

/// What happened to a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was seen for the first time.
    Appeared,
    /// It does not answer any more.
    Vanished,
    /// It answers again.
    Returned,
    /// It is reached in another place.
    Moved,
    /// Its devices, firmware, names or labels are others.
    Changed,
    /// The configuration does not hold it any more.
    Removed,
    /// It was missing, and somebody said that it will not come back.
    Forgotten,
}

/// A part of the feed of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The changes after the one that was named, oldest first.
    pub changes: Vec<InventoryChange>,
    /// The oldest change that is still kept; changes before it are forgotten. Nothing if there are none.
    pub oldest: Option<u64>,
    /// The newest change; zero before the first.
    pub latest: u64,
}

/// Boards that go by one name, chosen by a node range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its members besides those that say themselves that they belong to it, as a node range; empty if there are none.
    pub members: String,
}

impl BoardRecord {
    /// The device with this id.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// Whether `other` is the same machine in the same place.
    pub(crate) fn is_same_machine(&self, other: &Self) -> bool {
        // An identity that was not known before is no other one.
        let same_identity = self.identity.is_none() || self.identity == other.identity;
        same_identity && (&self.driver, self.place) == (&other.driver, other.place)
    }

    /// A few words that tell it from others: its id, its name if it has one, and its rack.
    #[must_use]
    pub fn describe(&self) -> String {
        describe(self.id, &self.name, &self.rack)
    }
}

/// A few words that tell a board from others: its id, its name if it has one, and its rack if that is known.
pub(crate) fn describe(id: BoardId, name: &str, rack: &str) -> String {
    let id = id.to_string();
    let name = Some(name).filter(|name| !name.is_empty() && *name != id);
    let known: Vec<&str> = name.into_iter().chain(Some(rack).filter(|rack| !rack.is_empty())).collect();
    if known.is_empty() { format!("board {id}") } else { format!("board {id} ({})", known.join(", ")) }
}

impl BoardState {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Present => "present",
            Self::Missing => "missing",
        }
    }
}

impl From<&DriverError> for BoardFailure {
    fn from(error: &DriverError) -> Self {
        Self { code: error.code.to_owned(), message: error.message.clone() }
    }
}
