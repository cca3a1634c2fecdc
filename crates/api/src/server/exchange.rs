//! One request and its answer, as far as the connection has to know how far they are.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::activity::Activity;
use crate::api::Api;
use crate::body::Body;
use crate::limits::Limits;
use crate::peer::Peer;
use crate::reply;

/// What all requests of a connection share.
pub(super) struct Conversation {
    pub(super) api: Api,
    pub(super) peer: Peer,
    pub(super) activity: Arc<Activity>,
    /// The most that is handed over at once of an answer, in bytes.
    pub(super) piece: usize,
}

/// Answers one request. Its header is put aside before the answer begins, because what comes of an `async` block is moved
/// several times with everything that it holds.
pub(super) fn respond(
    request: Request<Incoming>,
    exchange: Exchange,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> {
    let (head, body) = request.into_parts();
    let head = Arc::new(head);
    async move {
        // HTTP/1 does not come this far with more.
        let reply = if head.headers.len() > Limits::HEADERS {
            reply::empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        } else {
            let Conversation { api, peer, activity, .. } = &*exchange.conversation;
            api.respond_to(head, Upload::new(body, activity), peer).await
        };
        Ok((*reply).map(|body| Answer { body, rest: Bytes::new(), held: false, exchange }))
    }
}

/// A request that is not answered whole yet.
pub(super) struct Exchange {
    conversation: Arc<Conversation>,
}

impl Exchange {
    pub(super) fn begin(conversation: &Arc<Conversation>) -> Self {
        conversation.activity.requests.fetch_add(1, Relaxed);
        Self { conversation: Arc::clone(conversation) }
    }

    fn activity(&self) -> &Activity {
        &self.conversation.activity
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.activity().awaits_client(Instant::now());
        self.activity().requests.fetch_sub(1, Relaxed);
    }
}

/// The body of a request, which is on its way until its end or until nobody wants it any more.
struct Upload {
    body: Incoming,
    activity: Option<Arc<Activity>>,
}

impl Upload {
    fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        let is_complete = body.is_end_stream();
        let activity = (!is_complete).then(|| {
            activity.uploads.fetch_add(1, Relaxed);
            Arc::clone(activity)
        });
        Self { body, activity }
    }

    fn end(&mut self) {
        if let Some(activity) = self.activity.take() {
            activity.uploads.fetch_sub(1, Relaxed);
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        if frame.is_none() {
            this.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.end();
    }
}

/// The body of an answer, which the client holds up while it does not take what it was given of it.
pub(super) struct Answer {
    body: Body,
    /// What is left of a part that is too large to be handed over at once.
    rest: Bytes,
    held: bool,
    exchange: Exchange,
}

impl Answer {
    /// The next part, as large as it comes.
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut self.rest)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.and_then(|Ok(frame)| frame.into_data().ok()))
    }

    fn set_held(&mut self, held: bool) {
        let activity = self.exchange.activity();
        match (self.held, held) {
            (false, true) => {
                activity.held.fetch_add(1, Relaxed);
            }
            (true, false) => {
                activity.awaits_client(Instant::now());
                activity.held.fetch_sub(1, Relaxed);
            }
            _ => {}
        }
        self.held = held;
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        this.set_held(false);
        let Some(mut part) = ready!(this.poll_part(context)) else { return Poll::Ready(None) };
        let piece = this.exchange.conversation.piece;
        if part.len() > piece {
            this.rest = part.split_off(piece);
        }
        this.exchange.activity().sent.fetch_add(u64::try_from(part.len()).unwrap_or(u64::MAX), Relaxed);
        this.set_held(!this.is_end_stream());
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        match self.body.size_hint().exact() {
            Some(length) => SizeHint::with_exact(length.saturating_add(rest)),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.set_held(false);
    }
}
