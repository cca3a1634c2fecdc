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
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use opendcre_gateway::{Gateway, Principal};
use opendcre_model::WallClock;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use crate::access::Entry;
use crate::error::ApiError;
use crate::limits::Limits;
use crate::reply::Reply;
use crate::request_id::{RequestId, RequestIds, X_REQUEST_ID};
use crate::{probe, v1_1, v2};

/// The API in all its generations. Clones are the same API.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    gateway: Gateway,
    limits: Limits,
    request_ids: RequestIds,
}

/// Who sent a request.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    remote: SocketAddr,
    request_id: &'a RequestId,
}

impl Caller<'_> {
    /// As the gateway knows them. Nobody has to say who they are in this release.
    pub(crate) fn principal(&self) -> Principal {
        Principal {
            name: "anonymous".to_owned(),
            remote: self.remote.to_string(),
            request_id: self.request_id.as_str().to_owned(),
        }
    }
}

impl Api {
    /// An API in front of `gateway`.
    #[must_use]
    pub fn new(gateway: Gateway, clock: &dyn WallClock, limits: Limits) -> Self {
        let inner = Inner { gateway, limits, request_ids: RequestIds::new(clock) };
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

    /// Answers one request of the client at `remote`.
    pub async fn respond<B>(&self, request: Request<B>, remote: SocketAddr) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        let request_id = self.inner.request_ids.name(&head.headers);
        let entry = Entry::start(&head, remote, &request_id);
        let caller = Caller { remote, request_id: &request_id };
        let path = decode(head.uri.path());
        let limit = self.inner.limits.request_timeout;
        let answer = timeout(limit, self.answer(&head, &path, body, caller)).await;
        let answer = answer.unwrap_or(Err(ApiError::TimedOut(limit)));
        let mut reply = answer.unwrap_or_else(|error| error.to_reply());
        complete(&mut reply, &head, &path, &request_id);
        entry.finish(&reply);
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
        B: Body<Data = Bytes> + Unpin,
    {
        discard(body, self.inner.limits.body_bytes).await?;
        if let Some(path) = path.strip_prefix(v1_1::BASE) {
            return v1_1::answer(&self.inner.gateway, head, path, caller).await;
        }
        if let Some(path) = path.strip_prefix(v2::BASE) {
            return v2::answer(&self.inner.gateway, head, path);
        }
        match path {
            "/healthz" => probe::health(head),
            "/readyz" => probe::readiness(head, &self.inner.gateway),
            _ => Err(ApiError::NotFound),
        }
    }
}

/// The text of a path, which is decoded once, before it is compared with anything or cut at slashes: an encoded slash
/// is a slash. Costs no memory when nothing is encoded. What is not UTF-8 becomes a character that fits nowhere.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

/// Adds what every answer has.
fn complete(reply: &mut Reply, head: &Parts, path: &str, request_id: &RequestId) {
    let headers = reply.headers_mut();
    headers.insert(X_REQUEST_ID, request_id.to_header());
    if path.starts_with(v1_1::BASE) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if head.method == Method::HEAD {
        *reply.body_mut() = Full::default();
    }
}

/// Reads a body that nobody needs, so that the connection can be used again, but not more than `limit` bytes.
async fn discard<B>(mut body: B, limit: usize) -> Result<(), ApiError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(ApiError::BodyTooLarge(limit));
    }
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::BodyBroken)?;
        received = received.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if received > limit {
            return Err(ApiError::BodyTooLarge(limit));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_copied_only_if_it_must_be() {
        assert!(matches!(decode("/opendcre/1.1/test"), Cow::Borrowed("/opendcre/1.1/test")));
        assert_eq!(decode("/opendcre/1%2E1%2ftest"), "/opendcre/1.1/test");
        assert_eq!(decode("%2561"), "%61");
        assert_eq!(decode("%FF%"), "\u{fffd}%");
    }
}
