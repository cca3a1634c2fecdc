//! The feed of changes: which boards appeared, vanished or moved, oldest first. Who has read everything may wait for more.

use std::collections::HashSet;

use jiff::Timestamp;
use opendcre_gateway::{ChangeKind, Changes, InventoryChange};
use opendcre_model::BoardId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::answer::Json;
use super::call::Call;
use super::limit::{LAST_NUMBER, Limit};
use super::nodes;
use super::route::NoPath;
use super::schema::{BoardIdText, ChangeKindWord, NodesText};
use super::span::Wait;
use crate::problem::{Code, Problem};

/// Which changes are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct ChangeQuery {
    /// Only changes of boards that are in this node range now. Boards that are not known any more are in none.
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
    /// Only changes with a greater sequence than this: that of the last change that is known already, or the `latest` of
    /// an answer. Without it, the oldest that are kept come first. If changes after it are not kept any more, or it is
    /// greater than `latest`, the answer is 410 at once, however long the request would wait.
    #[schemars(range(max = LAST_NUMBER))]
    after: Option<u64>,
    /// The most changes to answer.
    #[schemars(with = "u16", range(min = 1, max = 1000))]
    limit: Limit,
    /// How many seconds to wait for a change if there is none yet.
    #[schemars(with = "u8", range(max = 50))]
    wait: Wait<0>,
}

/// What happened to boards.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Changes")]
pub(super) struct ChangesBody {
    /// The changes, oldest first.
    items: Vec<ChangeBody>,
    /// The sequence of the newest change of all, in this answer or not; 0 before the first.
    latest: u64,
    /// The sequence of the oldest change that is kept; null if there is none.
    oldest: Option<u64>,
}

/// Something that happened to a board.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Change")]
struct ChangeBody {
    /// Greater than that of every earlier change, also over restarts.
    sequence: u64,
    /// When it was noticed.
    time: Timestamp,
    #[schemars(with = "ChangeKindWord")]
    kind: ChangeKind,
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// What the board is called.
    name: String,
    /// Its rack.
    rack: String,
    /// What exactly happened, in words.
    detail: String,
}

/// `GET /changes`.
pub(super) async fn list(call: Call, _: NoPath, query: ChangeQuery) -> Result<Json<ChangesBody>, Problem> {
    let boards = nodes::ids(&call, query.nodes.as_deref())?;
    let deadline = Instant::now() + query.wait.0;
    let mut found = changes(&call, &query, boards.as_ref())?;
    // Nothing new is an answer, too.
    while found.changes.is_empty() && is_followed(&call, found.latest, deadline).await? {
        found = changes(&call, &query, boards.as_ref())?;
    }
    let Changes { changes, oldest, latest } = found;
    Ok(Json(ChangesBody { items: changes.into_iter().map(ChangeBody::from).collect(), latest, oldest }))
}

/// Waits for a change after this one, of whichever board that is shown. Returns whether there is one.
async fn is_followed(call: &Call, latest: u64, deadline: Instant) -> Result<bool, Problem> {
    let principal = call.principal();
    let news = call.stopping().run_until_cancelled(call.gateway().wait_for_change(&principal, latest));
    Ok(timeout_at(deadline, news).await.is_ok() && !call.view()?.changes(latest, 1).changes.is_empty())
}

/// The changes that are wanted, as far as they happened.
fn changes(call: &Call, query: &ChangeQuery, boards: Option<&HashSet<BoardId>>) -> Result<Changes, Problem> {
    let (after, limit) = (query.after.unwrap_or(0), query.limit.0.into());
    let view = call.view()?;
    let found = match boards {
        None => view.changes(after, limit),
        Some(boards) => view.changes_of(boards, after, limit),
    };
    let is_forgotten = found.oldest.is_some_and(|oldest| after.saturating_add(1) < oldest);
    if query.after.is_some() && (is_forgotten || after > found.latest) {
        let detail = "the changes after this one are not kept any more; read the boards, then go on from the latest change";
        return Err(Problem::new(Code::GONE_CURSOR, detail).in_parameter("after").at(0));
    }
    Ok(found)
}

impl From<InventoryChange> for ChangeBody {
    fn from(change: InventoryChange) -> Self {
        let InventoryChange { sequence, time, kind, board, name, rack, detail } = change;
        Self { sequence, time, kind, board, name, rack, detail }
    }
}
