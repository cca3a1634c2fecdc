//! Racks: what holds boards. A rack is there because a board is in it.

use std::collections::BTreeMap;

use opendcre_gateway::{BoardRecord, BoardState};
use percent_encoding::utf8_percent_encode;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{One, Show};
use super::call::Call;
use super::listing::{Item, Key};
use super::nodes;
use super::route::{NoPath, NoQuery, RackPath};
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
    links: RackLinks,
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
    let mut racks: BTreeMap<String, Counts> = BTreeMap::new();
    for board in call.view()?.boards() {
        match racks.get_mut(&board.rack) {
            Some(counts) => counts.add(&board),
            None => racks.entry(board.rack.clone()).or_default().add(&board),
        }
    }
    Ok(racks.into_iter().map(|(id, counts)| RackItem { id, counts }).collect())
}

/// `GET /racks/{rack}`.
pub(super) async fn get(call: Call, path: RackPath, _: NoQuery) -> Result<One<RackItem>, Problem> {
    let mut counts = Counts::default();
    nodes::of_rack(&call, &path.rack)?.iter().for_each(|board| counts.add(board));
    Ok(One(RackItem { id: path.rack, counts }))
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
        RackBody { id: &self.id, boards: self.counts.total(), present, missing, unknown, links }
    }
}

impl Item for RackItem {
    const SORT: &'static [&'static str] = &["id", "boards", "present", "missing", "unknown"];

    fn key(&self, field: &str) -> Key {
        match field {
            "boards" => Key::Number(self.counts.total().into()),
            "present" => Key::Number(self.counts.present.into()),
            "missing" => Key::Number(self.counts.missing.into()),
            "unknown" => Key::Number(self.counts.unknown.into()),
            _ => self.id(),
        }
    }

    fn id(&self) -> Key {
        self.id.as_str().into()
    }
}
