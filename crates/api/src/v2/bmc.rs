//! How the connections to BMCs are doing, from what is known: none of them is asked.

use std::time::Duration;

use jiff::Timestamp;
use opendcre_gateway::BoardRecord;
use opendcre_model::{BoardId, LinkState, LinkStatistics};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Json;
use super::call::Call;
use super::nodes::{self, NodesQuery};
use super::route::NoPath;
use super::schema::{BoardIdText, LinkStateWord};
use crate::problem::Problem;

/// What is known of every BMC.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Bmcs")]
pub(super) struct BmcsBody {
    /// The BMCs, in the order of their boards. The counters begin at zero when the service starts.
    items: Vec<BmcBody>,
}

/// What is known of a BMC.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Bmc")]
struct BmcBody {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// What people call it.
    board_name: String,
    /// The rack that holds it.
    rack: String,
    /// Where it is: its address and port.
    address: String,
    #[schemars(with = "LinkStateWord")]
    state: LinkState,
    /// Since when it is in this state.
    since: Timestamp,
    /// Why it is down: the stable machine-readable code; null if it is not.
    code: Option<&'static str>,
    /// Why it is down, in one sentence for people; null if it is not.
    message: Option<String>,
    /// Commands that were answered or given up; repetitions do not count.
    requests: u64,
    /// Datagrams that were sent again.
    retries: u64,
    /// Attempts that were given up because no answer came.
    timeouts: u64,
    /// Sessions that were opened.
    session_opens: u64,
    /// Datagrams from its address that were no answer to anything.
    dropped: u64,
    /// How long an answer takes in microseconds, smoothed; null before the first one.
    latency_us: Option<u64>,
    /// The pause between two commands in microseconds.
    pause_us: u64,
    /// Commands that wait for it.
    waiting: usize,
    /// Whether a session with it is open.
    session: bool,
}

/// `GET /bmcs`: all of them, or those of some boards.
pub(super) async fn list(call: Call, _: NoPath, query: NodesQuery) -> Result<Json<BmcsBody>, Problem> {
    let view = call.view()?;
    let boards = nodes::ids(&call, query.nodes.as_deref())?;
    let is_meant = |link: &LinkStatistics| boards.as_ref().is_none_or(|boards| boards.contains(&link.board));
    let bmc = |link: LinkStatistics| {
        let board = view.board(link.board)?;
        Some(BmcBody::of(link, &board))
    };
    Ok(Json(BmcsBody { items: view.statistics().into_iter().filter(is_meant).filter_map(bmc).collect() }))
}

impl BmcBody {
    fn of(link: LinkStatistics, board: &BoardRecord) -> Self {
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (code, message) = link.failure.map(|failure| (failure.code, failure.message)).unzip();
        Self {
            board: board.id,
            board_name: board.name.clone(),
            rack: board.rack.clone(),
            address: link.address.to_string(),
            state: link.state,
            since: link.since,
            code,
            message,
            requests: link.requests,
            retries: link.retries,
            timeouts: link.timeouts,
            session_opens: link.session_opens,
            dropped: link.dropped,
            latency_us: link.latency.map(microseconds),
            pause_us: microseconds(link.pause),
            waiting: link.waiting,
            session: link.has_session,
        }
    }
}
