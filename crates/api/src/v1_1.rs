//! API 1.1, as its clients have known it since release 1.1.1, with errors that say what is wrong.

mod body;
mod bridge;
mod id;
pub mod path;
mod plan;
mod shape;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::Bytes;
use opendcre_gateway::{Gateway, Outcome, ScanReport};

use crate::api::Caller;
use crate::error::ApiError;
use crate::method::Verb;
use crate::reply::{self, Reply};
use path::Route;
use plan::Plan;
use shape::Shape;

/// Everything of this generation is below this path.
pub(crate) const BASE: &str = "/opendcre/1.1";

/// Names the buses that are missing in the answer to a scan, which has no room for them in its body.
const X_OPENDCRE_FAILED: HeaderName = HeaderName::from_static("x-opendcre-failed");

/// Where a browser says what sort of page sent a request. Programs do not send it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What it says about a page of this site, and about a person who typed the address.
const OUR_SITES: [&[u8]; 2] = [b"same-origin", b"none"];

/// Answers a request for `path`, which is what follows [`BASE`], decoded.
///
/// The method is judged before the values in the path: a path takes its methods whatever its values are.
pub(crate) async fn answer(
    gateway: &Gateway,
    head: &Parts,
    path: &str,
    caller: Caller<'_>,
) -> Result<Reply, ApiError> {
    let shape = Shape::of(path)?;
    let verb = shape.methods().verb(&head.method)?;
    if verb == Verb::List {
        return Ok(reply::allow(shape.methods()));
    }
    if shape.is_control() && is_from_another_site(&head.headers) {
        return Err(ApiError::CrossSite);
    }
    let route = shape.route()?;
    let plan = plan::plan(&route)?;
    match (verb, plan) {
        (Verb::Do, Plan::Ask(command)) => {
            let outcome = gateway.execute(&caller.principal(), command).await;
            render(&route, &outcome.or_else(|error| bridge::absent(&route, error))?)
        }
        (Verb::Do, Plan::Tell(text)) => Ok(reply::json(StatusCode::OK, text)),
        (Verb::Check | Verb::List, _) => Ok(reply::json(StatusCode::OK, Bytes::new())),
    }
}

fn render(route: &Route, outcome: &Outcome) -> Result<Reply, ApiError> {
    if let Outcome::Scan(report) = outcome
        && let Some(error) = bridge::failure(report)
    {
        return Err(ApiError::Gateway { subject: route.to_string(), error: error.clone().into() });
    }
    let mut reply = reply::json(StatusCode::OK, body::render(route, outcome)?);
    if let Outcome::Scan(report) = outcome {
        reply.headers_mut().extend(failed_buses(report));
    }
    Ok(reply)
}

/// The header field that says that a scan is not complete, and a warning in the log that says why.
fn failed_buses(report: &ScanReport) -> Option<(HeaderName, HeaderValue)> {
    for (bus, error) in &report.failures {
        tracing::warn!(bus, code = error.code, %error, "a bus is missing in the answer to a scan");
    }
    let names: Vec<&str> = report.failures.iter().map(|(bus, _)| bus.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    // A name that cannot stand in a header is still counted there.
    let value = HeaderValue::try_from(names.join(", "));
    Some((X_OPENDCRE_FAILED, value.unwrap_or_else(|_| HeaderValue::from(names.len()))))
}

/// Whether any header field says so. What is not known to be ours is another site.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let is_ours =
        |value: &HeaderValue| OUR_SITES.iter().any(|site| site.eq_ignore_ascii_case(value.as_bytes()));
    !headers.get_all(SEC_FETCH_SITE).iter().all(is_ours)
}
