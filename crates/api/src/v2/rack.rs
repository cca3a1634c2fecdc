//! Racks: what holds boards. A rack is there because a board is in it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use opendcre_gateway::{BoardRecord, BoardState, Condition, RollUp, View};
use percent_encoding::utf8_percent_encode;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{One, Show};
use super::call::Call;
use super::listing::{Item, Key};
use super::nodes;
use super::route::{NoPath, NoQuery, RackPath};
use super::schema::ConditionWord;
use super::{BASE, PLAIN};
use crate::problem::Problem;

/// A rack.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Rack")]
pub(super) struct RackBody<'a> {
    id: &'a str,
    /// How many boards it holds.
    boards: u32,
    /// How many of them are there.
    present: u32,
    /// How many of them were there and are not now.
    missing: u32,
    /// How many of them have never answered.
    unknown: u32,
    health: RackHealthBody,
    links: RackLinks,
}

/// How the boards of a rack are.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RackHealth")]
struct RackHealthBody {
    /// That of the worst board.
    #[schemars(with = "ConditionWord")]
    condition: Condition,
    /// How many boards nothing is known of yet.
    unknown: usize,
    /// How many boards are well.
    ok: usize,
    /// How many boards are outside what is normal.
    warning: usize,
    /// How many boards are outside what is safe.
    critical: usize,
    /// How many boards are outside what they survive.
    failed: usize,
    /// How many boards do not answer.
    missing: usize,
}

/// Paths that go on from a rack.
#[derive(Serialize, JsonSchema)]
struct RackLinks {
    /// The rack itself.
    #[serde(rename = "self")]
    this: String,
    /// Its boards.
    boards: String,
    /// What its devices measure.
    readings: String,
}

/// A rack of a listing.
pub(super) struct RackItem {
    id: String,
    counts: Counts,
    health: RollUp,
}

/// How many boards are in which state.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) present: u32,
    pub(super) missing: u32,
    pub(super) unknown: u32,
}

/// `GET /racks`.
pub(super) async fn list(call: Call, _: NoPath, _: NoQuery) -> Result<Vec<RackItem>, Problem> {
    let view = call.view()?;
    let mut racks: BTreeMap<String, Vec<Arc<BoardRecord>>> = BTreeMap::new();
    for board in view.boards() {
        match racks.get_mut(&board.rack) {
            Some(boards) => boards.push(board),
            None => racks.entry(board.rack.clone()).or_default().push(board),
        }
    }
    Ok(racks.into_iter().map(|(id, boards)| RackItem::of(id, &boards, &view)).collect())
}

/// `GET /racks/{rack}`.
pub(super) async fn get(call: Call, path: RackPath, _: NoQuery) -> Result<One<RackItem>, Problem> {
    let boards = nodes::of_rack(&call, &path.rack)?;
    Ok(One(RackItem::of(path.rack.into(), &boards, &call.view()?)))
}

impl RackItem {
    fn of(id: String, boards: &[Arc<BoardRecord>], view: &View) -> Self {
        let mut counts = Counts::default();
        boards.iter().for_each(|board| counts.add(board));
        Self { id, counts, health: boards.iter().map(|board| view.condition(board)).collect() }
    }
}

impl From<RollUp> for RackHealthBody {
    fn from(health: RollUp) -> Self {
        let RollUp { condition, unknown, ok, warning, critical, failed, missing } = health;
        Self { condition, unknown, ok, warning, critical, failed, missing }
    }
}

impl Counts {
    pub(super) fn add(&mut self, board: &BoardRecord) {
        *match board.state {
            BoardState::Present => &mut self.present,
            BoardState::Missing => &mut self.missing,
            BoardState::Unknown => &mut self.unknown,
        } += 1;
    }

    pub(super) const fn total(self) -> u32 {
        self.present + self.missing + self.unknown
    }
}

impl Show for RackItem {
    type Body<'a> = RackBody<'a>;

    fn body(&self) -> RackBody<'_> {
        let Counts { present, missing, unknown } = self.counts;
        let id = utf8_percent_encode(&self.id, PLAIN);
        let links = RackLinks {
            this: format!("{}/racks/{id}", BASE),
            boards: format!("{}/boards?rack={id}", BASE),
            readings: format!("{}/racks/{id}/readings", BASE),
        };
        RackBody {
            id: &self.id,
            boards: self.counts.total(),
            present,
            missing,
            unknown,
            health: self.health.into(),
            links,
        }
    }

    fn volatile(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.health.hash(&mut hasher);
        hasher.finish()
    }
}

impl Item for RackItem {
    const SORT: &'static [&'static str] = &["id", "boards", "present", "missing", "unknown", "health"];

    fn key(&self, field: &str) -> Key {
        match field {
            "boards" => Key::Number(self.counts.total().into()),
            "present" => Key::Number(self.counts.present.into()),
            "missing" => Key::Number(self.counts.missing.into()),
            "unknown" => Key::Number(self.counts.unknown.into()),
            "health" => Key::Number(self.health.condition as i64),
            _ => self.id(),
        }
    }

    fn id(&self) -> Key {
        self.id.as_str().into()
    }
}
