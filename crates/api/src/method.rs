//! Which HTTP methods a path takes, and what each of them asks for.

use http::Method;

use crate::error::ApiError;

/// The methods that a path takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Methods {
    /// The path only tells.
    Read,
    /// The path also takes POST.
    ReadAndPost,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Do it, and answer with what came of it.
    Do,
    /// Only say whether the request is a valid one; touch no equipment.
    Check,
    /// Say which methods the path takes.
    List,
}

impl Methods {
    /// The value of an `Allow` header.
    pub(crate) const fn allow(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD, OPTIONS",
            Self::ReadAndPost => "GET, HEAD, POST, OPTIONS",
        }
    }

    /// What `method` asks for.
    pub(crate) fn verb(self, method: &Method) -> Result<Verb, ApiError> {
        match (method, self) {
            (&Method::GET, _) | (&Method::POST, Self::ReadAndPost) => Ok(Verb::Do),
            (&Method::HEAD, _) => Ok(Verb::Check),
            (&Method::OPTIONS, _) => Ok(Verb::List),
            _ => Err(ApiError::MethodNotAllowed(self)),
        }
    }
}
