//! How the polling goes: what is due, what is late, what fails, and why.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_gateway::{PollState, PollStatus};
use opendcre_model::{BoardId, DeviceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::call::Call;
use super::nodes;
use super::route::NoPath;
use super::schema::{BoardIdText, DeviceIdText, NodesText, PollStateWord};
use crate::problem::Problem;

/// How many failures of one board are told in full: most boards fail as a whole.
const MAX_FAILURES: usize = 8;

/// Which polls are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct PollQuery {
    /// Only those of boards of this node range.
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
    /// Only those in this state. `counts` has all of them.
    #[schemars(with = "Option<PollStateWord>")]
    state: Option<PollState>,
}

/// How the polling goes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Polls")]
pub(super) struct PollsBody {
    /// Board by board, and by interval: values of a board that are read equally often are read together.
    items: Vec<PollBody>,
    /// How many there are in each state.
    #[schemars(with = "BTreeMap<String, usize>")]
    counts: BTreeMap<&'static str, usize>,
}

/// How the values of a board are read that have the same interval.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Poll")]
struct PollBody {
    #[schemars(with = "BoardIdText")]
    board: BoardId,
    /// What the board is called.
    board_name: String,
    /// The rack that holds the board.
    rack: String,
    #[schemars(with = "PollStateWord")]
    state: PollState,
    /// How often they are read, in seconds.
    interval_s: f64,
    /// How many values they are.
    values: usize,
    /// How many of them are left out, because the equipment said that it cannot tell them.
    unsupported: usize,
    /// In how many seconds they are read next; negative if that should have been before.
    due_s: f64,
    /// How many seconds later than planned the last round began.
    late_s: f64,
    /// How many seconds the last round took; null before the first.
    took_s: Option<f64>,
    /// When the board answered last; null if it has not yet.
    answered_at: Option<Timestamp>,
    /// How many rounds there were.
    rounds: u64,
    /// How many rounds were left out because the one before was not over.
    skipped: u64,
    /// How many values were not told in the last round.
    failed: usize,
    /// Why, for the first of them.
    failures: Vec<FailureBody>,
}

/// A value that was not told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PollFailure")]
struct FailureBody {
    /// The device; null if it is about the board.
    #[schemars(with = "Option<DeviceIdText>")]
    device: Option<DeviceId>,
    /// What the board calls the device; null if it has no name.
    device_name: Option<String>,
    /// The stable machine-readable code.
    code: String,
    /// Why, in one sentence for people.
    message: String,
}

/// `GET /polls`.
pub(super) async fn list(call: Call, _: NoPath, query: PollQuery) -> Result<Json<PollsBody>, Problem> {
    let boards = nodes::ids(&call, query.nodes.as_deref())?;
    let mut polls = call.view()?.polls();
    polls.retain(|poll| boards.as_ref().is_none_or(|boards| boards.contains(&poll.board.id)));
    let mut counts: BTreeMap<&str, usize> = PollState::ALL.map(|state| (state.name(), 0)).into();
    for poll in &polls {
        *counts.entry(poll.state.name()).or_default() += 1;
    }
    polls.retain(|poll| query.state.is_none_or(|state| state == poll.state));
    Ok(Json(PollsBody { items: polls.into_iter().map(PollBody::from).collect(), counts }))
}

impl From<PollStatus> for PollBody {
    fn from(poll: PollStatus) -> Self {
        let failure = |(query, failure): &(opendcre_model::Query, opendcre_gateway::BoardFailure)| {
            let device = query.device().map(|device| device.device);
            FailureBody {
                device,
                device_name: device.and_then(|device| poll.board.device(device)?.name.clone()),
                code: failure.code.clone(),
                message: failure.message.clone(),
            }
        };
        Self {
            board: poll.board.id,
            board_name: poll.board.name.clone(),
            rack: poll.board.rack.clone(),
            state: poll.state,
            interval_s: poll.interval.as_secs_f64(),
            values: poll.values,
            unsupported: poll.unsupported,
            due_s: poll.due.as_secs_f64(),
            late_s: poll.late.as_secs_f64(),
            took_s: poll.took.as_ref().map(Duration::as_secs_f64),
            answered_at: poll.answered_at,
            rounds: poll.rounds,
            skipped: poll.skipped,
            failed: poll.failures.len(),
            failures: poll.failures.iter().take(MAX_FAILURES).map(failure).collect(),
        }
    }
}
