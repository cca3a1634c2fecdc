//! Whether what somebody has logged in with still holds when something is done in their name later than their request,
//! such as the targets of a job. What a login is, and how it is looked up, is a matter of whoever wires the service.

use std::sync::Arc;

use opendcre_model::{BoxFuture, Subject};
use thiserror::Error;

use crate::audit::{AuditEntry, AuditKind};
use crate::gateway::Gateway;
use crate::policy::Verb;
use crate::{GatewayError, Principal};

/// Knows what people have logged in with.
pub trait Credentials: Send + Sync {
    /// Whether what proved who `subject` is would still prove it.
    ///
    /// # Errors
    /// Every [`CredentialError`].
    fn confirm<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), CredentialError>>;

    /// Whoever has the API token with this name or id, with what comes with it.
    ///
    /// # Errors
    /// [`CredentialError::Void`] if there is no such token, or not any more.
    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Subject, CredentialError>>;
}

/// Why what somebody has logged in with does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// It proves nothing, or not any more.
    #[error("{reason}")]
    Void {
        /// Why, in a sentence without its stop.
        reason: String,
    },
    /// Whoever would know cannot be asked.
    #[error("whether the login still holds cannot be verified: {reason}")]
    Unknown {
        /// Why, in a sentence without its stop.
        reason: String,
    },
}

impl CredentialError {
    /// The stable machine-readable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Void { .. } => "credential_revoked",
            Self::Unknown { .. } => "auth_unavailable",
        }
    }
}

impl Gateway {
    /// The same door, which asks `credentials` whether a login still holds. Without them, logins hold for as long as what
    /// was begun with them.
    #[must_use]
    pub fn with_credentials(self, credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// Whether what `principal` has logged in with still holds, so that `verb` can be done to `target` in their name later
    /// than their request. That it does not is recorded as any refusal.
    ///
    /// # Errors
    /// [`GatewayError::Credential`].
    pub async fn confirm(&self, principal: &Principal, verb: Verb, target: &str) -> Result<(), GatewayError> {
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let confirmed = credentials.confirm(&principal.subject).await;
        confirmed.map_err(|error| {
            let refused = AuditEntry {
                action: verb.name().to_owned(),
                parameters: target.to_owned(),
                code: error.code().to_owned(),
                ..AuditEntry::new(AuditKind::Refused, self.inner.clock.now()).by(principal)
            };
            self.inner.audit.note_refused(refused.saying(error.to_string()));
            GatewayError::Credential(error)
        })
    }
}
