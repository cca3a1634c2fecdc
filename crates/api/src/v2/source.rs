//! Sources: where boards come from. One that is broken never hides the others.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use opendcre_gateway::Readiness;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Show;
use super::call::Call;
use super::listing::{Item, Key};
use super::nodes::{self, NodesQuery};
use super::rack::Counts;
use super::route::NoPath;
use crate::problem::Problem;

/// A source of boards: a driver, or something of the configuration that could not become one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(super) struct SourceBody<'a> {
    /// What boards call their `driver`.
    name: &'a str,
    state: SourceState,
    /// Why it cannot be used: the stable machine-readable code; null if it can.
    code: Option<&'static str>,
    /// Why it cannot be used, in one sentence for people; null if it can.
    message: Option<&'a str>,
    /// How many boards come from it.
    boards: u32,
    /// The racks that hold them.
    racks: &'a BTreeSet<String>,
}

/// Whether a source can be used.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SourceState {
    /// It can be used.
    Ok,
    /// It cannot.
    Failed,
}

/// A source of a listing.
#[derive(Default)]
pub(super) struct SourceItem {
    name: String,
    failure: Option<(&'static str, String)>,
    counts: Counts,
    racks: BTreeSet<String>,
}

/// `GET /sources`: all of them, or those of some boards.
pub(super) async fn list(call: Call, _: NoPath, query: NodesQuery) -> Result<Vec<SourceItem>, Problem> {
    let boards = query.nodes.as_deref().map(|nodes| nodes::named(&call, nodes)).transpose()?;
    let mut sources: BTreeMap<String, SourceItem> = BTreeMap::new();
    let view = call.view()?;
    for board in view.boards() {
        let source = sources.entry(board.driver.clone()).or_default();
        source.counts.add(&board);
        source.racks.insert(board.rack.clone());
    }
    let Readiness { drivers, defects, .. } = view.readiness();
    for (name, health) in drivers {
        sources.entry(name).or_default().failure = health.err().map(|error| (error.code, error.message));
    }
    for defect in defects {
        sources.entry(defect.name).or_default().failure = Some((defect.code, defect.message));
    }
    if let Some(boards) = boards {
        let meant: HashSet<&str> = boards.iter().map(|board| board.driver.as_str()).collect();
        sources.retain(|name, _| meant.contains(name.as_str()));
    }
    Ok(sources.into_iter().map(|(name, source)| SourceItem { name, ..source }).collect())
}

impl Show for SourceItem {
    type Body<'a> = SourceBody<'a>;

    fn body(&self) -> SourceBody<'_> {
        SourceBody {
            name: &self.name,
            state: if self.failure.is_none() { SourceState::Ok } else { SourceState::Failed },
            code: self.failure.as_ref().map(|(code, _)| *code),
            message: self.failure.as_ref().map(|(_, message)| message.as_str()),
            boards: self.counts.total(),
            racks: &self.racks,
        }
    }
}

impl Item for SourceItem {
    const SORT: &'static [&'static str] = &["name", "state", "boards"];

    fn key(&self, field: &str) -> Key {
        match field {
            "state" => Key::Number(self.failure.is_some().into()),
            "boards" => Key::Number(self.counts.total().into()),
            _ => self.id(),
        }
    }

    fn id(&self) -> Key {
        self.name.as_str().into()
    }
}
