//! API tokens of this gateway, and the file that knows their hashes.

use jiff::Timestamp;
use opendcre_model::Subject;

use crate::Failure;

/// How a token of this gateway begins.
pub const PREFIX: &str = "odcre_";

/// The tokens that are known. Clones are the same file.
#[derive(Debug, Clone)]
pub struct TokenStore {}

impl TokenStore {
    /// Whose token it is.
    ///
    /// # Errors
    /// There is no such token, it has expired or was revoked, or the file cannot be read.
    pub fn authenticate(&self, _token: &str, _now: Timestamp) -> Result<Subject, Failure> {
        Err(Failure::Rejected { reason: "not built yet".to_owned() })
    }
}
