//! Answers, and the text in them: JSON.

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use serde::Serialize;

use crate::body::Body;
use crate::error::ApiError;
use crate::method::Methods;

/// An answer. Apart, because it goes through many hands before it is sent.
pub(crate) type Reply = Box<Response<Body>>;

/// The text of `value`.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Bytes, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(text.into())
}

/// An answer that holds JSON text, or nothing in place of it for a request that only wants the header.
pub(crate) fn json(status: StatusCode, text: Bytes) -> Reply {
    of_type("application/json", status, text.into())
}

/// An answer of this media type.
pub(crate) fn of_type(media_type: &'static str, status: StatusCode, body: Body) -> Reply {
    let mut reply = new(status, body);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    reply
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    new(status, Body::default())
}

fn new(status: StatusCode, body: Body) -> Reply {
    let mut reply = Box::new(Response::new(body));
    *reply.status_mut() = status;
    reply
}

/// The answer to `OPTIONS`.
pub(crate) fn allow(methods: Methods) -> Reply {
    let mut reply = json(StatusCode::OK, Bytes::new());
    let methods = HeaderValue::from_static(methods.allow());
    reply.headers_mut().insert(ALLOW, methods);
    reply
}
