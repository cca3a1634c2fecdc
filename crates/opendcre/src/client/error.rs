//! Why a client command did not succeed.

use std::io;
use std::time::Duration;

use opendcre_model::DeviceKind;
use serde::Serialize;
use thiserror::Error;

use crate::exit::Exit;

use super::credential::CredentialError;
use super::problem::{Problem, ProblemBody};
use super::server_url::ServerUrlError;
use super::tls::{TlsError, Untrusted};
use crate::login::LoginError;

/// Every way in which a client command fails.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// The `--server` option is of no use.
    #[error(transparent)]
    Server(#[from] ServerUrlError),
    /// There is no connection; nothing was sent.
    #[error("cannot reach {server}: {reason}; is the server running there?")]
    Unreachable {
        /// The server as it was addressed.
        server: String,
        /// What the operating system says.
        reason: String,
    },
    /// The server is not who it should be, or nobody knows who it is.
    #[error(
        "{server} is not trusted: {untrusted}; if the server says the same at its start, use --fingerprint with it, \
         or name its authority with --ca-file"
    )]
    Untrusted {
        /// The server as it was addressed.
        server: String,
        /// Its certificate.
        untrusted: Untrusted,
    },
    /// Something answers, but not in TLS.
    #[error("{server} does not speak TLS there; check the port, or use an http URL if that is meant")]
    NoTls {
        /// The server as it was addressed.
        server: String,
    },
    /// Something answers that wants to hear nothing but TLS.
    #[error(
        "{server} speaks TLS only; use {}, and unless a known authority vouches for it, --fingerprint with what the server \
         says at its start",
        server.replacen("http://", "https://", 1)
    )]
    TlsOnly {
        /// The server as it was addressed.
        server: String,
    },
    /// The two cannot agree on TLS.
    #[error(
        "{server} ends TLS: {reason}; if it wants a certificate, use --client-certificate and --client-key"
    )]
    Tls {
        /// The server as it was addressed.
        server: String,
        /// What TLS says.
        reason: String,
    },
    /// The options for TLS are of no use.
    #[error(transparent)]
    TlsOptions(#[from] TlsError),
    /// Nothing shows who asks.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The connection broke before the answer was complete.
    #[error("the connection to {server} was lost: {reason}")]
    Lost {
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
    #[error("{} ({}HTTP {status})", problem.told(), code_and_comma(problem))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server says.
        problem: Box<Problem>,
    },
    /// The server answered with something that is not of this API.
    #[error("the answer is not one of an OpenDCRE server: {0}")]
    Malformed(String),
    /// There is nothing of this kind to read.
    #[error(
        "none of these boards has a device of kind {0} that can be read; `opendcre scan BOARD` shows its devices"
    )]
    NoSuchKind(DeviceKind),
    /// There is nobody to ask, and nobody has said yes.
    #[error(
        "this would {action} {count} boards: {boards}; nothing was changed, repeat it with --yes if that is meant"
    )]
    Unconfirmed {
        /// What would be done, such as `forget` or `switch power off on`.
        action: String,
        /// On how many boards.
        count: usize,
        /// Their names, folded.
        boards: String,
    },
    /// Somebody was asked and did not say yes.
    #[error("not confirmed; nothing was changed")]
    Declined,
    /// What was confirmed cannot be named exactly.
    #[error(
        "the ids of these {0} boards do not fit into one request; divide the node range; nothing was changed"
    )]
    TooScattered(usize),
    /// An order was sent, and it is not known whether the server has taken it up.
    #[error(
        "{reason}; it is not known whether the server has taken up the order: look for it with `opendcre jobs` \
         before repeating it"
    )]
    OrderLost {
        /// Why there is no answer.
        reason: Box<ClientError>,
    },
    /// A job was taken up, and the server cannot be asked any more how it goes.
    #[error("{reason}; job {job} may go on: ask for it with `opendcre jobs {job}`")]
    JobLost {
        /// The id of the job.
        job: String,
        /// Why there is no answer.
        reason: Box<ClientError>,
    },
    /// Ctrl-C before the server has answered an order.
    #[error(
        "interrupted before the server had answered; look with `opendcre jobs` whether it has taken up the order"
    )]
    Interrupted,
    /// The answer cannot be printed.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// The process has no resources left.
    #[error("cannot prepare to talk to the server: {0}")]
    Runtime(io::Error),
}

/// An error as `-o json` prints it: the keys of the API's own error bodies.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ErrorBody<'a> {
    /// One of the server.
    Problem(ProblemBody<'a>),
    /// One that the client itself found.
    Local {
        /// For people.
        message: String,
        /// For programs.
        code: &'static str,
    },
}

impl ClientError {
    /// How a command that failed in this way ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Server(_) | Self::NoSuchKind(_) | Self::Unconfirmed { .. } | Self::TooScattered(_) => {
                Exit::Usage
            }
            Self::TlsOptions(_) => Exit::Usage,
            Self::Credential(error) => credential(error),
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::NoTls { .. }
            | Self::TlsOnly { .. }
            | Self::Tls { .. }
            | Self::Lost { .. }
            | Self::NoAnswer { .. } => Exit::Unreachable,
            Self::Refused { status, problem } => refused(*status, problem.code.as_deref()),
            Self::OrderLost { .. } | Self::JobLost { .. } => Exit::Uncertain,
            Self::Interrupted => Exit::Interrupted,
            // Whoever closed the pipe, as `head` does, has read all that was wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Declined | Self::Malformed(_) | Self::Output(_) | Self::Runtime(_) => Exit::Failed,
        }
    }

    /// Whether the same request may be answered if it is sent again.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Lost { .. } | Self::NoAnswer { .. })
    }

    /// Whether the server, or what stands before it, may be back later.
    pub(super) const fn is_outage(&self) -> bool {
        self.is_passing() || matches!(self, Self::Refused { status: 502..=504, .. })
    }

    /// The stable machine-readable code.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Refused { problem, .. } => problem.code.as_deref().unwrap_or("refused"),
            _ => self.local_code(),
        }
    }

    /// What is wrong, without a code.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Refused { problem, .. } => problem.told(),
            _ => self.to_string(),
        }
    }

    /// The error for programs.
    pub(super) fn body(&self) -> ErrorBody<'_> {
        match self {
            Self::Refused { status, problem } => ErrorBody::Problem(problem.body(*status)),
            _ => ErrorBody::Local { message: self.message(), code: self.local_code() },
        }
    }

    /// Lines that explain the error to people.
    pub(super) fn explanation(&self) -> Vec<String> {
        match self {
            Self::Refused { problem, .. } => problem.explanation(),
            _ => Vec::new(),
        }
    }

    /// The code of an error that the client itself found.
    fn local_code(&self) -> &'static str {
        match self {
            Self::Server(_) => "usage",
            Self::NoSuchKind(_) => "unknown_device",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::TooScattered(_) => "range_too_large",
            Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted",
            Self::NoTls { .. } | Self::TlsOnly { .. } | Self::Tls { .. } => "tls",
            Self::TlsOptions(_) => "usage",
            Self::Credential(_) => "credential",
            Self::Lost { .. } => "connection_lost",
            Self::NoAnswer { .. } => "no_answer",
            Self::Refused { .. } => "refused",
            Self::Malformed(_) => "malformed_answer",
            Self::Declined => "declined",
            Self::OrderLost { .. } | Self::JobLost { .. } => "uncertain",
            Self::Interrupted => "interrupted",
            Self::Output(_) | Self::Runtime(_) => "io",
        }
    }
}

fn code_and_comma(problem: &Problem) -> String {
    problem.code.as_ref().map(|code| format!("{code}, ")).unwrap_or_default()
}

/// How a command ends that has nothing to show who asks.
fn credential(error: &CredentialError) -> Exit {
    match error {
        CredentialError::Saved(LoginError::Http(_)) => Exit::Unreachable,
        CredentialError::Saved(_) => Exit::Denied,
        _ => Exit::Usage,
    }
}

/// How a command ends whose request was refused. What is wrong with the request, and has a code that says so, is wrong
/// usage; a status alone may come from anything on the way.
fn refused(status: u16, code: Option<&str>) -> Exit {
    match (status, code) {
        (429 | 503, _) => Exit::Busy,
        (401 | 403, _) => Exit::Denied,
        // The path, which the user did not write: this server does not speak API 2.
        (404, Some("not_found")) => Exit::Failed,
        (400 | 404 | 413 | 415 | 422, Some(_)) => Exit::Usage,
        (409, Some(code)) if code.starts_with("ambiguous_") => Exit::Usage,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_request_is_wrong_usage() {
        for (status, code, exit) in [
            (422, Some("bad_range"), Exit::Usage),
            (404, Some("unknown_board"), Exit::Usage),
            (404, None, Exit::Failed),
            (404, Some("not_found"), Exit::Failed),
            (409, Some("ambiguous_name"), Exit::Usage),
            (409, Some("displaced"), Exit::Failed),
            (422, Some("unsupported"), Exit::Usage),
            (401, Some("unauthenticated"), Exit::Denied),
            (401, None, Exit::Denied),
            (403, Some("forbidden"), Exit::Denied),
            (429, Some("locked"), Exit::Busy),
            (502, Some("refused"), Exit::Failed),
            (503, Some("busy"), Exit::Busy),
            (503, None, Exit::Busy),
        ] {
            assert_eq!(refused(status, code), exit, "{status} {code:?}");
        }
    }
}
