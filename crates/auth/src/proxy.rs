//! Reverse proxies that say who sends a request, and when they are believed.

use opendcre_model::Subject;

use crate::{Attempt, Failure};

/// A reverse proxy that is believed.
#[derive(Debug)]
pub struct TrustedProxy {
    /// Its name in the configuration.
    pub name: String,
}

impl TrustedProxy {
    /// Who the proxy says that it is; nothing if the request does not come from this proxy.
    ///
    /// # Errors
    /// The request comes from the address of the proxy, names a user, and has not its secret.
    pub fn subject(&self, _attempt: &Attempt<'_>) -> Result<Option<Subject>, Failure> {
        Ok(None)
    }
}
