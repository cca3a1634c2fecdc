//! How a command ends, in a form that scripts can use. `opendcre --help` documents the numbers.

use std::process::ExitCode;

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or the reader of the output went away.
    Done = 0,
    /// The server, the BMC, or this program while serving, reported an error.
    Failed = 1,
    /// Wrong usage; nothing was sent.
    Usage = 2,
    /// The server or BMC cannot be reached or did not answer in time.
    Unreachable = 3,
    /// The server or BMC is busy.
    Busy = 4,
    /// The server or BMC does not accept the user, or not for this.
    Denied = 5,
    /// A change was sent, and what has come of it is unknown.
    Uncertain = 6,
    /// Somebody has interrupted it: the number that shells give to what ends by SIGINT.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
