//! Every request passes here: it gets a name, a time limit, an answer, and a line in the access log.
//!
//! One flat function on purpose, not a stack of middleware: what happens to a request can be read from top to
//! bottom, and the cheapest answer stays cheap.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::{Body as HttpBody, Bytes};
use jiff::Timestamp;
use opendcre_gateway::{Gateway, Principal};
use opendcre_model::WallClock;
use percent_encoding::percent_decode_str;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access::Entry;
use crate::body::Body;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::reply::Reply;
use crate::request_id::{RequestId, RequestIds, X_REQUEST_ID};
use crate::upload::{self, UploadError};
use crate::v1::{self, Generation};
use crate::v2::Call;
use crate::{probe, v1_1, v1_3, v2};

/// The most readings that all answers together hold while they are gathered, about a kilobyte each: those of 10,000 servers.
const MAX_READINGS: usize = 200_000;

/// The API in all its generations. Clones are the same API.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    gateway: Gateway,
    limits: Limits,
    request_ids: RequestIds,
    started: Timestamp,
    /// Cancelled when the server begins to stop.
    stopping: CancellationToken,
    /// Readings that answers hold at the same time.
    readings: Arc<Semaphore>,
}

/// Who sent a request.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) remote: &'a str,
    pub(crate) request_id: &'a RequestId,
}

impl Caller<'_> {
    /// As the gateway knows them. Nobody has to say who they are in this release.
    pub(crate) fn principal(&self) -> Principal {
        Principal {
            subject: Arc::new(opendcre_model::Subject::anonymous()),
            remote: self.remote.to_owned(),
            request_id: self.request_id.as_str().to_owned(),
        }
    }
}

impl Api {
    /// An API in front of `gateway`.
    #[must_use]
    pub fn new(gateway: Gateway, clock: &dyn WallClock, limits: Limits) -> Self {
        let inner = Inner {
            gateway,
            limits,
            request_ids: RequestIds::new(clock),
            started: clock.now(),
            stopping: CancellationToken::new(),
            readings: Arc::new(Semaphore::new(MAX_READINGS)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The limits that this API keeps, and that its server must keep.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// The door behind the API.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.inner.gateway
    }

    /// When it was made, which is when the process started.
    pub(crate) fn started(&self) -> Timestamp {
        self.inner.started
    }

    /// Cancelled when the server begins to stop: requests that only wait for news are answered then.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.inner.stopping
    }

    /// Room for an answer with `count` readings. Nothing while others hold too many; one answer alone may be of any size.
    pub(crate) fn room_for(&self, count: usize) -> Option<OwnedSemaphorePermit> {
        let count = u32::try_from(count.min(MAX_READINGS)).ok()?;
        Arc::clone(&self.inner.readings).try_acquire_many_owned(count).ok()
    }

    /// Answers one request of the client at `remote`.
    pub async fn respond<B>(&self, request: Request<B>, remote: SocketAddr) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        self.respond_to(request, remote.to_string().into()).await
    }

    /// As [`respond`](Self::respond), with the address as text, which is made once for all requests of a connection.
    pub(crate) async fn respond_to<B>(&self, request: Request<B>, remote: Arc<str>) -> Reply
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        let head = Arc::new(head);
        let request_id = self.inner.request_ids.name(&head.headers);
        let entry = Entry::start(Arc::clone(&head), Arc::clone(&remote), request_id.clone());
        let mut reply = if v2::is_below(head.uri.path()) {
            let call =
                Call { api: self.clone(), head: Arc::clone(&head), remote, request_id: request_id.clone() };
            v2::respond(call, body).await
        } else {
            let caller = Caller { remote: &remote, request_id: &request_id };
            // Apart, so that the future of every request is not as large as that of the largest.
            Box::pin(self.respond_as_before(&head, body, caller)).await
        };
        reply.headers_mut().insert(X_REQUEST_ID, request_id.to_header());
        if head.method == Method::HEAD {
            *reply.body_mut() = Body::default();
        }
        entry.finish(&mut reply);
        reply
    }

    /// Answers a request that is not for API 2; failures have the form that they have always had.
    async fn respond_as_before<B>(&self, head: &Parts, body: B, caller: Caller<'_>) -> Reply
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let path = decode(head.uri.path());
        let limit = self.inner.limits.request_timeout;
        let answer = timeout(limit, self.answer(head, &path, body, caller)).await;
        let answer = answer.unwrap_or(Err(ApiError::TimedOut(limit)));
        let mut reply = answer.unwrap_or_else(|error| failure(&path, &error));
        if is_open(&path) {
            reply.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        reply
    }

    async fn answer<B>(
        &self,
        head: &Parts,
        path: &str,
        body: B,
        caller: Caller<'_>,
    ) -> Result<Reply, ApiError>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        discard(body, self.inner.limits.body_bytes).await?;
        if let Some(path) = path.strip_prefix(v1_1::BASE) {
            return v1_1::answer(&self.inner.gateway, head, path, caller).await;
        }
        if let Some((generation, path)) = Generation::of(path) {
            return v1::answer(generation, &self.inner.gateway, head, path, caller).await;
        }
        match path {
            v1_3::VERSION => v1_3::version(head),
            "/healthz" => probe::health(head),
            "/readyz" => probe::readiness(head, &self.inner.gateway),
            _ => Err(ApiError::NotFound),
        }
    }
}

/// The text of a path, which is decoded once, before it is compared with anything or cut at slashes: an encoded slash
/// is a slash. Costs no memory when nothing is encoded. What is not UTF-8 becomes a character that fits nowhere.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    // Hardly any path needs it, and to see that is much cheaper than to decode.
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    percent_decode_str(path).decode_utf8_lossy()
}

/// The answer that tells why a request failed, in the form of the generation that was asked.
fn failure(path: &str, error: &ApiError) -> Reply {
    match Generation::of(path) {
        Some((generation, _)) => generation.failure(error),
        None => error.to_reply(),
    }
}

/// Whether pages of any site may read what is below a path, as they always could.
fn is_open(path: &str) -> bool {
    path.starts_with(v1_1::BASE) || path == v1_3::VERSION || Generation::of(path).is_some()
}

/// Reads a body that nobody needs, so that the connection can be used again, but not more than `limit` bytes.
async fn discard<B>(mut body: B, limit: usize) -> Result<(), ApiError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    upload::each(&mut body, limit, |_| ()).await.map_err(|error| match error {
        UploadError::TooLarge => ApiError::BodyTooLarge(limit),
        UploadError::Broken => ApiError::BodyBroken,
    })
}

#[cfg(test)]
mod tests {
    use opendcre_gateway::{AuditLog, Equipment, Settings};

    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_copied_only_if_it_must_be() {
        assert!(matches!(decode("/opendcre/1.1/test"), Cow::Borrowed("/opendcre/1.1/test")));
        assert_eq!(decode("/opendcre/1%2E1%2ftest"), "/opendcre/1.1/test");
        assert_eq!(decode("%2561"), "%61");
        assert_eq!(decode("%FF%"), "\u{fffd}%");
    }

    struct Now;

    impl WallClock for Now {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    #[test]
    fn answers_share_the_room_for_readings() {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditLog::open(folder.path().join("audit.db"), Arc::new(Now)).unwrap();
        let gateway = Gateway::new(Equipment::default(), audit, None, Arc::new(Now), Settings::default());
        let api = Api::new(gateway, &Now, Limits::default());
        let small = api.room_for(1).unwrap();
        assert!(api.room_for(MAX_READINGS).is_none(), "somebody else holds a part of it");
        drop(small);
        let _large = api.room_for(MAX_READINGS * 2).unwrap();
        assert!(api.room_for(1).is_none());
    }
}
