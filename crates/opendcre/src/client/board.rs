//! Boards: which ones a node range stands for, what is known of them, and what they hold.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::{AllNodes, ExpandArgs, ListArgs, Nodes};
use crate::exit::Exit;

use super::http::{Http, Request};
use super::{Answer, ClientError, Console};

/// A board that a node range stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BoardName {
    #[serde(rename(serialize = "board"))]
    pub(super) id: String,
    #[serde(rename(serialize = "board_name"))]
    pub(super) name: String,
}

/// A board as the table of `list` shows it.
#[derive(Deserialize)]
struct Listed {
    id: String,
    name: String,
    rack: String,
    state: String,
    since: Timestamp,
    failure: Option<BoardFailure>,
    devices: Vec<serde::de::IgnoredAny>,
}

/// Why a board is not there.
#[derive(Deserialize)]
struct BoardFailure {
    code: String,
}

/// A board with its devices.
#[derive(Deserialize)]
struct Equipped {
    id: String,
    name: String,
    rack: String,
    devices: Vec<Device>,
}

/// A device of a board.
#[derive(Deserialize)]
struct Device {
    id: String,
    kind: String,
    name: Option<String>,
    location: Option<Location>,
}

/// Where in its chassis a device is.
#[derive(Deserialize)]
struct Location {
    depth: String,
    horizontal: String,
    vertical: String,
    server_node: Option<u8>,
}

/// What is asked to list boards: all of them in one answer, which the server sends while it is made.
fn listing(nodes: Option<&str>) -> Request {
    Request::get(&["boards"]).with_optional("nodes", nodes).with("limit", 0)
}

/// The boards that `nodes` stands for, by their ids.
pub(super) async fn resolve(http: &Http, nodes: &str) -> Result<Vec<BoardName>, ClientError> {
    collect(http, &listing(Some(nodes)).with("fields", "id,name")).await
}

/// All boards.
pub(super) async fn all(http: &Http) -> Result<Vec<BoardName>, ClientError> {
    collect(http, &listing(None).with("fields", "id,name")).await
}

/// The items of a listing.
pub(super) async fn collect<T: for<'a> Deserialize<'a>>(
    http: &Http,
    request: &Request,
) -> Result<Vec<T>, ClientError> {
    let mut items = Vec::new();
    let add = |_: &str, item: Answer| {
        items.push(item.read()?);
        Ok(())
    };
    http.each(request, add).await?;
    Ok(items)
}

/// `list`: what is known of boards.
pub(super) async fn list(
    http: &Http,
    args: &ListArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = listing(args.nodes.nodes.as_deref()).with_optional("state", args.state.as_deref());
    if console.is_for_programs() {
        http.each(&request, |_, board| console.json(&board)).await?;
        return Ok(Exit::Done);
    }
    let request = request.with("fields", "id,name,rack,state,since,failure,devices");
    let boards: Vec<Listed> = collect(http, &request).await?;
    let header = ["ID", "NAME", "RACK", "STATE", "SINCE", "DEVICES", "FAILURE"];
    console.rows(&header, boards.into_iter().map(Listed::into_row))?;
    Ok(Exit::Done)
}

impl Listed {
    fn into_row(self) -> Vec<String> {
        let failure = self.failure.map_or_else(dash, |failure| failure.code);
        let since = format!("{:.0}", self.since);
        vec![self.id, self.name, self.rack, self.state, since, self.devices.len().to_string(), failure]
    }
}

/// The devices of boards, as `scan` shows them; a board without devices has a row of its own.
pub(super) async fn devices(
    http: &Http,
    args: &AllNodes,
    console: &mut Console<'_>,
) -> Result<(), ClientError> {
    let request = listing(args.nodes.as_deref());
    if console.is_for_programs() {
        http.each(&request, |_, board| console.json(&board)).await?;
        return Ok(());
    }
    let boards: Vec<Equipped> = collect(http, &request.with("fields", "id,name,rack,devices")).await?;
    let rows = boards.iter().flat_map(Equipped::rows);
    console.rows(&["BOARD", "NAME", "RACK", "DEVICE", "KIND", "DEVICE_NAME"], rows)
}

impl Equipped {
    fn rows(&self) -> Vec<Vec<String>> {
        let row = |device: [String; 3]| {
            [&self.id, &self.name, &self.rack].into_iter().cloned().chain(device).collect()
        };
        if self.devices.is_empty() {
            return vec![row([dash(), dash(), dash()])];
        }
        let named = |device: &Device| device.name.clone().unwrap_or_else(dash);
        self.devices
            .iter()
            .map(|device| row([device.id.clone(), device.kind.clone(), named(device)]))
            .collect()
    }
}

/// `location`: where in their chassis devices are, as far as that is known.
pub(super) async fn location(
    http: &Http,
    args: &Nodes,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let request = Request::get(&["devices"]).with("nodes", &args.nodes).with("limit", 0);
    let request = request.with("fields", "board,board_name,rack,id,kind,name,location");
    if console.is_for_programs() {
        http.each(&request, |_, device| console.json(&device)).await?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let add = |_: &str, item: Answer| {
        let board: String = item.member("board_name")?;
        rows.extend(item.read::<Device>()?.place(board));
        Ok(())
    };
    http.each(&request, add).await?;
    console.rows(&["BOARD", "DEVICE", "KIND", "DEPTH", "HORIZONTAL", "VERTICAL", "SERVER_NODE"], rows)?;
    Ok(Exit::Done)
}

impl Device {
    /// Its line; nothing if its place is not known.
    fn place(self, board: String) -> Option<Vec<String>> {
        let Location { depth, horizontal, vertical, server_node } =
            self.location.filter(Location::is_known)?;
        let server_node = server_node.map_or_else(dash, |node| node.to_string());
        let device = self.name.unwrap_or(self.id);
        Some(vec![board, device, self.kind, depth, horizontal, vertical, server_node])
    }
}

impl Location {
    fn is_known(&self) -> bool {
        let directions = [&self.depth, &self.horizontal, &self.vertical];
        self.server_node.is_some() || directions.iter().any(|direction| *direction != "unknown")
    }
}

/// `expand`: which boards a node range stands for.
pub(super) async fn expand(
    http: &Http,
    args: &ExpandArgs,
    console: &mut Console<'_>,
) -> Result<Exit, ClientError> {
    let boards = resolve(http, &args.nodes.nodes).await?;
    match (args.fold, console.is_for_programs()) {
        (true, true) => console.json(&Answer::default().followed_by("nodes", &fold(&boards))?)?,
        (true, false) => console.line(&fold(&boards))?,
        (false, true) => boards.iter().try_for_each(|board| console.json(&Answer::of(board)?))?,
        (false, false) => boards.iter().try_for_each(|board| console.line(&board.name))?,
    }
    Ok(Exit::Done)
}

/// The names of boards as one node range.
pub(super) fn fold(boards: &[BoardName]) -> String {
    opendcre_gateway::fold(boards.iter().map(|board| board.name.as_str()))
}

/// What stands where there is nothing to say.
pub(super) fn dash() -> String {
    "-".to_owned()
}
