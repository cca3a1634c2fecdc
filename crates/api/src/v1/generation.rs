//! API 1.2 and API 1.3: where they are, what they call themselves, and in which form they fail.

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::request::Request;
use crate::error::ApiError;
use crate::reply::{self, Reply};
use crate::{v1_2, v1_3};

/// The stable machine-readable code of a failure, for which the bodies of these generations have no room.
const X_OPENDCRE_CODE: HeaderName = HeaderName::from_static("x-opendcre-code");

/// A generation that is served by this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// API 1.2.
    V1_2,
    /// API 1.3.
    V1_3,
}

/// The body of every failure.
#[derive(Serialize)]
struct ErrorBody<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_code: Option<u16>,
}

impl Generation {
    /// The generation to which a decoded path belongs, and the rest of that path.
    pub(crate) fn of(path: &str) -> Option<(Self, &str)> {
        [Self::V1_2, Self::V1_3].into_iter().find_map(|generation| {
            let rest = path.strip_prefix(generation.base())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((generation, rest))
        })
    }

    /// Everything of this generation is below this path.
    const fn base(self) -> &'static str {
        match self {
            Self::V1_2 => v1_2::BASE,
            Self::V1_3 => v1_3::BASE,
        }
    }

    /// What `path`, without the base, asks for.
    pub(super) fn request(self, path: &str) -> Result<Request<'_>, ApiError> {
        let request = match self {
            Self::V1_2 => v1_2::request(path),
            Self::V1_3 => v1_3::request(path),
        };
        request.ok_or(ApiError::NotFound)
    }

    /// The version of the API, as it says it.
    pub(crate) const fn api_version(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }

    /// The release of the original with which this generation is compatible.
    pub(super) const fn release(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2.0",
            Self::V1_3 => "1.3.0",
        }
    }

    /// The answer that tells why a request failed.
    pub(crate) fn failure(self, error: &ApiError) -> Reply {
        let status = error.status();
        let body = ErrorBody {
            message: &self.message(error),
            http_code: (self == Self::V1_3).then_some(status.as_u16()),
        };
        // A body of two plain fields can always be written.
        let mut reply = reply::json(status, reply::to_json(&body).unwrap_or_default());
        reply.headers_mut().insert(X_OPENDCRE_CODE, HeaderValue::from_static(error.code()));
        reply.headers_mut().extend(error.header());
        reply
    }

    /// API 1.2 has but the name of the status where no operation was attempted.
    fn message(self, error: &ApiError) -> String {
        let (status, version) = (error.status(), self.api_version());
        match (self, status) {
            // The text of a status has its code and its name.
            (Self::V1_2, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => {
                format!("{}: {}", status.as_u16(), status.canonical_reason().unwrap_or_default())
            }
            (Self::V1_3, StatusCode::NOT_FOUND) => {
                format!("there is no such path in API {version}; see {}/scan for what is there", self.base())
            }
            _ => error.to_string(),
        }
    }
}
