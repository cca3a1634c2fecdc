//! Boards: who they are, where they are, and whether they are there.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use opendcre_gateway::{BoardFailure, BoardRecord, BoardState, Condition, View};
use opendcre_model::{BoardId, Device, DeviceAddress, DeviceKind, Health};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{One, Show};
use super::call::Call;
use super::device::DeviceBody;
use super::listing::{Item, Key};
use super::nodes;
use super::route::{BoardPath, NoPath, NoQuery};
use super::schema::{BoardIdText, BoardStateWord, ConditionWord, HealthWord, KindWord, LabelText, NodesText};
use crate::problem::{Code, Problem};

/// Which boards are listed. All conditions must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct BoardQuery {
    /// Boards of this node range.
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
    /// Boards in the rack with this id.
    rack: Option<String>,
    /// Boards in this state.
    #[schemars(with = "Option<BoardStateWord>")]
    state: Option<BoardState>,
    /// Boards behind the driver of this name.
    driver: Option<String>,
    /// Boards with a device of this kind.
    #[schemars(with = "Option<KindWord>")]
    kind: Option<DeviceKind>,
    /// Boards with this label, as `key=value`. May be given several times; the board must have every one.
    #[schemars(with = "Vec<LabelText>")]
    label: Vec<Label>,
}

/// A key and a value.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Label {
    key: String,
    value: String,
}

/// A board.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Board")]
pub(super) struct BoardBody<'a> {
    #[schemars(with = "BoardIdText")]
    id: BoardId,
    /// What people call it: the configured name, else the first host name, else the id.
    name: &'a str,
    /// The rack that holds it.
    rack: &'a str,
    /// The driver through which it is reached: the name of its source.
    driver: &'a str,
    #[schemars(with = "BoardStateWord")]
    state: BoardState,
    /// Since when it is in this state.
    since: Timestamp,
    /// When it was seen first; null if never.
    first_seen: Option<Timestamp>,
    /// When it was seen last; null if never.
    last_seen: Option<Timestamp>,
    /// Why it is not there, or cannot be used; null if nothing is wrong.
    failure: Option<FailureBody<'a>>,
    /// That of its worst device; null before the first answer of any.
    #[schemars(with = "Option<HealthWord>")]
    health: Option<Health>,
    /// The same, and whether it is there at all.
    #[schemars(with = "ConditionWord")]
    condition: Condition,
    /// What tells it from every other board, wherever it is; null for boards that only their place on a bus tells apart.
    identity: Option<&'a str>,
    /// The version of its firmware; null while it is not known.
    firmware: Option<&'a str>,
    /// The names of the host behind it.
    hostnames: &'a [String],
    /// The addresses of the host and its management controller.
    ip_addresses: &'a [IpAddr],
    /// What its owner wrote on it.
    labels: &'a BTreeMap<String, String>,
    /// The groups that its owner put it in.
    groups: &'a [String],
    devices: Vec<DeviceBody<'a>>,
}

/// What is wrong.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
struct FailureBody<'a> {
    /// The stable machine-readable code.
    code: &'a str,
    /// One sentence for people.
    message: &'a str,
}

/// A board of a listing.
pub(super) struct BoardItem {
    record: Arc<BoardRecord>,
    view: Arc<View>,
}

/// `GET /boards`.
pub(super) async fn list(call: Call, _: NoPath, query: BoardQuery) -> Result<Vec<BoardItem>, Problem> {
    let view = Arc::new(call.view()?);
    let mut boards = nodes::select(&call, query.nodes.as_deref())?;
    query.check(&view)?;
    boards.retain(|board| query.selects(board));
    let item = |record| BoardItem { record, view: Arc::clone(&view) };
    Ok(boards.into_iter().map(item).collect())
}

/// `GET /boards/{board}`.
pub(super) async fn get(call: Call, path: BoardPath, _: NoQuery) -> Result<One<BoardItem>, Problem> {
    let view = Arc::new(call.view()?);
    let record = view.lookup(&path.board)?;
    Ok(One(BoardItem { record, view }))
}

/// `DELETE /boards/{board}`.
pub(super) async fn forget(call: Call, path: BoardPath, _: NoQuery) -> Result<One<BoardItem>, Problem> {
    let view = Arc::new(call.view()?);
    let board = view.lookup(&path.board)?.id;
    let record = call.gateway().forget(view.principal(), board).await?;
    Ok(One(BoardItem { record, view }))
}

impl BoardQuery {
    /// Refuses names that nothing has, so that a misspelt one does not silently select nothing.
    fn check(&self, view: &View) -> Result<(), Problem> {
        if let Some(rack) = self.rack.as_deref().filter(|rack| !view.has_rack(rack)) {
            return Err(nodes::unknown_rack(rack).in_parameter("rack").at(0));
        }
        if let Some(label) = self.label.iter().find(|label| !view.has_label(&label.key)) {
            let key = opendcre_model::excerpt(&label.key);
            let detail = format!("no board has a label {key:?}; GET /opendcre/2/labels shows what there is");
            return Err(Problem::new(Code::UNKNOWN_NAME, detail).in_parameter("label").at(0));
        }
        self.driver.as_deref().map_or(Ok(()), |driver| check_driver(view, driver))
    }

    fn selects(&self, board: &BoardRecord) -> bool {
        let has = |label: &Label| board.labels.get(&label.key).is_some_and(|value| *value == label.value);
        self.rack.as_ref().is_none_or(|rack| *rack == board.rack)
            && self.state.is_none_or(|state| state == board.state)
            && self.driver.as_ref().is_none_or(|driver| *driver == board.driver)
            && self.kind.is_none_or(|kind| board.devices.iter().any(|device| device.kind == kind))
            && self.label.iter().all(has)
    }
}

/// Refuses the name of a driver that there is not.
fn check_driver(view: &View, name: &str) -> Result<(), Problem> {
    let drivers: Vec<String> = view.readiness().drivers.into_iter().map(|(driver, _)| driver).collect();
    // Boards of a driver that is not configured any more may still be known.
    let has_boards = || view.boards().iter().any(|board| board.driver == name);
    if drivers.iter().any(|driver| driver == name) || has_boards() {
        return Ok(());
    }
    let name = opendcre_model::excerpt(name);
    let detail = format!("there is no driver {name:?}; there are {}", drivers.join(", "));
    Err(Problem::new(Code::UNKNOWN_NAME, detail).in_parameter("driver").at(0).with_candidates(drivers))
}

impl TryFrom<String> for Label {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("a label is written as key=value"),
        }
    }
}

impl Show for BoardItem {
    type Body<'a> = BoardBody<'a>;

    fn body(&self) -> BoardBody<'_> {
        let board = &*self.record;
        BoardBody {
            id: board.id,
            name: &board.name,
            rack: &board.rack,
            driver: &board.driver,
            state: board.state,
            since: board.since,
            first_seen: board.first_seen,
            last_seen: board.last_seen,
            failure: board.failure.as_ref().map(FailureBody::from),
            health: self.health(),
            condition: self.view.condition(board),
            identity: board.identity.as_ref().map(|identity| identity.0.as_str()),
            firmware: board.firmware.as_deref(),
            hostnames: &board.hostnames,
            ip_addresses: &board.ip_addresses,
            labels: &board.labels,
            groups: &board.groups,
            devices: board.devices.iter().map(|device| DeviceBody::of(&self.view, board, device)).collect(),
        }
    }

    fn volatile(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let health = |device: &Device| {
            self.view.device_health(DeviceAddress { board: self.record.id, device: device.id })
        };
        self.record.devices.iter().map(health).for_each(|health| health.hash(&mut hasher));
        hasher.finish()
    }
}

impl BoardItem {
    fn health(&self) -> Option<Health> {
        self.view.health(&self.record)
    }
}

impl Item for BoardItem {
    const SORT: &'static [&'static str] = &[
        "id",
        "name",
        "rack",
        "driver",
        "state",
        "since",
        "first_seen",
        "last_seen",
        "health",
        "condition",
        "firmware",
    ];

    fn key(&self, field: &str) -> Key {
        let board = &*self.record;
        match field {
            "name" => board.name.as_str().into(),
            "rack" => board.rack.as_str().into(),
            "driver" => board.driver.as_str().into(),
            "state" => board.state.name().into(),
            "since" => board.since.into(),
            "first_seen" => board.first_seen.into(),
            "last_seen" => board.last_seen.into(),
            "health" => self.health().map_or(Key::Nothing, |health| Key::Number(health as i64)),
            "condition" => Key::Number(self.view.condition(board) as i64),
            "firmware" => board.firmware.as_deref().into(),
            _ => self.id(),
        }
    }

    fn id(&self) -> Key {
        Key::Number(self.record.id.0.into())
    }
}

impl<'a> From<&'a BoardFailure> for FailureBody<'a> {
    fn from(BoardFailure { code, message }: &'a BoardFailure) -> Self {
        Self { code, message }
    }
}
