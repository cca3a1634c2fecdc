//! Readings: which values of which devices are wanted, and how they are gathered. What fails is told beside what does not.
//!
//! A few readings are answered together, sorted. Many are sent as they arrive, so that neither this program nor the
//! client has to wait for the slowest board or to hold all of them.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use http::StatusCode;
use opendcre_gateway::{BoardRecord, GatewayError, Latest, View};
use opendcre_model::{Device, DeviceAddress, DeviceKind, DriverError, Fault, Health, Query};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, Sleep, sleep_until};

use super::answer::{Answer, Documented};
use super::call::Call;
use super::measurement::{Pieces, ReadingsBody, ReadingsText};
use super::nodes::{self, Called};
use super::route::{BoardPath, DevicePath, NoPath, RackPath};
use super::schema::{KindWord, MaxAgeText, NodesText};
use super::span::Span;
use crate::body::Body;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};

/// How old a reading may be unless the request says otherwise.
const MAX_AGE: Duration = Duration::from_secs(5);

/// Which readings of which boards are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct NodesReadingQuery {
    /// Devices of the boards of this node range.
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
    /// Devices of this kind. Without it and `device`, of every kind but lamps.
    #[schemars(with = "Option<KindWord>")]
    kind: Option<DeviceKind>,
    /// The device with this id or name, of every board that has it.
    device: Option<String>,
    /// How old a value may be that is answered without asking the equipment, 5 s unless given; 0 always asks.
    #[schemars(with = "Option<MaxAgeText>")]
    max_age: Option<Span>,
}

/// Which readings are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct ReadingQuery {
    /// Devices of this kind. Without it and `device`, of every kind but lamps.
    #[schemars(with = "Option<KindWord>")]
    kind: Option<DeviceKind>,
    /// The device with this id or name, of every board that has it.
    device: Option<String>,
    /// How old a value may be that is answered without asking the equipment, 5 s unless given; 0 always asks.
    #[schemars(with = "Option<MaxAgeText>")]
    max_age: Option<Span>,
}

/// How old readings may be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct AgeQuery {
    /// How old a value may be that is answered without asking the equipment, 5 s unless given; 0 always asks.
    #[schemars(with = "Option<MaxAgeText>")]
    max_age: Option<Span>,
}

/// The most readings that are answered together.
const TOGETHER: usize = 1000;

/// When it is worth asking again after too much was read at the same time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How many answers of the equipment may wait for the client to take them.
const WAITING: usize = 64;

/// The part of the time that a request may take, in eighths, that is spent on waiting for equipment.
const PATIENCE: u32 = 7;

/// One question to one device.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) board: Arc<BoardRecord>,
    pub(super) device: Device,
    query: Query,
    /// How the device is; nothing until it is asked.
    judged: Option<Health>,
}

impl Target {
    /// The same, with how the device is now.
    fn judged_by(self, view: &View) -> Self {
        Self { judged: judged(view, &self.board, &self.device), ..self }
    }

    /// What is told of it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { board: &self.board, device: &self.device, judged: self.judged }
    }
}

/// A device that was asked, as an answer tells it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) board: &'a BoardRecord,
    pub(super) device: &'a Device,
    /// How the device is, as thresholds and what it said before see it.
    pub(super) judged: Option<Health>,
}

/// How a device is now.
fn judged(view: &View, board: &BoardRecord, device: &Device) -> Option<Health> {
    view.device_health(DeviceAddress { board: board.id, device: device.id })
}

/// What came of a question.
pub(super) type Outcome = (Target, Result<Latest, GatewayError>);

/// Readings as they are answered: few together, many as they come.
pub(super) struct Readings(Body);

/// `GET /readings`.
pub(super) async fn of_nodes(call: Call, _: NoPath, query: NodesReadingQuery) -> Result<Readings, Problem> {
    let NodesReadingQuery { nodes, kind, device, max_age } = query;
    let boards = nodes::select(&call, nodes.as_deref())?;
    of_boards(call, &boards, ReadingQuery { kind, device, max_age }).await
}

/// `GET /racks/{rack}/readings`.
pub(super) async fn of_rack(call: Call, path: RackPath, query: ReadingQuery) -> Result<Readings, Problem> {
    let boards = nodes::of_rack(&call, &path.rack)?;
    of_boards(call, &boards, query).await
}

/// `GET /boards/{board}/readings`.
pub(super) async fn of_board(call: Call, path: BoardPath, query: ReadingQuery) -> Result<Readings, Problem> {
    let board = call.view()?.lookup(&path.board)?;
    of_boards(call, &[board], query).await
}

/// `GET /boards/{board}/devices/{device}/readings`.
pub(super) async fn of_device(call: Call, path: DevicePath, query: AgeQuery) -> Result<Readings, Problem> {
    let view = call.view()?;
    let board = view.lookup(&path.board)?;
    let device = nodes::device(&board, &path.device)?;
    let max_age = query.max_age.map_or(MAX_AGE, |Span(age)| age);
    let principal = view.principal();
    // Hardly any device has more than one value.
    let mut text = ReadingsText::with_capacity(1);
    for query in device.questions(board.id) {
        let answer = match view.recent(query, max_age, call.begun) {
            Ok(Some(latest)) => Ok(latest),
            // Apart, because to ask the equipment takes a large future.
            Ok(None) => Box::pin(call.gateway().read(principal, query, max_age)).await,
            Err(error) => Err(error),
        };
        let asked = Asked { board: &board, device, judged: judged(&view, &board, device) };
        text.add(asked, answer.as_ref());
    }
    Ok(Readings(text.into_body()))
}

async fn of_boards(
    call: Call,
    boards: &[Arc<BoardRecord>],
    query: ReadingQuery,
) -> Result<Readings, Problem> {
    let max_age = query.max_age.map_or(MAX_AGE, |Span(age)| age);
    let targets: Vec<Target> = boards.iter().flat_map(|board| query.targets(board)).collect();
    if let (Some(device), []) = (&query.device, targets.as_slice()) {
        let detail = format!(
            "none of these boards has a device {:?} that can be read",
            opendcre_model::excerpt(device)
        );
        return Err(Problem::new(Code::UNKNOWN_DEVICE, detail).in_parameter("device").at(0));
    }
    let are_few = targets.len() <= TOGETHER;
    let room = call.api.room_for(targets.len()).ok_or_else(too_many)?;
    let outcomes = Outcomes::of(call, targets, max_age, room)?;
    if !are_few {
        return Ok(Readings(Body::pieces(Pieces::of(outcomes))));
    }
    let mut outcomes: Vec<Outcome> = outcomes.collect().await;
    outcomes.sort_by_key(|(target, _)| (target.board.id, target.device.id));
    let mut text = ReadingsText::with_capacity(outcomes.len());
    outcomes.iter().for_each(|(target, answer)| text.add(target.asked(), answer.as_ref()));
    Ok(Readings(text.into_body()))
}

/// The answer while others hold too much.
pub(super) fn too_many() -> Problem {
    let message = "other requests are reading too much at the same time; nothing was sent, ask again later";
    let error = DriverError::new(Fault::Busy { retry_after: RETRY_AFTER }, message);
    GatewayError::from(error).into()
}

impl ReadingQuery {
    /// The questions to `board`. Lamps show what somebody has told them to, so that nobody reads them regularly, and whoever
    /// wants to know everything does not wait for them: they must be asked for by their kind, or one by one.
    fn targets(&self, board: &Arc<BoardRecord>) -> impl Iterator<Item = Target> {
        let is_named = self.kind.is_some() || self.device.is_some();
        let called = self.device.as_deref().map(Called::of);
        let is_meant = move |device: &&Device| {
            self.kind.is_none_or(|kind| kind == device.kind)
                && called.as_ref().is_none_or(|called| called.fits(device))
        };
        board.devices.iter().filter(is_meant).flat_map(move |device| {
            targets(board, device).filter(move |target| is_named || !matches!(target.query, Query::Led(_)))
        })
    }
}

/// The questions to one device.
fn targets<'a>(board: &'a Arc<BoardRecord>, device: &'a Device) -> impl Iterator<Item = Target> + 'a {
    let target = |query| Target { board: Arc::clone(board), device: device.clone(), query, judged: None };
    device.questions(board.id).map(target)
}

/// The answers of the equipment as they come, until patience is over: what has not come by then has failed.
struct Outcomes {
    /// Asks the equipment. Nothing when everything was asked.
    asking: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    answers: mpsc::Receiver<(Query, Result<Latest, GatewayError>)>,
    view: View,
    /// The questions without an answer.
    open: HashMap<Query, Target>,
    deadline: Pin<Box<Sleep>>,
    patience: Duration,
    /// Given back when the last of them is sent.
    _room: OwnedSemaphorePermit,
}

impl Outcomes {
    fn of(
        call: Call,
        targets: Vec<Target>,
        max_age: Duration,
        room: OwnedSemaphorePermit,
    ) -> Result<Self, Problem> {
        let view = call.view()?;
        let (sender, answers) = mpsc::channel(WAITING);
        let queries: Vec<Query> = targets.iter().map(|target| target.query).collect();
        let patience = call.api.limits().request_timeout * PATIENCE / 8;
        let asking = async move {
            let principal = call.principal();
            let mut answers = pin!(call.gateway().read_all(&principal, queries, max_age));
            while let Some(answer) = answers.next().await {
                if sender.send(answer).await.is_err() {
                    return;
                }
            }
        };
        Ok(Self {
            asking: Some(Box::pin(asking)),
            answers,
            view,
            open: targets.into_iter().map(|target| (target.query, target)).collect(),
            deadline: Box::pin(sleep_until(Instant::now() + patience)),
            patience,
            _room: room,
        })
    }

    /// The failure of a question that nobody answered.
    fn give_up(&mut self) -> Option<Outcome> {
        let query = self.open.keys().next().copied()?;
        let message = format!("no answer within the {} s of one request", self.patience.as_secs());
        let error = DriverError::new(Fault::Timeout, message).into();
        self.open.remove(&query).map(|target| (target, Err(error)))
    }
}

impl Stream for Outcomes {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let this = self.get_mut();
        if this.deadline.as_mut().poll(context).is_ready() {
            this.asking = None;
            return Poll::Ready(this.give_up());
        }
        if let Some(asking) = &mut this.asking
            && asking.as_mut().poll(context).is_ready()
        {
            this.asking = None;
        }
        while let Some((query, answer)) = ready!(this.answers.poll_recv(context)) {
            if let Some(target) = this.open.remove(&query) {
                return Poll::Ready(Some((target.judged_by(&this.view), answer)));
            }
        }
        Poll::Ready(None)
    }
}

impl Answer for Readings {
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented> {
        let description = "The readings, also if some or all of them failed.";
        let schema = generator.subschema_for::<ReadingsBody<'_>>();
        vec![Documented::json(StatusCode::OK, description, schema)]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        Ok(reply::json_body(StatusCode::OK, self.0))
    }
}
