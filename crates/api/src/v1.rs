//! What the generations 1.x of the API have in common, and the way of a request through 1.2 and 1.3: these two differ
//! in their paths (`v1_2`, `v1_3`) and in a few keys, so that one plan and one set of bodies serve both.
//!
//! It decides nothing about equipment: what cannot be asked for is refused here, everything else is a command for the
//! gateway.

mod body;
mod call;
mod generation;
pub(crate) mod id;
pub(crate) mod number;
mod plan;
pub(crate) mod power;
mod reading;
pub(crate) mod refusal;
pub(crate) mod request;
mod scan;
mod target;

use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::body::Bytes;
use opendcre_gateway::{Gateway, ScanReport};

use crate::api::Caller;
use crate::error::ApiError;
use crate::method::Verb;
use crate::reply::{self, Reply};
use crate::site;
use call::Call;
use request::Request;

pub(crate) use generation::Generation;

/// Names the buses that are missing in the answer to a scan, which has no room for them in its body.
const X_OPENDCRE_FAILED: HeaderName = HeaderName::from_static("x-opendcre-failed");

/// The answer to whoever asks whether the service is there, whoever that is.
const ALIVE: &[u8] = br#"{"status":"ok"}"#;

/// Answers a request for `path`, which is what follows the base of `generation`, decoded.
///
/// The method is judged before the values in the path: a path takes its methods whatever its values are.
pub(crate) async fn answer(
    generation: Generation,
    gateway: &Gateway,
    head: &Parts,
    path: &str,
    caller: Caller<'_>,
) -> Result<Reply, ApiError> {
    let request = generation.request(path)?;
    let verb = request.methods().verb(&head.method)?;
    if verb == Verb::List {
        return Ok(reply::allow(request.methods()));
    }
    if request.is_control() && site::refuses(gateway, head, caller) {
        return Err(ApiError::CrossSite);
    }
    if matches!(request, Request::Test) {
        let text = if verb == Verb::Check { Bytes::new() } else { Bytes::from_static(ALIVE) };
        return Ok(reply::json(StatusCode::OK, text));
    }
    let refused = |error| ApiError::Gateway { subject: request.to_string(), error };
    let view = gateway.view(caller.principal()).map_err(refused)?;
    let plan = plan::plan(generation, &view, &request)?;
    if verb == Verb::Check {
        if let Some(command) = plan.command() {
            gateway.authorise(view.principal(), command).map_err(refused)?;
        }
        return Ok(reply::json(StatusCode::OK, Bytes::new()));
    }
    Call { generation, gateway, view, request }.answer(plan).await
}

/// The header field that says that a scan is not complete, and a warning in the log that says why.
pub(crate) fn failed_buses(report: &ScanReport) -> Option<(HeaderName, HeaderValue)> {
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
