//! API 1.1, as its clients have known it since release 1.1.1, with errors that say what is wrong.

mod body;
mod bridge;
pub mod path;
mod plan;
mod shape;

use http::StatusCode;
use http::request::Parts;
use hyper::body::Bytes;
use opendcre_gateway::{Gateway, Outcome};

use crate::api::Caller;
use crate::error::ApiError;
use crate::method::Verb;
use crate::reply::{self, Reply};
use crate::site;
use crate::v1::failed_buses;
use path::Route;
use plan::Plan;
use shape::Shape;

pub(crate) use shape::ROUTES;

/// Everything of this generation is below this path.
pub(crate) const BASE: &str = "/opendcre/1.1";

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
    if shape.is_control() && site::refuses(gateway, head, caller) {
        return Err(ApiError::CrossSite);
    }
    let route = shape.route()?;
    let plan = plan::plan(&route)?;
    let principal = caller.principal();
    let failed = |error| bridge::explain(&route, error);
    match (verb, plan) {
        (Verb::Do, Plan::Ask(command)) => {
            render(&route, &gateway.execute(&principal, command).await.map_err(failed)?)
        }
        (Verb::Do, Plan::ListBridge) => {
            let text = body::bridge_only(&gateway.view(principal).map_err(failed)?.boards())?;
            Ok(reply::json(StatusCode::OK, text))
        }
        (Verb::Do, Plan::Tell(text)) => Ok(reply::json(StatusCode::OK, text)),
        (Verb::Check | Verb::List, Plan::Ask(command)) => {
            gateway.authorise(&principal, &command).map_err(failed)?;
            Ok(reply::json(StatusCode::OK, Bytes::new()))
        }
        (Verb::Check | Verb::List, Plan::ListBridge) => {
            gateway.view(principal).map_err(failed)?;
            Ok(reply::json(StatusCode::OK, Bytes::new()))
        }
        (Verb::Check | Verb::List, Plan::Tell(_)) => Ok(reply::json(StatusCode::OK, Bytes::new())),
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
