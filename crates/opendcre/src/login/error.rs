//! Why somebody cannot log in, or is not logged in any more.

use std::io;
use std::path::PathBuf;

use opendcre_auth::http_client::{EndpointError, HttpClientError};
use thiserror::Error;

use crate::output::visible;

/// Every way in which logging in fails.
#[derive(Debug, Error)]
pub(crate) enum LoginError {
    /// The file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    Store {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// Others could use what is in it.
    #[error("{}: others may read it; allow that to nobody but you (chmod 600) and log in again", .0.display())]
    Exposed(PathBuf),
    /// The file holds something else.
    #[error("{}: {reason}; remove it and log in again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody knows where the file belongs.
    #[error("there is no folder for what is kept; set HOME or XDG_CONFIG_HOME to an absolute path")]
    NoHome,
    /// Another command does not finish.
    #[error("another command renews the login for too long; try again")]
    Locked,
    /// The provider cannot be asked.
    #[error(transparent)]
    Http(#[from] HttpClientError),
    /// The provider has an address that is not asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The provider refuses (RFC 6749 §5.2).
    #[error("the provider refuses: {} ({})", visible(.description), visible(.code))]
    Refused {
        /// Its code for that.
        code: String,
        /// What it says about it.
        description: String,
    },
    /// The provider does not offer what is needed.
    #[error("the provider has no {0}; ask its administrator, or log in in another way")]
    Unsupported(&'static str),
    /// Nobody has logged in for too long.
    #[error("nobody has logged in within the time that the provider allows; try again")]
    TooLate,
    /// Somebody has said no.
    #[error("the login was declined")]
    Declined,
    /// The provider gives out something else than bearer tokens.
    #[error("the provider gives out tokens of type {}, which cannot be used", visible(.0))]
    TokenType(String),
    /// Somebody else has answered in the place of the provider.
    #[error(
        "the answer does not come from the provider that was asked; try again, and if that stays so, do not log in"
    )]
    OtherProvider,
    /// The login has expired.
    #[error("the login to {0} has expired; run `opendcre login` again")]
    Expired(String),
    /// There are no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A browser cannot come back.
    #[error("cannot wait for the browser: {0}")]
    Listen(io::Error),
    /// There is no provider that could be chosen.
    #[error("{0}")]
    NoProvider(String),
}
