//! What a supervisor asks: is the process alive, and can it reach its equipment?

use http::StatusCode;
use http::request::Parts;
use hyper::body::Bytes;
use opendcre_gateway::{Gateway, Readiness};
use serde::Serialize;

use crate::error::ApiError;
use crate::method::{Methods, Verb};
use crate::reply::{self, Reply};

/// The answer of `/readyz` when something is missing.
#[derive(Serialize)]
struct NotReady {
    message: String,
    code: &'static str,
    http_code: u16,
    drivers: Vec<Unusable>,
}

/// A driver that cannot be used.
#[derive(Serialize)]
struct Unusable {
    name: String,
    code: &'static str,
    message: String,
}

/// `/healthz`: who can read this answer knows the answer.
pub(crate) fn health(head: &Parts) -> Result<Reply, ApiError> {
    match Methods::Read.verb(&head.method)? {
        Verb::List => Ok(reply::allow(Methods::Read)),
        Verb::Do | Verb::Check => Ok(ok()),
    }
}

/// `/readyz`: whether every driver can be used. Touches no equipment.
pub(crate) fn readiness(head: &Parts, gateway: &Gateway) -> Result<Reply, ApiError> {
    if Methods::Read.verb(&head.method)? == Verb::List {
        return Ok(reply::allow(Methods::Read));
    }
    let readiness = gateway.readiness();
    if readiness.is_ready() {
        return Ok(ok());
    }
    let text = reply::to_json(&NotReady::from(readiness))?;
    Ok(reply::json(StatusCode::SERVICE_UNAVAILABLE, text))
}

fn ok() -> Reply {
    reply::json(StatusCode::OK, Bytes::from_static(br#"{"status":"ok"}"#))
}

impl From<Readiness> for NotReady {
    fn from(readiness: Readiness) -> Self {
        let drivers = readiness.unusable.into_iter().map(|(name, error)| Unusable {
            name,
            code: error.fault.code(),
            message: error.message,
        });
        let drivers: Vec<Unusable> = drivers.collect();
        let names: Vec<&str> = drivers.iter().map(|driver| driver.name.as_str()).collect();
        let message = if readiness.shutting_down {
            "the service is shutting down".to_owned()
        } else {
            format!("not usable: {}; see drivers for the reasons", names.join(", "))
        };
        Self { message, code: "not_ready", http_code: StatusCode::SERVICE_UNAVAILABLE.as_u16(), drivers }
    }
}
