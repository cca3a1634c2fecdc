//! Listings of what is not a board: racks, groups, sources, BMCs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::{AllNodes, GroupsArgs};
use crate::exit::Exit;

use super::answer::rounded;
use super::board::{self, BoardName, dash};
use super::http::{Http, Request};
use super::{Answer, ClientError, Console};

/// `racks`: the racks, and how many of their boards are there.
pub(super) async fn racks(http: &Http, console: &mut Console<'_>) -> Result<Exit, ClientError> {
    let columns = [
        ("RACK", "id"),
        ("BOARDS", "boards"),
        ("PRESENT", "present"),
        ("MISSING", "missing"),
        ("UNKNOWN", "unknown"),
    ];
    list(http, &Request::get(&["racks"]), &columns, console).await
}

/// A group, as it is shown.
#[derive(Deserialize)]
struct Group {
    name: String,
    /// Its members as the configuration names them; nothing if only boards say that they belong to it.
    members: Option<String>,
    boards: Vec<String>,
    failure: Option<String>,
}

/// `groups`: the groups, or the boards that are in one now.
pub(super) async fn groups(
    http: &Http,
    args: &GroupsArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    if let Some(group) = &args.group {
        console.fields(&http.send(&Request::get(&["groups", group])).await?)?;
        return Ok(Exit::Done);
    }
    let request = Request::get(&["groups"]).with("limit", 0);
    if console.is_for_programs() {
        http.each(&request, |_, group| console.json(&group)).await?;
        return Ok(Exit::Done);
    }
    let groups: Vec<Group> = board::collect(http, &request).await?;
    let is_named_by_boards = groups.iter().any(|group| group.members.is_none());
    let boards = if is_named_by_boards { board::all(http).await? } else { Vec::new() };
    let boards: BTreeMap<&str, &BoardName> = boards.iter().map(|board| (board.id.as_str(), board)).collect();
    console
        .rows(&["GROUP", "MEMBERS", "FAILURE"], groups.into_iter().map(|group| group.into_row(&boards)))?;
    Ok(Exit::Done)
}

impl Group {
    fn into_row(self, boards: &BTreeMap<&str, &BoardName>) -> Vec<String> {
        let folded = || {
            let named = |id: &String| boards.get(id.as_str()).map(|&board| board.clone());
            board::fold(&self.boards.iter().filter_map(named).collect::<Vec<_>>())
        };
        let members = self.members.unwrap_or_else(folded);
        vec![self.name, members, self.failure.unwrap_or_else(dash)]
    }
}

/// A BMC, as it is shown.
#[derive(Deserialize)]
struct Bmc {
    board: String,
    address: String,
    state: String,
    since: Timestamp,
    requests: u64,
    retries: u64,
    timeouts: u64,
    latency_us: Option<u64>,
    code: Option<String>,
}

/// `bmcs`: the BMCs, and how the talk with each goes.
pub(super) async fn bmcs(
    http: &Http,
    args: &AllNodes,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = Request::get(&["bmcs"]).with_optional("nodes", args.nodes.as_deref());
    if console.is_for_programs() {
        http.each(&request, |_, bmc| console.json(&bmc)).await?;
        return Ok(Exit::Done);
    }
    let bmcs: Vec<Bmc> = board::collect(http, &request).await?;
    let header =
        ["BOARD", "ADDRESS", "STATE", "SINCE", "REQUESTS", "RETRIES", "TIMEOUTS", "LATENCY", "FAILURE"];
    console.rows(&header, bmcs.into_iter().map(Bmc::into_row))?;
    Ok(Exit::Done)
}

impl Bmc {
    fn into_row(self) -> Vec<String> {
        let latency = self.latency_us.map_or_else(dash, milliseconds);
        let counters = [self.requests, self.retries, self.timeouts].map(|count| count.to_string());
        let mut row = vec![self.board, self.address, self.state, format!("{:.0}", self.since)];
        row.extend(counters);
        row.extend([latency, self.code.unwrap_or_else(dash)]);
        row
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{} ms", rounded(&format!("{}.{:03}", microseconds / 1000, microseconds % 1000)))
}

/// `sources`: where boards come from, and whether that works.
pub(super) async fn sources(
    http: &Http,
    args: &AllNodes,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let columns = [
        ("SOURCE", "name"),
        ("STATE", "state"),
        ("BOARDS", "boards"),
        ("RACKS", "racks"),
        ("CODE", "code"),
        ("MESSAGE", "message"),
    ];
    let request = Request::get(&["sources"]).with_optional("nodes", args.nodes.as_deref());
    list(http, &request, &columns, console).await
}

/// Prints the whole of the listing that `request` asks for. A column has a header and shows a member of each item.
pub(super) async fn list(
    http: &Http,
    request: &Request,
    columns: &[(&str, &str)],
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = request.clone().with("limit", 0);
    if console.is_for_programs() {
        http.each(&request, |_, item| console.json(&item)).await?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let add = |_: &str, item: Answer| {
        rows.push(columns.iter().map(|(_, member)| item.text(member)).collect());
        Ok(())
    };
    http.each(&request, add).await?;
    let header: Vec<&str> = columns.iter().map(|(header, _)| *header).collect();
    console.rows(&header, rows)?;
    Ok(Exit::Done)
}
