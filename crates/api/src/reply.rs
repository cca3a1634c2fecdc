//! Answers, and the text in them: JSON.

use std::sync::LazyLock;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use serde::Serialize;

use crate::body::Body;
use crate::browser;
use crate::error::ApiError;
use crate::method::Methods;
use crate::request_id::X_REQUEST_ID;

/// An answer. Apart, because it goes through many hands before it is sent.
pub(crate) type Reply = Box<Response<Body>>;

/// The header of an answer that holds JSON, with a place for the name of its request. It is copied, which costs a third of
/// entering its fields one after the other.
static JSON: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut header = common();
    header.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    header.insert(X_REQUEST_ID, HeaderValue::from_static(""));
    header
});

/// The text of `value`.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Bytes, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(text.into())
}

/// An answer that holds JSON text, or nothing in place of it for a request that only wants the header.
pub(crate) fn json(status: StatusCode, text: Bytes) -> Reply {
    json_body(status, text.into())
}

/// An answer whose body is JSON.
pub(crate) fn json_body(status: StatusCode, body: Body) -> Reply {
    new(status, JSON.clone(), body)
}

/// An answer of this media type.
pub(crate) fn of_type(media_type: &'static str, status: StatusCode, body: Body) -> Reply {
    let mut header = common();
    header.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    new(status, header, body)
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    new(status, common(), Body::default())
}

/// What every answer carries.
fn common() -> HeaderMap {
    let mut header = HeaderMap::new();
    browser::protect(&mut header);
    header
}

fn new(status: StatusCode, header: HeaderMap, body: Body) -> Reply {
    let mut reply = Box::new(Response::new(body));
    *reply.status_mut() = status;
    *reply.headers_mut() = header;
    reply
}

/// The answer to `OPTIONS`.
pub(crate) fn allow(methods: Methods) -> Reply {
    let mut reply = json(StatusCode::OK, Bytes::new());
    let methods = HeaderValue::from_static(methods.allow());
    reply.headers_mut().insert(ALLOW, methods);
    reply
}
