//! Why a command to a BMC did not succeed.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use opendcre_drivers::ipmi::{BmcError, OpenError};
use opendcre_gateway::{AuditError, GatewayError};
use opendcre_ipmi::DecodeError;
use opendcre_model::{Fault, Observation};
use serde::Serialize;
use thiserror::Error;

use super::link::without_id;
use crate::exit::Exit;

/// Every way in which a command to a BMC fails. No text repeats a secret.
#[derive(Debug, Error)]
pub(super) enum IpmiError {
    /// Something is missing on the command line, or is of no use.
    #[error("{0}")]
    Usage(String),
    /// The name leads nowhere.
    #[error("cannot find the address of {host}: {reason}; check the name, or use an IP address")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        reason: io::Error,
    },
    /// The system gives no socket or no random numbers.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nobody answers to a ping.
    #[error(
        "bmc at {0}: no answer to a presence ping; check its address, its network and that IPMI over LAN is enabled in it"
    )]
    NoPong(SocketAddr),
    /// A question has no answer.
    #[error("{}", without_id(&.0.to_string()))]
    Bmc(#[from] BmcError),
    /// An inventory cannot be understood.
    #[error("bmc at {address}: {problem}; the inventory was never written, or is damaged")]
    Inventory {
        /// The BMC.
        address: SocketAddr,
        /// What is wrong with it.
        problem: DecodeError,
    },
    /// There is no place for the record of changes.
    #[error(
        "nothing was sent, because there is no place to record it: neither XDG_STATE_HOME nor HOME is set; use --audit-file"
    )]
    NoAuditFile,
    /// The record of changes cannot be made.
    #[error(
        "nothing was sent, because {path} cannot be made to record it: {reason}; use another --audit-file"
    )]
    AuditFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The record of changes cannot be opened.
    #[error("nothing was sent: {0}")]
    Audit(#[from] AuditError),
    /// A change was not made, or not surely.
    #[error("{}", without_id(&.0.to_string()))]
    Change(#[from] GatewayError),
    /// A change was made, and the answer is not one to it.
    #[error("the change was made, and its answer is one to something else: {0:?}")]
    OtherAnswer(Box<Observation>),
    /// What answers there speaks something else.
    #[error("bmc at {0}: what answers there is no BMC; check the address and the port")]
    NotIpmi(SocketAddr),
    /// Somebody wants the program to end.
    #[error("interrupted{0}")]
    Interrupted(Interruption),
    /// The answer cannot be printed.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// The process has no resources left.
    #[error("cannot prepare to talk to the BMC: {0}")]
    Runtime(io::Error),
}

/// What was going on when somebody wanted the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// A question, which changes nothing.
    OfQuestion,
    /// A change that waited for a session.
    BeforeChange,
    /// A change that may have been sent.
    DuringChange,
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OfQuestion => "",
            Self::BeforeChange => "; nothing was sent",
            Self::DuringChange => {
                "; the change that had begun was carried on to its end, which the audit file tells"
            }
        })
    }
}

/// An error as `-o json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct ErrorBody {
    message: String,
    code: &'static str,
}

impl IpmiError {
    /// How a command that failed in this way ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::NoAuditFile => Exit::Usage,
            Self::Resolve { .. } | Self::NoPong(_) => Exit::Unreachable,
            Self::Bmc(error) => exit_of(error.fault()),
            Self::Change(error) => error.fault().map_or(Exit::Failed, exit_of),
            // Whoever closed the pipe, as `head` does, has read all that was wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Interrupted(_) => Exit::Interrupted,
            Self::Open(_)
            | Self::Inventory { .. }
            | Self::AuditFile { .. }
            | Self::Audit(_)
            | Self::OtherAnswer(_)
            | Self::NotIpmi(_)
            | Self::Output(_)
            | Self::Runtime(_) => Exit::Failed,
        }
    }

    /// The error for programs.
    pub(super) fn body(&self) -> ErrorBody {
        ErrorBody { message: self.to_string(), code: self.code() }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Resolve { .. } | Self::NoPong(_) => "unreachable",
            Self::Bmc(error) => error.code(),
            Self::Inventory { .. } | Self::OtherAnswer(_) => "malformed",
            Self::NoAuditFile | Self::AuditFile { .. } | Self::Audit(_) => "audit_unavailable",
            Self::Change(error) => error.code(),
            Self::NotIpmi(_) => "not_ipmi",
            Self::Interrupted(_) => "interrupted",
            Self::Open(_) | Self::Output(_) | Self::Runtime(_) => "io",
        }
    }
}

const fn exit_of(fault: Fault) -> Exit {
    match fault {
        Fault::Timeout | Fault::Gone => Exit::Unreachable,
        Fault::Busy { .. } => Exit::Busy,
        Fault::NotPermitted => Exit::Denied,
        Fault::Uncertain => Exit::Uncertain,
        Fault::Invalid => Exit::Usage,
        Fault::Corrupt | Fault::Refused | Fault::Unsupported | Fault::Malformed => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opendcre_model::DriverError;

    use super::*;

    #[test]
    fn what_a_script_must_tell_apart_has_its_exit_code() {
        let busy = Fault::Busy { retry_after: Duration::from_secs(1) };
        for (fault, exit) in [
            (Fault::Refused, 1),
            (Fault::Invalid, 2),
            (Fault::Gone, 3),
            (Fault::Timeout, 3),
            (busy, 4),
            (Fault::NotPermitted, 5),
            (Fault::Uncertain, 6),
        ] {
            let error = IpmiError::Change(DriverError::new(fault, "no").into());
            assert_eq!(error.exit() as u8, exit, "{fault}");
        }
        assert_eq!(IpmiError::NoAuditFile.exit(), Exit::Usage);
        assert_eq!(IpmiError::Output(io::ErrorKind::BrokenPipe.into()).exit(), Exit::Done);
    }

    #[test]
    fn an_error_for_programs_keeps_the_code_of_the_driver() {
        let error = DriverError::new(Fault::NotPermitted, "bmc 40000001 at 10.1.0.20:623: no")
            .with_code("wrong_password");
        let body = serde_json::to_value(IpmiError::Change(error.into()).body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"message": "bmc at 10.1.0.20:623: no", "code": "wrong_password"})
        );
    }
}
