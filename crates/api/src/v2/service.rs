//! The service itself: the entry to the API, and what is running here.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::BASE;
use super::answer::Json;
use super::call::Call;
use super::rack::Counts;
use super::route::{NoPath, NoQuery};
use super::table::Table;
use crate::problem::Problem;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the API begins with.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Entry")]
pub(super) struct EntryBody {
    /// The version of the service.
    version: &'static str,
    /// Paths that go on from here, by what they lead to.
    links: BTreeMap<&'static str, String>,
}

/// What is running here.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "About")]
pub(super) struct AboutBody {
    /// Always `OpenDCRE`.
    name: &'static str,
    /// The version of the service.
    version: &'static str,
    /// The commit that it was built from, or `unknown`.
    commit: &'static str,
    /// Whether what is served is real: `hardware`, or some or all of it emulated: `mixed`, `emulator`.
    mode: &'static str,
    /// The generations of the API that it serves.
    api_versions: Vec<&'static str>,
    /// Whether every change is refused.
    read_only: bool,
    /// When it started.
    started: Timestamp,
    boards: BoardCounts,
}

/// How many boards are known.
#[derive(Serialize, JsonSchema)]
struct BoardCounts {
    total: u32,
    /// How many of them are there.
    present: u32,
    /// How many of them were there and are not now.
    missing: u32,
    /// How many of them have never answered.
    unknown: u32,
}

/// `GET /`: every path that has no parameters.
pub(super) async fn entry(_: Call, _: NoPath, _: NoQuery) -> Result<Json<EntryBody>, Problem> {
    let routes = Table::get().routes();
    let entries = routes.filter(|route| route.method == Method::GET && route.path_parameters.is_empty());
    let links = entries
        .filter(|route| route.path != "/")
        .map(|route| (route.path.trim_start_matches('/'), format!("{BASE}{}", route.path)));
    Ok(Json(EntryBody { version: VERSION, links: links.collect() }))
}

/// `GET /about`.
pub(super) async fn about(call: Call, _: NoPath, _: NoQuery) -> Result<Json<AboutBody>, Problem> {
    let mut counts = Counts::default();
    // Everybody may know what runs here, but not everybody may know of boards.
    if call.gateway().may_look(&call.principal()) {
        call.view()?.boards().iter().for_each(|board| counts.add(board));
    }
    let Counts { present, missing, unknown } = counts;
    Ok(Json(AboutBody {
        name: "OpenDCRE",
        version: VERSION,
        commit: call.api.commit(),
        mode: call.gateway().mode().name(),
        api_versions: vec!["1.1", "1.2", "1.3", "2"],
        read_only: call.gateway().is_read_only(),
        started: call.api.started(),
        boards: BoardCounts { total: counts.total(), present, missing, unknown },
    }))
}
