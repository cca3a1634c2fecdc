//! API 2, the native one: an inventory to look at, readings with their age, and changes as jobs.
//!
//! Everything that varies between its routes is in their [table]; here is what happens to every request. Failures are
//! problem documents.

mod answer;
mod audit;
mod auth;
mod bmc;
mod board;
mod call;
mod change;
mod device;
mod docs;
mod event;
mod group;
mod history;
mod job;
mod json;
mod limit;
mod listing;
mod live;
mod measurement;
mod member;
mod mistake;
mod moment;
mod nodes;
mod openapi;
mod order;
mod poll;
mod query;
mod rack;
mod reading;
mod route;
mod schema;
mod service;
mod source;
mod span;
mod table;
mod write;

use std::borrow::Cow;

use http::Method;
use http::request::Parts;
use hyper::body::{Body as HttpBody, Bytes};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use smallvec::SmallVec;

use answer::Volatile;
pub(crate) use call::Call;
pub(crate) use nodes::unknown_rack;
pub(crate) use query::Query;
use route::{Request, Route};
use table::Table;

use crate::api::decode;
use crate::encoding;
use crate::etag::ETag;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::request_id::RequestId;
use crate::site;
use crate::upload::{self, UploadError};

/// Everything of this generation is below this path.
const BASE: &str = "/opendcre/2";

/// What need not be encoded in a part of a path or query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b',');

/// A path cut at its slashes, decoded. Most are not deeper than this, and need no memory of their own.
type Segments<'a> = SmallVec<[Cow<'a, str>; 6]>;

/// Whether a path, as it came, belongs to this generation.
pub(crate) fn is_below(path: &str) -> bool {
    path.strip_prefix(BASE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request whose path [is below](is_below) that of this generation.
pub(crate) async fn respond<B>(call: Call, head: &Parts, request_id: &RequestId, body: B) -> Reply
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let answer = answer(call, head, body).await;
    let mut reply = answer.unwrap_or_else(|problem| problem.to_reply(request_id));
    encoding::compress(&mut reply, &head.headers);
    reply
}

async fn answer<B>(call: Call, head: &Parts, body: B) -> Result<Reply, Problem>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let path = head.uri.path().strip_prefix(BASE).unwrap_or_default();
    let (resource, captures) = Table::get().find(&segments(path)).ok_or_else(Problem::not_found)?;
    if head.method == Method::OPTIONS {
        return Ok(resource.options());
    }
    let route = resource.route(&head.method)?;
    if route.method != Method::GET && site::refuses(call.gateway(), head, call.caller()) {
        let detail =
            "a page of another site sent this request; send it from a program or a page of this site";
        return Err(Problem::new(Code::CROSS_SITE, detail));
    }
    let body = read(body, call.api.limits().body_bytes, route).await?;
    let request = Request { captures, query: Query::of(head.uri.query()), body };
    // Before the answer is made: it may be newer than its tag says, never older.
    let version = if route.is_versioned { Some(call.view()?.version()) } else { None };
    let epoch = call.api.started().as_microsecond();
    let mut reply = route.begin(call, request)?.await?;
    if let Some((version, part)) = version {
        let tag = ETag::of(epoch, version, Volatile::of(&reply) ^ part);
        if tag.is_known_to(&head.headers) {
            return Ok(tag.not_modified());
        }
        tag.mark(&mut reply);
    }
    Ok(reply)
}

/// A path without its first slash, cut at the others; no segments if nothing is left. It is cut before it is decoded: an
/// encoded slash is part of a name.
fn segments<'a>(path: &'a str) -> Segments<'a> {
    let Some(path) = path.strip_prefix('/').filter(|path| !path.is_empty()) else { return Segments::new() };
    // Hardly any path needs decoding, and it takes but one look to see that.
    let decode: fn(&'a str) -> Cow<'a, str> = if path.contains('%') { decode } else { Cow::Borrowed };
    cut(path, b'/').map(decode).collect()
}

/// The parts of a text between these ASCII characters. Not with `split`, whose search is made for longer parts.
fn cut(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, behind) = cut_once(text, at).map_or((text, None), |(part, behind)| (part, Some(behind)));
        rest = behind;
        Some(part)
    })
}

/// What is before the first of these ASCII characters, and what is behind it.
fn cut_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let (before, rest) = text.split_at_checked(text.bytes().position(|byte| byte == at)?)?;
    Some((before, rest.get(1..)?))
}

/// The body, if `route` reads one. Any other is taken off the connection, so that it can be used again.
async fn read<B>(mut body: B, limit: usize, route: &Route) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut bytes = Vec::new();
    let take = |part: &[u8]| {
        if route.body.is_some() {
            bytes.extend_from_slice(part);
        }
    };
    upload::each(&mut body, limit, take).await.map_err(|error| match error {
        UploadError::TooLarge => {
            Problem::new(Code::BODY_TOO_LARGE, format!("the request body is longer than {limit} bytes"))
        }
        UploadError::Broken => Problem::new(Code::BAD_BODY, "the request body is broken"),
    })?;
    Ok(bytes.into())
}
