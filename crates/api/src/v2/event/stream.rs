//! The stream of events (Server-Sent Events, HTML §9.2): each as soon as it has happened, for as long as the client listens.
//!
//! A stream holds a cursor and nothing else. It reads on when the connection takes more, so that a client that is slow is
//! nobody's burden, and is told what it missed. Whether it may still read is looked up for every part, and which boards are
//! meant.

use std::time::Duration;

use futures_util::stream;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::Bytes;
use opendcre_gateway::{EventFilter, EventPage, GatewayError, Verb, View};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::Wanted;
use crate::body::Body;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::sender::Sender;
use crate::streams::StreamPlace;
use crate::v2::call::Call;

/// The media type of Server-Sent Events.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// The header by which a client says where it was cut off (HTML §9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx not to gather the answer.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The longest silence: shorter than that of proxies, which is often 60 s or 30 s.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// After how long the client comes back by itself.
const RETRY: Duration = Duration::from_secs(3);

/// How long a stream lasts: whoever has not logged in with a token of ours is asked again who they are when they go on.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How many events are taken out of the log at once.
const PART: usize = 64;

/// A stream on its way to a client.
struct Listening {
    call: Call,
    wanted: Wanted,
    /// What is wanted of boards, as of when that could be said last.
    filter: EventFilter,
    /// Whether that cannot be said now, which the client knows.
    is_unresolved: bool,
    /// The last event that was looked at.
    cursor: u64,
    /// When something must be said at the latest.
    heartbeat: Instant,
    end: Instant,
    is_begun: bool,
    /// Given back at the end.
    _place: StreamPlace,
}

/// Why a stream ends.
enum End {
    /// It has lasted long enough.
    Over,
    /// It cannot or must not go on.
    Failed(Problem),
}

impl From<Problem> for End {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl From<GatewayError> for End {
    fn from(error: GatewayError) -> Self {
        Self::Failed(error.into())
    }
}

/// Whether the client wants a stream.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
        let is_refused = parameters.split(';').any(|parameter| parameter.trim() == "q=0");
        kind.trim().eq_ignore_ascii_case(MEDIA_TYPE) && !is_refused
    })
}

/// A stream that goes on after what the client knows, or after `after`, or begins with the next event.
pub(super) fn open(call: Call, wanted: Wanted, after: Option<u64>) -> Result<Body, Problem> {
    // What is wrong with the request is told before anything else, while there is still a status to tell it by.
    let view = call.view()?;
    let filter = wanted.filter(&view)?;
    let latest = view.latest_event()?;
    let known = call.head.headers.get(LAST_EVENT_ID).map(number).transpose()?;
    let place = call.api.streams().admit(Sender::of(&call.subject, call.address))?;
    let now = Instant::now();
    let listening = Listening {
        cursor: known.or(after).unwrap_or(latest),
        call,
        wanted,
        filter,
        is_unresolved: false,
        heartbeat: now + HEARTBEAT,
        end: now + LONGEST,
        is_begun: false,
        _place: place,
    };
    Ok(Body::pieces(stream::unfold(Some(listening), |listening| async {
        let mut listening = listening?;
        match listening.next().await {
            Ok(part) => Some((part, Some(listening))),
            Err(End::Failed(problem)) => Some((last_words(&problem).into(), None)),
            Err(End::Over) => None,
        }
    })))
}

/// A stream as it is answered.
pub(super) fn reply(body: Body) -> Reply {
    let mut reply = reply::of_type(MEDIA_TYPE, StatusCode::OK, body);
    reply.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    reply
}

fn number(value: &HeaderValue) -> Result<u64, Problem> {
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let detail =
        "the header Last-Event-ID is no number of an event; leave it out to begin with the next event";
    number.ok_or_else(|| Problem::new(Code::BAD_VALUE, detail))
}

impl Listening {
    /// The next part, when there is something to say.
    async fn next(&mut self) -> Result<Bytes, End> {
        if !std::mem::replace(&mut self.is_begun, true) {
            return Ok(format!("retry: {}\nid: {}\n\n", RETRY.as_millis(), self.cursor).into());
        }
        let text = self.news().await?;
        self.heartbeat = Instant::now() + HEARTBEAT;
        // The cursor is told as well, so that nothing is looked at again that was not wanted.
        Ok(if text.is_empty() { format!(": nothing new\nid: {}\n\n", self.cursor).into() } else { text })
    }

    /// The next events that are wanted; nothing if there are none until the client must hear something.
    async fn news(&mut self) -> Result<Bytes, End> {
        loop {
            let view = self.view().await?;
            let mut text = self.resolve(&view);
            let page = view.events(self.cursor, PART, &self.filter).await?;
            self.cursor = page.next;
            write(&page, &mut text);
            if !text.is_empty() || Instant::now() >= self.heartbeat {
                return Ok(text.into());
            }
            if page.next >= page.latest && !self.is_followed().await? {
                return Ok(Bytes::new());
            }
        }
    }

    /// What the client may look at, if it may still look.
    async fn view(&self) -> Result<View, End> {
        if self.call.stopping().is_cancelled() {
            return Err(GatewayError::ShuttingDown.into());
        }
        if Instant::now() >= self.end {
            return Err(End::Over);
        }
        self.call.gateway().confirm(&self.call.principal(), Verb::Read, "events").await?;
        Ok(self.call.view()?)
    }

    /// Looks again which boards are meant. When that cannot be said any more, because one that is named was forgotten for
    /// instance, those stay meant that were, so that what happens to them at last is told; returns what to say of it.
    fn resolve(&mut self, view: &View) -> Vec<u8> {
        let mut text = Vec::new();
        match self.wanted.filter(view) {
            Ok(filter) => (self.filter, self.is_unresolved) = (filter, false),
            Err(problem) => {
                if !std::mem::replace(&mut self.is_unresolved, true) {
                    add(&mut text, "unresolved", &reason(&problem));
                }
            }
        }
        text
    }

    /// Waits for an event, be it wanted or not. Returns whether there is one before the client must hear something.
    async fn is_followed(&self) -> Result<bool, End> {
        let news = self.call.stopping().run_until_cancelled(self.call.gateway().wait_for_event(self.cursor));
        match timeout_at(self.heartbeat, news).await {
            Err(_) => return Ok(false),
            Ok(None) => return Err(GatewayError::ShuttingDown.into()),
            Ok(Some(waited)) => waited?,
        }
        if self.call.view()?.latest_event()? > self.cursor {
            return Ok(true);
        }
        // The log has ended.
        Err(GatewayError::ShuttingDown.into())
    }
}

/// Writes events as they are sent, and what is missing before them.
fn write(page: &EventPage, text: &mut Vec<u8>) {
    if page.missed > 0 {
        add(text, "missed", json!({ "missed": page.missed }).to_string().as_bytes());
    }
    for event in &page.events {
        text.extend_from_slice(format!("id: {}\n", event.sequence).as_bytes());
        add(text, event.kind.name(), &super::text(event));
    }
}

/// Why nothing more comes.
fn last_words(problem: &Problem) -> Vec<u8> {
    let mut text = Vec::new();
    add(&mut text, "end", &reason(problem));
    text
}

/// Why something is not as the client wants it.
fn reason(problem: &Problem) -> Vec<u8> {
    json!({ "code": problem.code(), "message": problem.detail() }).to_string().into()
}

/// Adds an event. Its data is JSON, which has no line ends.
fn add(all: &mut Vec<u8>, kind: &str, data: &[u8]) {
    all.extend_from_slice(b"event: ");
    all.extend_from_slice(kind.as_bytes());
    all.extend_from_slice(b"\ndata: ");
    all.extend_from_slice(data);
    all.extend_from_slice(b"\n\n");
}
