//! Every request passes here: it gets a name, a time limit, an answer, and a line in the access log.
//!
//! One flat function on purpose, not a stack of middleware: what happens to a request can be read from top to
//! bottom, and the cheapest answer stays cheap.

use std::borrow::Cow;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::{Body as HttpBody, Bytes};
use jiff::Timestamp;
use opendcre_gateway::{Gateway, Principal, RefusedLogin, RefusedRequest};
use opendcre_model::{Subject, WallClock};
use percent_encoding::percent_decode_str;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::access::Entry;
use crate::body::Body;
use crate::browser;
use crate::entrance::{Entrance, LoginProvider, Turned};
use crate::error::ApiError;
use crate::limits::Limits;
use crate::metrics;
use crate::peer::{Peer, Remote};
use crate::probe::{self, Probe};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_id::{RequestId, RequestIds, X_REQUEST_ID};
use crate::streams::Streams;
use crate::traffic::Traffic;
use crate::upload::{self, UploadError};
use crate::v1::{self, Generation};
use crate::v2::Call;
use crate::vitals::Vitals;
use crate::{v1_1, v1_3, v2};

/// The most readings that all answers together hold while they are gathered, about a kilobyte each: those of 10,000 servers.
const MAX_READINGS: usize = 200_000;

/// The API in all its generations. Clones are the same API.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
    /// The commit that the program was built from.
    commit: &'static str,
}

struct Inner {
    gateway: Gateway,
    entrance: Entrance,
    limits: Limits,
    request_ids: RequestIds,
    started: Timestamp,
    /// Cancelled when the server begins to stop.
    stopping: CancellationToken,
    /// Readings that answers hold at the same time.
    readings: Arc<Semaphore>,
    traffic: Arc<Traffic>,
    /// The server that it belongs to, once that runs.
    vitals: OnceLock<Vitals>,
    streams: Streams,
}

/// Who sent a request.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) subject: &'a Arc<Subject>,
    pub(crate) remote: &'a Arc<str>,
    pub(crate) request_id: &'a RequestId,
}

impl Caller<'_> {
    /// As the gateway knows them.
    pub(crate) fn principal(&self) -> Principal {
        Principal {
            subject: Arc::clone(self.subject),
            remote: Arc::clone(self.remote),
            request_id: Arc::clone(self.request_id.text()),
        }
    }
}

impl Api {
    /// An API in front of `gateway`, to which requests come through `entrance`.
    #[must_use]
    pub fn new(gateway: Gateway, entrance: Entrance, clock: &dyn WallClock, limits: Limits) -> Self {
        let inner = Inner {
            gateway,
            entrance,
            limits,
            request_ids: RequestIds::new(clock),
            started: clock.now(),
            stopping: CancellationToken::new(),
            readings: Arc::new(Semaphore::new(MAX_READINGS)),
            traffic: Arc::default(),
            vitals: OnceLock::new(),
            streams: Streams::default(),
        };
        Self { inner: Arc::new(inner), commit: "unknown" }
    }

    /// The same, of a program that was built from `commit`.
    #[must_use]
    pub fn built_from(self, commit: &'static str) -> Self {
        Self { commit, ..self }
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

    /// Where clients can log in.
    pub(crate) fn login_providers(&self) -> Vec<LoginProvider> {
        self.inner.entrance.announced()
    }

    /// Tells clients from now on that they can log in at `providers`.
    pub fn announce(&self, providers: Vec<LoginProvider>) {
        self.inner.entrance.announce(providers);
    }

    /// The commit that the program was built from, or `unknown`.
    pub(crate) const fn commit(&self) -> &'static str {
        self.commit
    }

    /// When it was made, which is when the process started.
    pub(crate) fn started(&self) -> Timestamp {
        self.inner.started
    }

    /// Cancelled when the server begins to stop: requests that only wait for news are answered then.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.inner.stopping
    }

    /// What was counted of requests.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.inner.traffic
    }

    /// How the server is doing that this API belongs to, if it runs.
    pub(crate) fn vitals(&self) -> Option<&Vitals> {
        self.inner.vitals.get()
    }

    /// Makes known the server that this API belongs to, which there is one of.
    pub(crate) fn belongs_to(&self, server: impl FnOnce() -> Vitals) {
        self.inner.vitals.get_or_init(server);
    }

    /// Room for an answer with `count` readings. Nothing while others hold too many; one answer alone may be of any size.
    pub(crate) fn room_for(&self, count: usize) -> Option<OwnedSemaphorePermit> {
        let count = u32::try_from(count.min(MAX_READINGS)).ok()?;
        Arc::clone(&self.inner.readings).try_acquire_many_owned(count).ok()
    }

    /// The streams of events that are open.
    pub(crate) fn streams(&self) -> &Streams {
        &self.inner.streams
    }

    /// Answers one request of the client at `remote`, whose connection is not encrypted.
    pub async fn respond<B>(&self, request: Request<B>, remote: SocketAddr) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        *self.respond_to(Arc::new(head), body, &Peer::new(Remote::Tcp(remote))).await
    }

    /// Answers one request of `peer`.
    pub(crate) async fn respond_to<B>(&self, head: Arc<Parts>, body: B, peer: &Peer) -> Reply
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let request_id = self.inner.request_ids.name(&head.headers);
        let traffic = Arc::clone(&self.inner.traffic);
        let entry = Entry::start(head, Arc::clone(peer.text()), request_id, traffic);
        let limit = self.inner.limits.request_timeout;
        // One limit for everything, so that nobody is kept waiting for a provider either.
        let answer = within(limit, entry.begun(), pin!(self.answer(&entry, body, peer))).await;
        let (head, request_id) = (entry.head(), entry.request_id());
        let mut reply = answer.unwrap_or_else(|_| too_late(head, limit, request_id));
        browser::mark(reply.headers_mut(), head.uri.path(), peer.is_encrypted());
        reply.headers_mut().insert(X_REQUEST_ID, request_id.to_header());
        if head.method == Method::HEAD {
            *reply.body_mut() = Body::default();
        }
        entry.finish(&mut reply);
        reply
    }

    async fn answer<B>(&self, entry: &Entry, body: B, peer: &Peer) -> Reply
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let (head, request_id) = (entry.head(), entry.request_id());
        let entrance = &self.inner.entrance;
        let remote = entrance.origin(&head.headers, peer);
        let subject = match entrance.admit(head, peer).await {
            Ok(subject) => subject,
            Err(turned) => return self.turn_away(head, turned, &remote, request_id),
        };
        if v2::is_below(head.uri.path()) {
            let call = Call {
                api: self.clone(),
                head: Arc::clone(head),
                begun: entry.begun(),
                subject,
                address: peer.address(),
                remote,
                request_id: request_id.clone(),
            };
            return v2::respond(call, head, request_id, body).await;
        }
        let caller = Caller { subject: &subject, remote: &remote, request_id };
        // Apart, so that the future of every request is not as large as that of the largest.
        Box::pin(self.answer_as_before(head, body, caller)).await
    }

    /// The answer to a request that goes no further.
    fn turn_away(&self, head: &Parts, turned: Turned, remote: &str, request_id: &RequestId) -> Reply {
        let code = turned.code().name;
        // Anybody can cause any number of these; the access log has them, and the audit counts those that matter.
        tracing::debug!(code, remote, request_id = request_id.as_str(), "turned away: {turned}");
        if let Some((claimed, reason)) = turned.failed_login(!head.method.is_safe()) {
            let request_id = request_id.as_str();
            self.gateway().note_refused_login(RefusedLogin { claimed, remote, request_id, code, reason });
        }
        if let Turned::WrongHost(host) = &turned {
            self.gateway().note_refused_request(RefusedRequest {
                who: None,
                remote,
                request_id: request_id.as_str(),
                asked: &format!("{} {}", head.method, head.uri.path()),
                code,
                reason: &format!("it is for the host {host:?}"),
            });
        }
        let advice = self.inner.entrance.advice(&turned, &head.headers);
        let mut reply = if tells_problems(head.uri.path()) {
            Problem::from(&turned).to_reply(request_id)
        } else {
            failure(&decode(head.uri.path()), &ApiError::Turned(turned))
        };
        reply.headers_mut().remove(RETRY_AFTER);
        reply.headers_mut().extend(advice);
        reply
    }

    /// Answers a request that is not for API 2; failures have the form that they have always had.
    async fn answer_as_before<B>(&self, head: &Parts, body: B, caller: Caller<'_>) -> Reply
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let path = decode(head.uri.path());
        let answer = self.find(head, &path, body, caller).await;
        answer.unwrap_or_else(|error| failure(&path, &error))
    }

    async fn find<B>(&self, head: &Parts, path: &str, body: B, caller: Caller<'_>) -> Result<Reply, ApiError>
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
        match Probe::at(path).ok_or(ApiError::NotFound)? {
            Probe::Health => probe::health(head),
            Probe::Readiness => probe::readiness(head, &self.inner.gateway, &caller.principal()),
            Probe::Version => v1_3::version(head),
            Probe::Metrics => metrics::of_service(self, head, caller),
            Probe::DeviceMetrics => metrics::of_devices(self, head, caller),
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

/// Whether failures at this path are told as problem documents. Elsewhere they have the form that they have always had.
fn tells_problems(path: &str) -> bool {
    v2::is_below(path) || metrics::is_at(path)
}

/// The answer that tells why a request failed, in the form of the generation that was asked.
fn failure(path: &str, error: &ApiError) -> Reply {
    match Generation::of(path) {
        Some((generation, _)) => generation.failure(error),
        None => error.to_reply(),
    }
}

/// What comes of `work`, unless it takes longer than `limit`, counted from `begun`. Most work never waits, and so needs no
/// timer.
async fn within<T>(
    limit: Duration,
    begun: Instant,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Elapsed> {
    match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        Poll::Ready(result) => Ok(result),
        Poll::Pending => timeout_at(begun + limit, work).await,
    }
}

/// The answer to a request that takes longer than `limit`.
fn too_late(head: &Parts, limit: Duration, request_id: &RequestId) -> Reply {
    if tells_problems(head.uri.path()) {
        return Problem::timed_out(limit).to_reply(request_id);
    }
    failure(&decode(head.uri.path()), &ApiError::TimedOut(limit))
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
    use opendcre_auth::Authenticator;
    use opendcre_gateway::{AuditLog, Equipment, Policy, Settings};

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
        let gateway = Gateway::new(
            Equipment::default(),
            audit.into(),
            Policy::open(),
            Arc::new(Now),
            Settings::default(),
        );
        let entrance = Entrance::new(Arc::new(Authenticator::open(Arc::new(Now))));
        let api = Api::new(gateway, entrance, &Now, Limits::default());
        let small = api.room_for(1).unwrap();
        assert!(api.room_for(MAX_READINGS).is_none(), "somebody else holds a part of it");
        drop(small);
        let _large = api.room_for(MAX_READINGS * 2).unwrap();
        assert!(api.room_for(1).is_none());
    }
}
