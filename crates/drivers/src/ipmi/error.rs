//! Why a BMC did not do what it was asked, in one sentence that names it and says what to do.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use opendcre_ipmi::client::Failure;
use opendcre_ipmi::{CommandError, Completion};
use opendcre_model::{BoardId, DriverError, Fault};
use thiserror::Error;

use super::queue::Intent;
use super::statistics::ago;

/// When it is worth asking a BMC again that says it has no time.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// A failure at one BMC. Its text is one sentence without a trailing stop and never holds a secret.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{}", Sentence(self))]
pub struct BmcError {
    /// The BMC, as a board.
    pub bmc: BoardId,
    /// Where it is; nothing if there is no such BMC.
    pub address: Option<SocketAddr>,
    /// When it failed.
    pub at: Timestamp,
    /// What failed.
    pub problem: Problem,
}

/// What failed at a BMC.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// There is no BMC with this board id.
    UnknownBmc,
    /// There is no session, or no answer in it.
    Session(Failure),
    /// Nothing was sent, because it is known what would come of it.
    Known {
        /// What came of the last try.
        failure: Failure,
        /// For how long it has been like this.
        lasted: Duration,
        /// When it will be tried again.
        retry_in: Duration,
    },
    /// Too many commands wait for this BMC; nothing was sent.
    Full {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The caller's time is over.
    Expired(Stage),
    /// The driver has ended.
    Stopped {
        /// Whether the BMC may have seen the command.
        sent: bool,
    },
    /// The BMC answered, but not with a result.
    Command(CommandError),
    /// A change failed in a way that leaves open what it has changed: commands before this one were carried out, or the
    /// answer to this one does not tell.
    Doubtful(Box<Problem>),
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for other commands to the same BMC, or for other BMCs.
    Waiting,
    /// It waits for the first sign of the BMC.
    Calling,
    /// It waits for a session with a BMC that is there.
    Opening,
    /// It may be sent, so the BMC may have seen it.
    Sent,
}

impl Problem {
    /// The stable machine-readable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownBmc => "unknown_bmc",
            Self::Session(failure) | Self::Known { failure, .. } => failure.code(),
            Self::Full { .. } | Self::Expired(Stage::Waiting) => "bmc_busy",
            Self::Expired(Stage::Calling) => Failure::Unreachable.code(),
            Self::Expired(Stage::Opening | Stage::Sent) => "no_answer",
            Self::Stopped { .. } => "gone",
            Self::Command(CommandError::Refused { completion, .. }) => match *completion {
                Completion::INSUFFICIENT_PRIVILEGE => "insufficient_privilege",
                completion if completion.is_unsupported() => "command_not_supported",
                completion if completion.is_temporary() => "node_busy",
                _ => "refused",
            },
            Self::Command(_) => "malformed",
            Self::Doubtful(problem) => problem.code(),
        }
    }

    /// The class of the failure.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::UnknownBmc => Fault::Invalid,
            Self::Known { failure, .. } if failure.is_silence() => Fault::Gone,
            Self::Known { failure: Failure::SessionLimit, retry_in, .. } => {
                Fault::Busy { retry_after: *retry_in }
            }
            Self::Session(failure) | Self::Known { failure, .. } => session_fault(failure),
            Self::Full { retry_after } => Fault::Busy { retry_after: *retry_after },
            Self::Expired(Stage::Waiting) => Fault::Busy { retry_after: BUSY_RETRY },
            Self::Expired(Stage::Calling | Stage::Opening | Stage::Sent) => Fault::Timeout,
            Self::Stopped { .. } => Fault::Gone,
            Self::Command(CommandError::Refused { completion, .. }) => match *completion {
                Completion::INSUFFICIENT_PRIVILEGE => Fault::NotPermitted,
                completion if completion.is_unsupported() => Fault::Unsupported,
                completion if completion.is_temporary() => Fault::Busy { retry_after: BUSY_RETRY },
                _ => Fault::Refused,
            },
            Self::Command(_) => Fault::Malformed,
            Self::Doubtful(problem) => problem.fault(),
        }
    }

    /// Whether the BMC may have seen the command and its effect is unknown.
    #[must_use]
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Session(failure) => failure.was_sent(),
            Self::Expired(stage) => matches!(stage, Stage::Sent),
            Self::Stopped { sent } => *sent,
            Self::Doubtful(_) => true,
            _ => false,
        }
    }
}

const fn session_fault(failure: &Failure) -> Fault {
    match failure {
        Failure::Unreachable | Failure::Silent { .. } => Fault::Timeout,
        Failure::WrongUser
        | Failure::WrongPassword
        | Failure::WrongBmcKey
        | Failure::InsufficientPrivilege { .. }
        | Failure::Forbidden { .. } => Fault::NotPermitted,
        Failure::OnlyIpmi15 | Failure::NoCommonSuite { .. } | Failure::NoCommonAuthType => Fault::Unsupported,
        Failure::SessionLimit => Fault::Busy { retry_after: BUSY_RETRY },
        Failure::Declined(completion) if completion.is_temporary() => Fault::Busy { retry_after: BUSY_RETRY },
        Failure::Refused(_) | Failure::Declined(_) => Fault::Refused,
        Failure::NotIpmi | Failure::Broken(_) => Fault::Malformed,
    }
}

/// Whether the next request would fail in the same way. Not so when one command was too much for the user, or when the
/// only datagram of a change was lost.
pub(super) const fn is_lasting(failure: &Failure, intent: Intent) -> bool {
    match failure {
        Failure::InsufficientPrivilege { .. } | Failure::Forbidden { .. } => false,
        Failure::Declined(completion) => !completion.is_temporary(),
        Failure::Silent { sent: true } => matches!(intent, Intent::Read),
        _ => true,
    }
}

/// Whether a failure shows that the BMC is there and talks to us.
pub(super) const fn comes_from_bmc(failure: &Failure) -> bool {
    matches!(failure, Failure::InsufficientPrivilege { .. } | Failure::Declined(_))
}

impl BmcError {
    /// The stable machine-readable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }

    /// The class of the failure.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.problem.fault()
    }

    /// Whether the BMC has answered, though not with a result.
    pub(super) const fn is_answer(&self) -> bool {
        matches!(self.problem, Problem::Command(_))
    }

    /// Whether the BMC has answered, and will not answer otherwise when it is asked again: it does not have what it was
    /// asked for, or cannot say it.
    pub(super) fn is_final(&self) -> bool {
        match &self.problem {
            Problem::Command(CommandError::Refused { completion, .. }) => {
                !completion.is_temporary() && *completion != Completion::FIRMWARE_UPDATING
            }
            _ => self.is_answer(),
        }
    }

    /// The same, when something may have been changed all the same.
    pub(super) fn doubtful_if(self, may_have_changed: bool) -> Self {
        if !may_have_changed {
            return self;
        }
        Self { problem: Problem::Doubtful(Box::new(self.problem)), ..self }
    }
}

/// The answer, or nothing when the BMC has none.
pub(super) fn if_any<T>(outcome: Result<T, BmcError>) -> Result<Option<T>, BmcError> {
    match outcome {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_final() => Ok(None),
        Err(error) => Err(error),
    }
}

impl From<BmcError> for DriverError {
    fn from(error: BmcError) -> Self {
        Self::new(error.fault(), error.to_string()).with_code(error.code())
    }
}

/// Names a BMC, and where it is if there is one.
pub(super) struct Place(pub(super) BoardId, pub(super) Option<SocketAddr>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(board, address) = self;
        write!(f, "bmc {board}")?;
        address.map_or(Ok(()), |address| write!(f, " at {address}"))
    }
}

struct Sentence<'a>(&'a BmcError);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BmcError { bmc, address, at, problem } = self.0;
        write!(f, "{}: ", Place(*bmc, *address))?;
        describe(problem, *at, f)
    }
}

fn describe(problem: &Problem, at: Timestamp, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match problem {
        Problem::UnknownBmc => {
            f.write_str("no such BMC; check the board id, or add the BMC to the configuration")
        }
        Problem::Session(failure) => write!(f, "{failure}"),
        Problem::Known { failure, lasted, retry_in } => {
            let since = ago(at, *lasted);
            let seconds = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
            let since = since.round(seconds).unwrap_or(since);
            let wait = retry_in.as_secs() + 1;
            let next = match (failure.is_silence(), retry_in.is_zero()) {
                (true, true) => "it is just being tried again".to_owned(),
                (true, false) => format!("it is tried again within {wait} s"),
                (false, _) => format!("ask again in {wait} s"),
            };
            write!(f, "since {since}: {failure}; nothing was sent now, {next}")
        }
        Problem::Full { .. } => {
            f.write_str("too many commands wait for this BMC; nothing was sent, ask again later")
        }
        Problem::Expired(Stage::Waiting) => {
            f.write_str("the time limit passed while the command waited; nothing was sent, ask again later")
        }
        Problem::Expired(Stage::Calling) => write!(f, "{}", Failure::Unreachable),
        Problem::Expired(Stage::Opening) => f.write_str(
            "no session within the time limit; check that the BMC is there, its user and its password, or \
                 allow more time",
        ),
        Problem::Expired(Stage::Sent) => f.write_str("no answer within the time limit; allow more time"),
        Problem::Stopped { .. } => f.write_str("the BMCs are not served any more; restart the service"),
        Problem::Command(error) => write!(f, "{error}"),
        Problem::Doubtful(problem) => {
            describe(problem, at, f)?;
            f.write_str("; something may have been changed all the same")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(problem: Problem) -> BmcError {
        let at = Timestamp::constant(1_450_000_000, 400_000_000);
        BmcError { bmc: BoardId(0x4000_0001), address: Some(([10, 1, 0, 20], 623).into()), at, problem }
    }

    fn refused(code: u8) -> BmcError {
        let completion = Completion(code);
        error(Problem::Command(CommandError::Refused { command: "Chassis Control", completion }))
    }

    #[test]
    fn what_is_known_is_said_with_since_when_and_what_happens_next() {
        let known = error(Problem::Known {
            failure: Failure::Unreachable,
            lasted: Duration::from_secs(90),
            retry_in: Duration::from_millis(11_200),
        });
        assert_eq!(
            known.to_string(),
            "bmc 40000001 at 10.1.0.20:623: since 2015-12-13T09:45:10Z: the BMC does not answer; check its \
             address, its network and that IPMI over LAN is enabled in it; nothing was sent now, it is tried \
             again within 12 s"
        );
        assert_eq!((known.code(), known.fault()), ("unreachable", Fault::Gone));
    }

    #[test]
    fn each_refusal_has_its_code() {
        assert_eq!(
            (refused(0xc0).code(), refused(0xc0).fault()),
            ("node_busy", Fault::Busy { retry_after: BUSY_RETRY })
        );
        assert_eq!(
            (refused(0xc1).code(), refused(0xc1).fault()),
            ("command_not_supported", Fault::Unsupported)
        );
        assert_eq!(
            (refused(0xd4).code(), refused(0xd4).fault()),
            ("insufficient_privilege", Fault::NotPermitted)
        );
        assert_eq!((refused(0xcc).code(), refused(0xcc).fault()), ("refused", Fault::Refused));
        assert!(refused(0xcc).to_string().starts_with("bmc 40000001 at 10.1.0.20:623: Chassis Control: "));
    }

    #[test]
    fn only_what_was_sent_leaves_doubt() {
        for (problem, doubt) in [
            (Problem::Session(Failure::Silent { sent: true }), true),
            (Problem::Session(Failure::Silent { sent: false }), false),
            (Problem::Expired(Stage::Sent), true),
            (Problem::Expired(Stage::Opening), false),
            (Problem::Stopped { sent: false }, false),
            (Problem::Session(Failure::WrongPassword), false),
            (Problem::Doubtful(Box::new(Problem::Session(Failure::WrongPassword))), true),
        ] {
            assert_eq!(problem.leaves_doubt(), doubt, "{problem:?}");
        }
    }
}
