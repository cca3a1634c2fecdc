//! Why a request has no answer.

use std::fmt;

use thiserror::Error;

use crate::packet::rakp::RakpStatus;
use crate::{Completion, Privilege};

/// Why a request has no answer. The sentences leave out which BMC it is: the caller knows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// Nothing came back.
    #[error(
        "the BMC does not answer; check its address, its network and that IPMI over LAN is enabled in it"
    )]
    Unreachable,
    /// Something came back, but no IPMI.
    #[error("what answers there is no BMC; check the address and the port")]
    NotIpmi,
    /// The BMC speaks IPMI 1.5 only.
    #[error("the BMC speaks only IPMI 1.5, which is not secure; permit it for this BMC, or update the BMC")]
    OnlyIpmi15,
    /// None of the suites that may be used is accepted.
    #[error("no cipher suite in common: {}", SuiteList(offered))]
    NoCommonSuite {
        /// What the BMC says it offers; empty if it did not say.
        offered: Vec<u8>,
    },
    /// The authentication type that must be used is not accepted.
    #[error(
        "the BMC does not accept this authentication type of IPMI 1.5; choose another, or enable it in the BMC"
    )]
    NoCommonAuthType,
    /// There is no such user.
    #[error("the BMC does not know the user, or the user may not log in over LAN; check the user name")]
    WrongUser,
    /// The password is another.
    #[error("the BMC has another password for the user; check the password")]
    WrongPassword,
    /// K_G is another.
    #[error(
        "the BMC has another key K_G than the one that was given, or has one and none was given; check the key"
    )]
    WrongBmcKey,
    /// The user may not do it.
    #[error("the user may not do this, which needs {needed}; raise the user's privilege in the BMC")]
    InsufficientPrivilege {
        /// What it needs.
        needed: Privilege,
    },
    /// It needs more privilege than may be used with this BMC; nothing was sent.
    #[error(
        "this needs {needed}, which is more than may be used with this BMC; raise the limit of its privilege"
    )]
    Forbidden {
        /// What it needs.
        needed: Privilege,
    },
    /// All sessions are taken.
    #[error(
        "the BMC has no session left; end other programs that talk to it, or wait until their sessions expire"
    )]
    SessionLimit,
    /// Some other reason.
    #[error("the BMC refuses the session: {0}")]
    Refused(RakpStatus),
    /// Some other reason, as a completion code.
    #[error(
        "the BMC does not begin or prepare a session: {0}; try again later, or look into the BMC's settings"
    )]
    Declined(Completion),
    /// What came back breaks the rules of the protocol.
    #[error("the BMC breaks the rules while a session begins: {0}")]
    Broken(&'static str),
    /// The session was open, and then nothing came back.
    #[error(
        "the BMC stopped answering{}; check its power and its network",
        if *.sent { " after the command was sent, which it may have carried out" } else { "" }
    )]
    Silent {
        /// Whether the BMC may have seen the command.
        sent: bool,
    },
}

impl Failure {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NotIpmi => "not_ipmi",
            Self::OnlyIpmi15 | Self::NoCommonSuite { .. } | Self::NoCommonAuthType => "no_common_suite",
            Self::WrongUser => "wrong_user",
            Self::WrongPassword => "wrong_password",
            Self::WrongBmcKey => "wrong_bmc_key",
            Self::InsufficientPrivilege { .. } | Self::Forbidden { .. } => "insufficient_privilege",
            Self::SessionLimit => "session_limit",
            Self::Declined(Completion::NODE_BUSY) => "node_busy",
            Self::Refused(_) | Self::Declined(_) => "session_refused",
            Self::Broken(_) => "malformed",
            Self::Silent { .. } => "no_answer",
        }
    }

    /// Whether the BMC may have seen the command.
    #[must_use]
    pub const fn was_sent(&self) -> bool {
        matches!(self, Self::Silent { sent: true })
    }

    /// Whether nothing at all came from the BMC.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable | Self::Silent { .. })
    }
}

struct SuiteList<'a>(&'a [u8]);

impl fmt::Display for SuiteList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else {
            return f.write_str(
                "the BMC refuses all that are permitted for it; permit others, or enable these in it",
            );
        };
        write!(f, "the BMC offers {first}")?;
        rest.iter().try_for_each(|suite| write!(f, ", {suite}"))?;
        f.write_str("; permit one of them for this BMC, or enable 17 or 3 in it")
    }
}
