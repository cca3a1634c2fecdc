//! Tokens of `OpenID` Connect and OAuth 2 providers.

use opendcre_model::Subject;

use crate::Failure;

/// A provider.
#[derive(Debug)]
pub struct Oidc {}

impl Oidc {
    /// Whether a bearer token may be one of this provider; others are not shown to it.
    #[must_use]
    pub fn may_have_issued(&self, _token: &str) -> bool {
        false
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// The token is not valid here, or the provider cannot be asked.
    pub async fn authenticate(&self, _token: &str) -> Result<Subject, Failure> {
        Err(Failure::Rejected { reason: "not built yet".to_owned() })
    }
}
