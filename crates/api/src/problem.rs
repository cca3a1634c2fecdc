//! Why a request of API 2 fails, as its clients are told: problem documents (RFC 9457) with stable codes.
//!
//! Every code has one status, wherever it comes from. Equipment may fail with more exact codes than those listed here;
//! they have the status of their class.

use std::time::Duration;

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use hyper::body::Bytes;
use opendcre_gateway::{CredentialError, GatewayError, HistoryError, LookupError, RangeError, SubmitError};
use opendcre_model::Fault;
use schemars::JsonSchema;
use serde::Serialize;

use crate::entrance::Turned;
use crate::error::{RESTART, whole_seconds};
use crate::reply::{self, Reply};
use crate::request_id::RequestId;

/// The media type of a problem document.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A stable code, and the status that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
}

macro_rules! codes {
    ($($constant:ident = $name:literal, $status:ident;)+) => {
        impl Code {
            $(pub(crate) const $constant: Self = Self { name: $name, status: StatusCode::$status };)+

            /// Every code that is not one of the equipment.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$constant),+];
        }
    };
}

codes! {
    BAD_BODY = "bad_body", BAD_REQUEST;
    BAD_CURSOR = "bad_cursor", UNPROCESSABLE_ENTITY;
    CONTRADICTION = "contradiction", UNPROCESSABLE_ENTITY;
    BAD_JSON = "bad_json", BAD_REQUEST;
    BAD_PARAMETER = "bad_parameter", BAD_REQUEST;
    BAD_RANGE = "bad_range", UNPROCESSABLE_ENTITY;
    BAD_VALUE = "bad_value", BAD_REQUEST;
    EMPTY_RANGE = "empty_range", UNPROCESSABLE_ENTITY;
    RANGE_TOO_LARGE = "range_too_large", UNPROCESSABLE_ENTITY;
    TOO_DEEP = "too_deep", BAD_REQUEST;
    UNKNOWN_FIELD = "unknown_field", BAD_REQUEST;
    UNKNOWN_PARAMETER = "unknown_parameter", BAD_REQUEST;
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED;
    CREDENTIAL_REVOKED = "credential_revoked", UNAUTHORIZED;
    CROSS_SITE = "cross_site", FORBIDDEN;
    FORBIDDEN = "forbidden", FORBIDDEN;
    NOT_FOUND = "not_found", NOT_FOUND;
    NOT_KEPT = "not_kept", NOT_FOUND;
    UNKNOWN_BOARD = "unknown_board", NOT_FOUND;
    UNKNOWN_DEVICE = "unknown_device", NOT_FOUND;
    UNKNOWN_GROUP = "unknown_group", NOT_FOUND;
    UNKNOWN_JOB = "unknown_job", NOT_FOUND;
    UNKNOWN_NAME = "unknown_name", NOT_FOUND;
    UNKNOWN_RACK = "unknown_rack", NOT_FOUND;
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED;
    AMBIGUOUS_BOARD = "ambiguous_board", CONFLICT;
    AMBIGUOUS_DEVICE = "ambiguous_device", CONFLICT;
    AMBIGUOUS_NAME = "ambiguous_name", CONFLICT;
    DISPLACED = "displaced", CONFLICT;
    NOT_MISSING = "not_missing", CONFLICT;
    REFUSED = "refused", CONFLICT;
    GONE_CURSOR = "gone_cursor", GONE;
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE;
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE;
    WRONG_HOST = "wrong_host", MISDIRECTED_REQUEST;
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch", UNPROCESSABLE_ENTITY;
    TOO_MANY_POINTS = "too_many_points", UNPROCESSABLE_ENTITY;
    TOO_MANY_TARGETS = "too_many_targets", UNPROCESSABLE_ENTITY;
    INVALID = "invalid", UNPROCESSABLE_ENTITY;
    UNSUPPORTED = "unsupported", UNPROCESSABLE_ENTITY;
    LOCKED = "locked", TOO_MANY_REQUESTS;
    RATE_LIMITED = "rate_limited", TOO_MANY_REQUESTS;
    TOO_MANY_STREAMS = "too_many_streams", TOO_MANY_REQUESTS;
    INTERNAL = "internal", INTERNAL_SERVER_ERROR;
    CORRUPT = "corrupt", BAD_GATEWAY;
    GONE = "gone", BAD_GATEWAY;
    MALFORMED = "malformed", BAD_GATEWAY;
    NOT_PERMITTED = "not_permitted", BAD_GATEWAY;
    UNCERTAIN = "uncertain", BAD_GATEWAY;
    AUTH_UNAVAILABLE = "auth_unavailable", SERVICE_UNAVAILABLE;
    AUDIT_UNAVAILABLE = "audit_unavailable", SERVICE_UNAVAILABLE;
    BUSY = "busy", SERVICE_UNAVAILABLE;
    EVENTS_UNAVAILABLE = "events_unavailable", SERVICE_UNAVAILABLE;
    HISTORY_UNAVAILABLE = "history_unavailable", SERVICE_UNAVAILABLE;
    SHUTTING_DOWN = "shutting_down", SERVICE_UNAVAILABLE;
    STORE_UNAVAILABLE = "store_unavailable", SERVICE_UNAVAILABLE;
    TIMEOUT = "timeout", GATEWAY_TIMEOUT;
}

/// Why a request fails.
#[derive(Debug)]
pub(crate) struct Problem(Box<Content>);

#[derive(Debug)]
struct Content {
    code: Code,
    detail: String,
    place: Place,
    candidates: Vec<String>,
    retry_after: Option<Duration>,
    /// The methods that the path takes, for an `Allow` header.
    allow: Option<&'static str>,
}

/// Where in the request the problem is.
#[derive(Debug, Default)]
struct Place {
    parameter: Option<String>,
    pointer: Option<String>,
    position: Option<usize>,
}

/// A problem document (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemBody<'a> {
    /// `urn:opendcre:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The code in words.
    title: String,
    /// The status of the answer.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What exactly is wrong, and what to do: one sentence for people, which may change.
    detail: &'a str,
    /// The code for programs, which stays.
    code: &'a str,
    /// The name of this request in the logs, which is also in the header `X-Request-Id`.
    request_id: &'a str,
    /// The query parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    /// The member of the body that is wrong, as a JSON pointer (RFC 6901); empty for the body itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    /// Where the mistake is, in characters from 0: in the value of the parameter, in the query if the parameter is not
    /// known, or in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    /// What an ambiguous name may mean, or what may stand in the place of a mistake.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    candidates: &'a [String],
    /// When it is worth asking again, in seconds; also in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem with this code; `detail` is one sentence without a trailing stop.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Content {
            code,
            detail: detail.into(),
            place: Place::default(),
            candidates: Vec::new(),
            retry_after: None,
            allow: None,
        }))
    }

    /// No route leads anywhere from this path.
    pub(crate) fn not_found() -> Self {
        Self::new(Code::NOT_FOUND, "there is nothing here; GET /opendcre/2/ shows what there is")
    }

    /// The path takes other methods.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("this method is not possible here; use one of {allow}");
        let mut problem = Self::new(Code::METHOD_NOT_ALLOWED, detail);
        problem.0.allow = Some(allow);
        problem
    }

    /// The answer took longer than `limit`.
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::new(Code::TIMEOUT, format!("no answer within {} s; ask for less at a time", limit.as_secs()))
    }

    /// Something in this program is wrong.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(Code::INTERNAL, format!("internal error: {error}; please report it"))
    }

    /// The problem is in the query parameter `name`.
    #[must_use]
    pub(crate) fn in_parameter(mut self, name: &str) -> Self {
        self.0.place.parameter = Some(name.to_owned());
        self
    }

    /// The problem is in this member of the body, a JSON pointer.
    #[must_use]
    pub(crate) fn in_member(mut self, pointer: &str) -> Self {
        self.0.place.pointer = Some(pointer.to_owned());
        self
    }

    /// The problem is at this character of the parameter or the body.
    #[must_use]
    pub(crate) fn at(mut self, position: usize) -> Self {
        self.0.place.position = Some(position);
        self
    }

    /// It is worth asking again after so much time.
    #[must_use]
    pub(crate) fn retried_after(mut self, time: Duration) -> Self {
        self.0.retry_after = Some(time);
        self
    }

    /// What may be meant.
    #[must_use]
    pub(crate) fn with_candidates(mut self, candidates: Vec<String>) -> Self {
        self.0.candidates = candidates;
        self
    }

    /// The same problem with so many things, some of which are named.
    #[must_use]
    pub(crate) fn of_several(mut self, count: usize, names: Vec<String>) -> Self {
        self.0.detail = format!("{} – the same goes for {} more", self.0.detail, count.saturating_sub(1));
        self.0.candidates = names;
        self
    }

    /// The stable machine-readable code.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code.name
    }

    /// The sentence for people.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The member of the body in which it is.
    #[cfg(test)]
    pub(crate) fn pointer(&self) -> Option<&str> {
        self.0.place.pointer.as_deref()
    }

    /// The answer to the request that is called `request_id`.
    pub(crate) fn to_reply(&self, request_id: &RequestId) -> Reply {
        let Content { code, detail, place, candidates, retry_after, allow } = &*self.0;
        let retry_after_s = retry_after.map(whole_seconds);
        let body = ProblemBody {
            kind: format!("urn:opendcre:problem:{}", code.name),
            title: code.name.replace('_', " "),
            status: code.status.as_u16(),
            detail,
            code: code.name,
            request_id: request_id.as_str(),
            parameter: place.parameter.as_deref(),
            pointer: place.pointer.as_deref(),
            position: place.position,
            candidates,
            retry_after_s,
        };
        // A body of plain fields can always be written.
        let text: Bytes = serde_json::to_vec(&body).unwrap_or_default().into();
        let mut reply = reply::of_type(MEDIA_TYPE, code.status, text.into());
        reply.headers_mut().extend(retry_after_s.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        reply.headers_mut().extend(allow.map(|allow| (ALLOW, HeaderValue::from_static(allow))));
        reply
    }
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        let code = Code { name: error.code(), status: class(&error).status };
        let mut problem = Self::new(code, error.to_string());
        problem.0.retry_after = match (&error, error.fault()) {
            (GatewayError::ShuttingDown, _) => Some(RESTART),
            (_, Some(Fault::Busy { retry_after })) => Some(retry_after),
            _ => None,
        };
        if let GatewayError::AmbiguousBoard { buses, .. } = error {
            problem.0.candidates = buses;
        }
        problem
    }
}

impl From<&Turned> for Problem {
    fn from(turned: &Turned) -> Self {
        let mut problem = Self::new(turned.code(), turned.to_string());
        problem.0.retry_after = turned.retry_after();
        problem
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let (code, retry_after) = match &error {
            SubmitError::Forbidden { .. } => (Code::FORBIDDEN, None),
            SubmitError::Unsupported(_) => (Code::UNSUPPORTED, None),
            SubmitError::UnknownBoard(_) => (Code::UNKNOWN_BOARD, None),
            SubmitError::UnknownDevice(_) => (Code::UNKNOWN_DEVICE, None),
            SubmitError::IdempotencyMismatch { .. } => (Code::IDEMPOTENCY_MISMATCH, None),
            SubmitError::StoreUnavailable(_) => (Code::STORE_UNAVAILABLE, None),
            SubmitError::Busy { retry_after, .. } => (Code::BUSY, Some(*retry_after)),
            SubmitError::TooManyTargets { .. } => (Code::TOO_MANY_TARGETS, None),
            SubmitError::ShuttingDown => (Code::SHUTTING_DOWN, Some(RESTART)),
        };
        let mut problem = Self::new(code, error.to_string());
        problem.0.retry_after = retry_after;
        problem
    }
}

impl From<LookupError> for Problem {
    fn from(error: LookupError) -> Self {
        let code = match &error {
            LookupError::Unknown(_) => Code::UNKNOWN_BOARD,
            LookupError::Ambiguous { .. } => Code::AMBIGUOUS_NAME,
        };
        Self::new(code, error.to_string()).with_candidates(error.candidates().to_vec())
    }
}

impl From<RangeError> for Problem {
    fn from(error: RangeError) -> Self {
        let code = match error.code() {
            "unknown_name" => Code::UNKNOWN_NAME,
            "ambiguous_name" => Code::AMBIGUOUS_NAME,
            "empty_range" => Code::EMPTY_RANGE,
            "range_too_large" => Code::RANGE_TOO_LARGE,
            _ => Code::BAD_RANGE,
        };
        let problem = Self::new(code, error.to_string()).at(error.position());
        problem.with_candidates(error.candidates().to_vec())
    }
}

/// The code whose status an error has.
fn class(error: &GatewayError) -> Code {
    match error {
        GatewayError::UnknownBoard(_) => Code::UNKNOWN_BOARD,
        GatewayError::UnknownDevice(_) => Code::UNKNOWN_DEVICE,
        GatewayError::AmbiguousBoard { .. } => Code::AMBIGUOUS_BOARD,
        GatewayError::Displaced(_) => Code::DISPLACED,
        GatewayError::NotMissing(..) => Code::NOT_MISSING,
        GatewayError::Forbidden { .. } => Code::FORBIDDEN,
        GatewayError::Credential(CredentialError::Void { .. }) => Code::CREDENTIAL_REVOKED,
        GatewayError::Credential(CredentialError::Unknown { .. }) => Code::AUTH_UNAVAILABLE,
        GatewayError::AuditUnavailable(_) | GatewayError::AuditUnreadable(_) => Code::AUDIT_UNAVAILABLE,
        GatewayError::NotKept(_) => Code::NOT_KEPT,
        GatewayError::HistoryUnreadable(HistoryError::TooMuch { .. }) => Code::TOO_MANY_POINTS,
        GatewayError::HistoryUnreadable(_) => Code::HISTORY_UNAVAILABLE,
        GatewayError::EventsUnreadable(_) => Code::EVENTS_UNAVAILABLE,
        GatewayError::ShuttingDown => Code::SHUTTING_DOWN,
        GatewayError::Driver(error) if error.code == Code::UNKNOWN_DEVICE.name => Code::UNKNOWN_DEVICE,
        GatewayError::Driver(error) => of_fault(error.fault),
    }
}

/// The code of a class of failures of equipment.
const fn of_fault(fault: Fault) -> Code {
    match fault {
        Fault::Timeout => Code::TIMEOUT,
        Fault::Corrupt => Code::CORRUPT,
        Fault::Refused => Code::REFUSED,
        Fault::NotPermitted => Code::NOT_PERMITTED,
        Fault::Busy { .. } => Code::BUSY,
        Fault::Unsupported => Code::UNSUPPORTED,
        Fault::Invalid => Code::INVALID,
        Fault::Malformed => Code::MALFORMED,
        Fault::Gone => Code::GONE,
        Fault::Uncertain => Code::UNCERTAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::tests::{PAGE, documents};

    #[test]
    fn every_code_is_documented_with_its_status() {
        let (_, section) = PAGE.split_once("\n## API 2\n").unwrap();
        let is_missing = |code: &&Code| !section.lines().any(|row| documents(row, code.status, code.name));
        let missing: Vec<&Code> = Code::ALL.iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "add these to docs/status-codes.md: {missing:#?}");
    }
}
