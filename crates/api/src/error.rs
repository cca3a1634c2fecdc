//! Why a request fails, and the one place where that becomes a status, a code and a message.

use std::time::Duration;

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use opendcre_gateway::{CredentialError, GatewayError};
use opendcre_model::{BoardId, DeviceAddress, Fault};
use serde::Serialize;
use thiserror::Error;

use crate::entrance::Turned;
use crate::method::Methods;
use crate::reply::{self, Reply};
use crate::v1::refusal::Refusal;
use crate::v1_1::path::PathError;

/// When to come back to a service that is being restarted.
pub(crate) const RESTART: Duration = Duration::from_secs(5);

/// Why a request fails.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    #[error("there is nothing here; the API is below /opendcre/1.1, for example /opendcre/1.1/scan")]
    NotFound,
    #[error("this method is not possible here; use one of {}", .0.allow())]
    MethodNotAllowed(Methods),
    #[error("writing to devices is not part of API 1.1, except for asset information")]
    NotImplemented,
    #[error(
        "a page of another site sent this control request; send it from a program or a page of this site"
    )]
    CrossSite,
    #[error("the request body is longer than {0} bytes; send none, it is not used")]
    BodyTooLarge(usize),
    #[error("the request body is broken; send none, it is not used")]
    BodyBroken,
    #[error(
        "no answer within {} s; a change may still take effect, so read the state back before trying again",
        .0.as_secs()
    )]
    TimedOut(Duration),
    #[error("{0}")]
    Turned(Turned),
    #[error("{0}")]
    Path(PathError),
    #[error("{0}")]
    Refused(Refusal),
    #[error("{0} is no board: boards are numbered from 00000000 to 00ffffff; nothing was sent")]
    UnknownBoard(BoardId),
    #[error("there is no {0}: this board is the IPMI bridge, which has no such device; nothing was sent")]
    UnknownDevice(DeviceAddress),
    #[error("{subject}: {error}")]
    Gateway {
        /// What was asked.
        subject: String,
        error: GatewayError,
    },
    #[error("{subject}: {problem}")]
    Malformed {
        /// What was asked.
        subject: String,
        /// What is wrong with the answer of the equipment.
        problem: String,
    },
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

/// The body of every failure.
#[derive(Serialize)]
struct ErrorBody<'a> {
    message: &'a str,
    code: &'static str,
    http_code: u16,
}

impl ApiError {
    /// The stable machine-readable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NotImplemented => "not_implemented",
            Self::CrossSite => "cross_site",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::BodyBroken => "bad_body",
            Self::TimedOut(_) => "timeout",
            Self::Turned(turned) => turned.code().name,
            Self::Path(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::UnknownBoard(_) => "unknown_board",
            Self::UnknownDevice(_) => "unknown_device",
            Self::Gateway { error, .. } => error.code(),
            Self::Malformed { .. } => Fault::Malformed.code(),
            Self::Internal(_) => "internal",
        }
    }

    /// The status. The generations 1.x have always answered a failed operation with 500, whatever the reason.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::Path(PathError::NotFound) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Turned(turned) => turned.code().status,
            Self::Gateway { error, .. } => gateway_status(error),
            Self::Path(_)
            | Self::Refused(_)
            | Self::UnknownBoard(_)
            | Self::UnknownDevice(_)
            | Self::Malformed { .. }
            | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The header field that tells the client how to go on.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::MethodNotAllowed(methods) => Some((ALLOW, HeaderValue::from_static(methods.allow()))),
            Self::Gateway { error, .. } => {
                let seconds = whole_seconds(retry_after(error)?);
                Some((RETRY_AFTER, HeaderValue::from(seconds)))
            }
            _ => None,
        }
    }

    /// The answer.
    pub(crate) fn to_reply(&self) -> Reply {
        let body =
            ErrorBody { message: &self.to_string(), code: self.code(), http_code: self.status().as_u16() };
        // A body of three plain fields can always be written.
        let mut reply = reply::json(self.status(), reply::to_json(&body).unwrap_or_default());
        reply.headers_mut().extend(self.header());
        reply
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<PathError> for ApiError {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

const fn gateway_status(error: &GatewayError) -> StatusCode {
    match error {
        GatewayError::Forbidden { .. } => StatusCode::FORBIDDEN,
        GatewayError::Credential(CredentialError::Void { .. }) => StatusCode::UNAUTHORIZED,
        GatewayError::Credential(CredentialError::Unknown { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        GatewayError::AuditUnavailable(_) | GatewayError::AuditUnreadable(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ if retry_after(error).is_some() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// When it is worth asking again, where that is known. Nothing was sent in these cases.
const fn retry_after(error: &GatewayError) -> Option<Duration> {
    match error {
        GatewayError::ShuttingDown => Some(RESTART),
        _ => match error.fault() {
            Some(Fault::Busy { retry_after }) => Some(retry_after),
            _ => None,
        },
    }
}

/// Rounds up; at least one, because "at once" would not help.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    let started = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(started).max(1)
}

#[cfg(test)]
pub(crate) mod tests {
    use opendcre_gateway::{AuditError, LookupError};
    use opendcre_model::{DeviceId, DriverError};

    use super::*;
    use crate::v1::id::{self, BadId};

    const DEVICE: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(1) };

    /// What people look codes up in.
    pub(crate) const PAGE: &str = include_str!("../../../docs/status-codes.md");

    fn own_errors() -> Vec<ApiError> {
        vec![
            ApiError::NotFound,
            ApiError::MethodNotAllowed(Methods::Read),
            ApiError::NotImplemented,
            ApiError::CrossSite,
            ApiError::BodyTooLarge(1),
            ApiError::BodyBroken,
            ApiError::TimedOut(RESTART),
            ApiError::UnknownBoard(DEVICE.board),
            ApiError::UnknownDevice(DEVICE),
            ApiError::Malformed { subject: String::new(), problem: String::new() },
            ApiError::Internal(String::new()),
        ]
    }

    fn bad_id() -> BadId {
        id::board("x").unwrap_err()
    }

    fn refusals() -> Vec<Refusal> {
        let (board, text, candidates) = (DEVICE.board, String::new, Vec::new());
        vec![
            Refusal::Id(bad_id()),
            Refusal::Lookup(LookupError::Unknown(text())),
            Refusal::Lookup(LookupError::Ambiguous { name: text(), candidates: Vec::new() }),
            Refusal::NoBoard(board),
            Refusal::NoRack(text()),
            Refusal::NoDevice { board, device: text(), command: text() },
            Refusal::AmbiguousDevice { board, device: text(), candidates },
            Refusal::UnknownKind(text()),
            Refusal::UnknownWord { what: "", word: text(), choice: "" },
            Refusal::Unsupported { command: text(), by: "" },
        ]
    }

    fn path_errors() -> Vec<PathError> {
        let (text, device) = (String::new, DEVICE);
        vec![
            PathError::NotFound,
            PathError::Id(bad_id()),
            PathError::UnknownKind { text: text(), device },
            PathError::UnknownCommand { text: text(), device },
            PathError::NotPower { text: text(), device },
            PathError::NotAscii { device },
        ]
    }

    fn gateway_errors() -> Vec<GatewayError> {
        vec![
            GatewayError::UnknownBoard(DEVICE.board),
            GatewayError::UnknownDevice(DEVICE),
            GatewayError::AmbiguousBoard { board: DEVICE.board, buses: Vec::new() },
            GatewayError::Displaced(DEVICE.board),
            GatewayError::Forbidden { principal: String::new(), reason: "" },
            GatewayError::Credential(CredentialError::Void { reason: String::new() }),
            GatewayError::Credential(CredentialError::Unknown { reason: String::new() }),
            GatewayError::AuditUnavailable(AuditError::Overloaded),
            GatewayError::AuditUnreadable(AuditError::Closed),
            GatewayError::ShuttingDown,
        ]
    }

    fn driver_errors() -> impl Iterator<Item = GatewayError> {
        let faults = [
            Fault::Timeout,
            Fault::Corrupt,
            Fault::Refused,
            Fault::NotPermitted,
            Fault::Busy { retry_after: RESTART },
            Fault::Unsupported,
            Fault::Invalid,
            Fault::Malformed,
            Fault::Gone,
            Fault::Uncertain,
        ];
        faults.into_iter().map(|fault| DriverError::new(fault, "").into())
    }

    #[test]
    fn every_code_is_documented_with_its_status() {
        let gateway = gateway_errors().into_iter().chain(driver_errors());
        let gateway = gateway.map(|error| ApiError::Gateway { subject: String::new(), error });
        let path = path_errors().into_iter().map(ApiError::from);
        let refused = refusals().into_iter().map(ApiError::from);
        let errors = own_errors().into_iter().chain(path).chain(refused).chain(gateway);
        let errors = errors.map(|error| (error.status(), error.code()));
        let not_ready = (StatusCode::SERVICE_UNAVAILABLE, "not_ready");
        let mut missing: Vec<_> = errors.chain([not_ready]).collect();
        missing.retain(|(status, code)| !PAGE.lines().any(|row| documents(row, *status, code)));
        assert_eq!(missing, [], "add these to docs/status-codes.md");
    }

    /// Whether a row of the table, `| statuses | codes | …`, holds the status and the code.
    pub(crate) fn documents(row: &str, status: StatusCode, code: &str) -> bool {
        let mut cells = row.split('|').skip(1);
        let statuses = cells.next().unwrap_or_default();
        let codes = cells.next().unwrap_or_default();
        statuses.contains(status.as_str()) && codes.contains(&format!("`{code}`"))
    }

    #[test]
    fn waiting_times_are_whole_seconds_and_never_none() {
        for (milliseconds, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (2500, 3)] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds);
        }
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
