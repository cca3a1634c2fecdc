//! What is asked of the service as a whole: is the process alive, can it reach its equipment, what does it speak?

use http::StatusCode;
use http::request::Parts;
use hyper::body::Bytes;
use opendcre_gateway::{Defect, Gateway, Principal, Readiness};
use opendcre_model::DriverError;
use serde::Serialize;

use crate::error::ApiError;
use crate::method::{Methods, Verb};
use crate::metrics;
use crate::reply::{self, Reply};
use crate::v1_3;

/// What is asked at a path that belongs to no generation of the API.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Probe {
    Health,
    Readiness,
    Version,
    Metrics,
    DeviceMetrics,
}

/// The paths that belong to no generation. There are no others.
pub(crate) const ROUTES: [(&str, Probe); 5] = [
    ("/healthz", Probe::Health),
    ("/readyz", Probe::Readiness),
    (v1_3::VERSION, Probe::Version),
    (metrics::SERVICE, Probe::Metrics),
    (metrics::DEVICES, Probe::DeviceMetrics),
];

/// The answer of `/readyz` for those who may not look at anything.
#[derive(Serialize)]
struct Bare {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
    /// What is emulated is no secret: nobody shall take it for real.
    mode: &'static str,
}

#[derive(Serialize)]
struct Refusal {
    message: &'static str,
    code: &'static str,
    http_code: u16,
}

/// The answer of `/readyz` when every driver can be used.
#[derive(Serialize)]
struct Ready<'a> {
    /// `ok`, or `degraded` when something that is configured is not served at all.
    status: &'static str,
    mode: &'static str,
    drivers: Vec<Part<'a>>,
    defects: Vec<Part<'a>>,
}

/// The answer of `/readyz` when something is missing.
#[derive(Serialize)]
struct NotReady<'a> {
    message: String,
    code: &'static str,
    http_code: u16,
    mode: &'static str,
    drivers: Vec<Part<'a>>,
    defects: Vec<Part<'a>>,
}

/// How one part of the service is.
#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Probe {
    /// What a request for `path`, decoded, asks for. Nothing if there is no such route.
    pub(crate) fn at(path: &str) -> Option<Self> {
        ROUTES.into_iter().find_map(|(route, probe)| (route == path).then_some(probe))
    }
}

/// `/healthz`: who can read this answer knows the answer.
pub(crate) fn health(head: &Parts) -> Result<Reply, ApiError> {
    match Methods::Read.verb(&head.method)? {
        Verb::List => Ok(reply::allow(Methods::Read)),
        Verb::Do | Verb::Check => Ok(ok()),
    }
}

/// `/readyz`: whether every driver can be used. Touches no equipment. Everybody may ask; what exactly is wrong with what
/// only those are told who may look at something.
pub(crate) fn readiness(head: &Parts, gateway: &Gateway, asking: &Principal) -> Result<Reply, ApiError> {
    if Methods::Read.verb(&head.method)? == Verb::List {
        return Ok(reply::allow(Methods::Read));
    }
    let readiness = gateway.readiness();
    if !gateway.may_look(asking) {
        return bare(&readiness);
    }
    let drivers = readiness.drivers.iter().map(driver).collect();
    let defects = readiness.defects.iter().map(defect).collect();
    let mode = readiness.mode.name();
    if readiness.is_ready() {
        let ready = Ready { status: status(&readiness), mode, drivers, defects };
        return Ok(reply::json(StatusCode::OK, reply::to_json(&ready)?));
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let (message, http_code) = (missing(&readiness), status.as_u16());
    let text = reply::to_json(&NotReady { message, code: "not_ready", http_code, mode, drivers, defects })?;
    Ok(reply::json(status, text))
}

/// Whether the service is ready, and no more.
fn bare(readiness: &Readiness) -> Result<Reply, ApiError> {
    let mode = readiness.mode.name();
    if readiness.is_ready() {
        let bare = Bare { status: Some(status(readiness)), refusal: None, mode };
        return Ok(reply::json(StatusCode::OK, reply::to_json(&bare)?));
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let message = "not every driver can be used";
    let refusal = Refusal { message, code: "not_ready", http_code: status.as_u16() };
    let bare = Bare { status: None, refusal: Some(refusal), mode };
    Ok(reply::json(status, reply::to_json(&bare)?))
}

/// How a service is that is ready.
fn status(readiness: &Readiness) -> &'static str {
    if readiness.defects.is_empty() { "ok" } else { "degraded" }
}

fn ok() -> Reply {
    reply::json(StatusCode::OK, Bytes::from_static(br#"{"status":"ok"}"#))
}

fn driver((name, health): &(String, Result<(), DriverError>)) -> Part<'_> {
    match health {
        Ok(()) => Part { name, code: "ok", message: None },
        Err(error) => Part { name, code: error.code, message: Some(&error.message) },
    }
}

fn defect(defect: &Defect) -> Part<'_> {
    Part { name: &defect.name, code: defect.code, message: Some(&defect.message) }
}

/// What keeps the service from being ready, in one sentence.
fn missing(readiness: &Readiness) -> String {
    if readiness.shutting_down {
        return "the service is shutting down".to_owned();
    }
    let unusable = readiness.drivers.iter().filter(|(_, health)| health.is_err());
    let names: Vec<&str> = unusable.map(|(name, _)| name.as_str()).collect();
    format!("not usable: {}; see drivers for the reasons", names.join(", "))
}
