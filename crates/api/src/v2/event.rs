//! Events: what happened, oldest first, as a page for those who ask and as a stream for those who listen.

mod stream;

use std::sync::Arc;

use http::header::VARY;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use opendcre_gateway::{Event, EventFilter, EventKind, EventPage, Severity, View};
use opendcre_model::{BoardId, DeviceId};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Documented};
use super::call::Call;
use super::limit::{LAST_NUMBER, Limit};
use super::mistake::Mistake;
use super::moment::Moment;
use super::route::NoPath;
use super::schema::{
    BoardIdText, DeviceIdText, EventKindWord, EventKindsText, MomentText, NodesText, SeverityWord,
};
use super::span::Wait;
use super::{listing, nodes};
use crate::body::Body;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};

/// How many of the newest events are looked at to find some that are wanted, if the request does not say where to begin.
const LOOK_BACK: u16 = 8_192;

/// How many events are looked at to find the first of a time.
const STRIDE: u16 = 1_024;

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct EventQuery {
    /// Only events of boards that are in this node range now. Boards that are not known any more are in none; but while a
    /// stream cannot resolve the range any more, it goes on with what that was last.
    #[schemars(with = "Option<NodesText>")]
    nodes: Option<String>,
    /// Only events of these kinds.
    #[schemars(with = "Option<EventKindsText>")]
    kinds: Option<Kinds>,
    /// Only events that matter at least so much.
    #[schemars(with = "Option<SeverityWord>")]
    severity: Option<Severity>,
    /// Only events with a greater sequence than this: the `cursor` of an answer, or 0 for all that are kept. Without it,
    /// a page has the newest events, and a stream begins with the next one.
    #[schemars(range(max = LAST_NUMBER))]
    after: Option<u64>,
    /// Only events from this moment on, instead of `after`.
    #[schemars(with = "Option<MomentText>")]
    from: Option<Moment>,
    /// The most events of a page.
    #[schemars(with = "u16", range(min = 1, max = 1000))]
    limit: Limit,
    /// How many seconds to wait for an event if there is none for a page yet.
    #[schemars(with = "u8", range(max = 50))]
    wait: Wait<0>,
}

/// Kinds, separated by commas.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Kinds(Vec<EventKind>);

/// Which events are wanted, wherever they are in the stream.
#[derive(Debug)]
struct Wanted {
    nodes: Option<String>,
    kinds: Vec<EventKind>,
    least: Severity,
}

/// Events as they are answered.
pub(super) enum Events {
    /// Some of them.
    Page(EventPage),
    /// One after the other, as they happen.
    Stream(Body),
}

/// Some events.
#[derive(JsonSchema)]
#[schemars(rename = "Events")]
#[expect(dead_code, reason = "only described; its text is written item by item")]
struct EventsBody<'a> {
    /// The events, oldest first. There may be fewer than `limit`, even none, although more follow.
    items: Vec<EventBody<'a>>,
    /// What to go on with, as `after`. There is nothing more for now if it is not below `latest`.
    cursor: u64,
    /// The sequence of the newest event of all; 0 before the first.
    latest: u64,
    /// The sequence of the oldest event that is kept; null if there is none.
    oldest: Option<u64>,
    /// How many events after `after` are not kept any more, whether they would have been wanted or not.
    missed: u64,
}

/// Something that happened.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct EventBody<'a> {
    /// Greater than that of every earlier event, also over restarts. Some numbers are left out.
    sequence: u64,
    /// When it was noticed, by the clock of the service.
    time: Timestamp,
    #[schemars(with = "EventKindWord")]
    kind: EventKind,
    #[schemars(with = "SeverityWord")]
    severity: Severity,
    /// The rack of the board; null if it is about no board.
    rack: Option<&'a str>,
    /// The board that it is about; null if it is about none.
    #[schemars(with = "Option<BoardIdText>")]
    board: Option<BoardId>,
    /// What the board was called then.
    name: Option<&'a str>,
    /// The device that it is about; null if it is about none.
    #[schemars(with = "Option<DeviceIdText>")]
    device: Option<DeviceId>,
    /// One sentence for people.
    message: &'a str,
    /// The same for programs: texts, numbers, and lists of texts. What is in it depends on the kind.
    detail: &'a Map<String, Value>,
}

/// `GET /events`.
pub(super) async fn list(call: Call, _: NoPath, query: EventQuery) -> Result<Events, Problem> {
    if query.after.is_some() && query.from.is_some() {
        let detail = "after and from cannot be given together; give one of them";
        return Err(Problem::new(Code::CONTRADICTION, detail).in_parameter("from").at(0));
    }
    if query.after.is_some_and(|after| after > LAST_NUMBER) {
        let detail = format!("after is beyond {LAST_NUMBER}, the last number that an event can have");
        return Err(Problem::new(Code::BAD_PARAMETER, detail).in_parameter("after").at(0));
    }
    let EventQuery { nodes, kinds, severity, after, from, limit, wait } = query;
    let wanted = Wanted {
        nodes,
        kinds: kinds.map(|Kinds(kinds)| kinds).unwrap_or_default(),
        least: severity.unwrap_or_default(),
    };
    let after = match from {
        Some(from) => Some(first_since(&call.view()?, from.seen_from(call.gateway().now())).await?),
        None => after,
    };
    if stream::is_asked_for(&call.head.headers) {
        return stream::open(call, wanted, after).map(Events::Stream);
    }
    let limit = limit.0.into();
    let page = match after {
        Some(after) => wanted.page(&call, after, limit).await?,
        None => wanted.newest(&call, limit).await?,
    };
    let page = wanted.awaited(&call, page, limit, Instant::now() + wait.0).await?;
    Ok(Events::Page(page))
}

/// The number after which events begin that are not older than `from`, found by the times that they have. Where a clock
/// was set back, some older ones may come after it.
async fn first_since(view: &View, from: Timestamp) -> Result<u64, Problem> {
    let everything = EventFilter::default();
    let mut count = u64::from(STRIDE);
    let mut cursor = loop {
        let cursor = view.events_back(count)?;
        let page = view.events(cursor, 1, &everything).await?;
        let is_older = page.events.first().is_some_and(|event| event.time < from);
        if is_older || page.oldest.is_none_or(|oldest| cursor < oldest) {
            break cursor;
        }
        count = count.saturating_mul(4);
    };
    loop {
        let page = view.events(cursor, STRIDE.into(), &everything).await?;
        match page.events.iter().find(|event| event.time >= from) {
            Some(first) => return Ok(first.sequence - 1),
            None if page.next >= page.latest => return Ok(page.next),
            None => cursor = page.next,
        }
    }
}

impl Wanted {
    /// The filter that they make now: boards come and go.
    fn filter(&self, view: &View) -> Result<EventFilter, Problem> {
        let boards = self.nodes.as_deref().map(|nodes| nodes::seen(view, nodes)).transpose()?;
        Ok(EventFilter {
            kinds: self.kinds.clone(),
            least: self.least,
            boards: boards.map(|boards| boards.iter().map(|board| board.id).collect()),
        })
    }

    async fn page(&self, call: &Call, after: u64, limit: usize) -> Result<EventPage, Problem> {
        let view = call.view()?;
        Ok(view.events(after, limit, &self.filter(&view)?).await?)
    }

    /// The newest events. Looks further back only if there are too few among the very newest.
    async fn newest(&self, call: &Call, limit: usize) -> Result<EventPage, Problem> {
        let mut page = EventPage::default();
        for count in [limit, LOOK_BACK.into()] {
            let after = call.view()?.events_back(u64::try_from(count).unwrap_or(u64::MAX))?;
            page = self.page(call, after, count).await?;
            if page.events.len() >= limit {
                break;
            }
        }
        page.events.drain(..page.events.len().saturating_sub(limit));
        // Nobody has asked for older ones.
        page.missed = 0;
        Ok(page)
    }

    /// The same page, or a later one if there is nothing on it.
    async fn awaited(
        &self,
        call: &Call,
        mut page: EventPage,
        limit: usize,
        deadline: Instant,
    ) -> Result<EventPage, Problem> {
        let mut missed = page.missed;
        while page.events.is_empty() && missed == 0 && is_followed(call, &page, deadline).await? {
            page = self.page(call, page.next, limit).await?;
            missed += page.missed;
        }
        page.missed = missed;
        Ok(page)
    }
}

/// Whether there is something after a page, be it wanted or not, as soon as there is before the deadline.
async fn is_followed(call: &Call, page: &EventPage, deadline: Instant) -> Result<bool, Problem> {
    if Instant::now() >= deadline {
        return Ok(false);
    }
    let news = call.stopping().run_until_cancelled(call.gateway().wait_for_event(page.next));
    match timeout_at(deadline, news).await {
        Ok(Some(waited)) => waited?,
        Ok(None) | Err(_) => return Ok(false),
    }
    // Also the end of the log ends waiting.
    Ok(call.view()?.latest_event()? > page.next)
}

/// The JSON of an event.
fn text(event: &Event) -> Vec<u8> {
    // A body of plain fields can always be written.
    serde_json::to_vec(&EventBody::from(event)).unwrap_or_default()
}

impl<'a> From<&'a Event> for EventBody<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            sequence: event.sequence,
            time: event.time,
            kind: event.kind,
            severity: event.severity,
            rack: event.rack.as_deref(),
            board: event.board,
            name: event.name.as_deref(),
            device: event.device,
            message: &event.message,
            detail: &event.detail,
        }
    }
}

impl Answer for Events {
    fn document(generator: &mut SchemaGenerator) -> Vec<Documented> {
        let description = "A page of events, or a stream of them for who accepts `text/event-stream`.";
        let page = generator.subschema_for::<EventsBody<'_>>();
        let stream = json_schema!({
            "type": "string",
            "description": "Server-Sent Events without an end. `event` is the kind, `id` the sequence, `data` the event as \
                in a page. `missed` tells in `data` as `missed` how many events are not kept any more that should have \
                come here; `unresolved` tells with `code` and `message` why `nodes` cannot be resolved any more; `end` tells \
                in the same way why nothing more comes. Every 15 s without an event, there is a comment.",
        });
        let stream = Documented {
            media_type: stream::MEDIA_TYPE,
            ..Documented::json(StatusCode::OK, description, stream)
        };
        vec![Documented::json(StatusCode::OK, description, page), stream]
    }

    fn into_reply(self) -> Result<Reply, Problem> {
        let mut reply = match self {
            Self::Page(page) => page_reply(page),
            Self::Stream(body) => stream::reply(body),
        };
        reply.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
        Ok(reply)
    }
}

fn page_reply(page: EventPage) -> Reply {
    let EventPage { events, oldest, latest, missed, next } = page;
    let rest = json!({ "cursor": next, "latest": latest, "oldest": oldest, "missed": missed }).to_string();
    let end = format!("],{}", rest.trim_start_matches('{'));
    let texts = events.into_iter().map(|event: Arc<Event>| text(&event));
    reply::json_body(StatusCode::OK, listing::pieces(b"{\"items\":[".to_vec(), texts, end))
}

impl TryFrom<String> for Kinds {
    type Error = Mistake;

    fn try_from(text: String) -> Result<Self, Mistake> {
        text.split(',')
            .map(|word| EventKind::deserialize(word.into_deserializer()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}
