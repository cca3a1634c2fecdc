//! Why a client command did not succeed.

use std::io;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use crate::exit::Exit;

use super::http::ServerUrlError;

/// Every way in which a client command fails.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// The `--server` option is of no use.
    #[error(transparent)]
    Server(#[from] ServerUrlError),
    /// No connection, or it broke before the answer was complete.
    #[error("cannot reach {server}: {reason}; is the server running there?")]
    Unreachable {
        /// The server as it was addressed.
        server: String,
        /// What the operating system says.
        reason: String,
    },
    /// The time for the answer has passed.
    #[error(
        "no answer from {server} within {after:?}; what was asked may still happen, so check before \
         repeating it, or allow more time with --timeout"
    )]
    NoAnswer {
        /// The server as it was addressed.
        server: String,
        /// How long the client waited.
        after: Duration,
    },
    /// The server answered with an error status.
    #[error("{message} ({}HTTP {status})", code.as_ref().map(|code| format!("{code}, ")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's machine-readable code, where it sends one.
        code: Option<String>,
        /// The server's message, or a substitute for it.
        message: String,
    },
    /// The server answered with something that is not of this API.
    #[error("the answer is not one of an OpenDCRE server: {0}")]
    Malformed(String),
    /// The answer cannot be printed.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// The process has no resources left.
    #[error("cannot prepare to talk to the server: {0}")]
    Runtime(io::Error),
}

/// An error as `-o json` prints it: the keys of the API's own error bodies.
#[derive(Debug, Serialize)]
pub(super) struct ErrorBody<'a> {
    message: String,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_code: Option<u16>,
}

impl ClientError {
    /// How a command that failed in this way ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Server(_) => Exit::Usage,
            Self::Unreachable { .. } | Self::NoAnswer { .. } => Exit::Unreachable,
            Self::Refused { status: 503, .. } => Exit::Busy,
            // Whoever closed the pipe, as `head` does, has read all that was wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Refused { .. } | Self::Malformed(_) | Self::Output(_) | Self::Runtime(_) => Exit::Failed,
        }
    }

    /// The error for programs.
    pub(super) fn body(&self) -> ErrorBody<'_> {
        match self {
            Self::Refused { status, code, message } => ErrorBody {
                message: message.clone(),
                code: code.as_deref().unwrap_or("refused"),
                http_code: Some(*status),
            },
            _ => ErrorBody { message: self.to_string(), code: self.local_code(), http_code: None },
        }
    }

    /// The code of an error that the client itself found.
    fn local_code(&self) -> &'static str {
        match self {
            Self::Server(_) => "usage",
            Self::Unreachable { .. } => "unreachable",
            Self::NoAnswer { .. } => "no_answer",
            Self::Refused { .. } => "refused",
            Self::Malformed(_) => "malformed_answer",
            Self::Output(_) | Self::Runtime(_) => "io",
        }
    }
}
