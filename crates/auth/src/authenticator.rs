//! The order in which the providers are asked.
//!
//! 1. A trusted proxy that names a user.
//! 2. The `Authorization` header: `Bearer` with a token of this gateway or of an OIDC provider, `Basic` with a name and
//!    password for the directories.
//! 3. A client certificate.
//! 4. Nobody at all, where that is allowed.
//!
//! Whoever presents something that proves nothing is refused and never becomes somebody else further down. Where one
//! provider rejects and another one cannot be asked, nobody knows.

mod answer;
mod authorization;
mod door;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use opendcre_model::{Login, Subject, WallClock};

use crate::certificate::{CertificateRules, PeerCertificate};
use crate::ldap::{BindGuard, Ldap};
use crate::oidc::Oidc;
use crate::proxy::TrustedProxy;
use crate::throttle::Limits;
use crate::token::{PREFIX, TokenStore};
use crate::{Attempt, Failure, Refusal};

use answer::Failures;
use authorization::{Credentials, Password};
use door::Door;

/// Everybody who can vouch for somebody.
#[derive(Debug, Default)]
pub struct Providers {
    /// Reverse proxies.
    pub proxies: Vec<TrustedProxy>,
    /// The tokens of this gateway.
    pub tokens: Option<TokenStore>,
    /// Why the tokens of this gateway cannot be looked up although there may be some.
    pub tokens_failure: Option<String>,
    /// OIDC providers.
    pub oidc: Vec<Oidc>,
    /// Directories.
    pub ldap: Vec<Ldap>,
    /// Client certificates. Without rules, they open connections and prove nothing here.
    pub certificates: Option<CertificateRules>,
    /// Whether requests that present nothing are those of [`Subject::anonymous`].
    pub anonymous: bool,
}

/// Finds out who sends a request.
pub struct Authenticator {
    /// Nothing if everybody is let in.
    providers: RwLock<Option<Arc<Providers>>>,
    door: Arc<Door>,
    bind_guard: Arc<BindGuard>,
    clock: Arc<dyn WallClock>,
    anonymous: Arc<Subject>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("providers", &self.providers()).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Asks `providers`.
    #[must_use]
    pub fn new(providers: Providers, clock: Arc<dyn WallClock>) -> Self {
        let authenticator = Self::open(clock);
        authenticator.replace(providers);
        authenticator
    }

    /// Lets everybody in without asking who they are, whatever they present.
    #[must_use]
    pub fn open(clock: Arc<dyn WallClock>) -> Self {
        let anonymous = Arc::new(Subject::anonymous());
        let (door, bind_guard) = (Arc::default(), Arc::default());
        Self { providers: RwLock::default(), door, bind_guard, clock, anonymous }
    }

    /// What counts the failed binds for every directory of every [`Providers`] that are asked here, so that those who
    /// take the place of others do not begin anew.
    #[must_use]
    pub const fn bind_guard(&self) -> &Arc<BindGuard> {
        &self.bind_guard
    }

    /// Asks `providers` from now on; requests that are being looked at still ask those before. Logins that have failed
    /// still count.
    pub fn replace(&self, providers: Providers) {
        *self.providers.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(providers));
    }

    /// Lets so many logins fail from now on, instead of those of [`Limits::default`].
    pub fn set_limits(&self, limits: Limits) {
        self.door.set_limits(limits);
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// Every [`Refusal`].
    pub async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Arc<Subject>, Refusal> {
        let Some(providers) = self.providers() else { return Ok(Arc::clone(&self.anonymous)) };
        let remote = behind(&providers.proxies, attempt).or(attempt.remote);
        if let Some(subject) = by_proxy(&providers.proxies, attempt)? {
            return Ok(Arc::new(subject));
        }
        let subject = match authorization::credentials(attempt.headers)? {
            // Apart, because the future of every request has room for these, and is moved several times.
            Some(Credentials::Bearer(token)) => Box::pin(self.by_token(&providers, token, remote)).await?,
            Some(Credentials::Basic(login)) => Box::pin(self.by_password(providers, login, remote)).await?,
            None => match (&providers.certificates, attempt.certificate) {
                (Some(rules), Some(certificate)) => self.by_certificate(rules, certificate)?,
                _ if providers.anonymous => return Ok(Arc::clone(&self.anonymous)),
                _ => return Err(Refusal::Missing),
            },
        };
        Ok(Arc::new(subject))
    }

    /// Whether what has proved who `subject` is would prove it still, though nobody presents it again. That is known only
    /// of the tokens of this gateway; what else people log in with holds for what was begun with it.
    ///
    /// # Errors
    /// As [`TokenStore::bearer`].
    pub async fn confirm(&self, subject: &Subject) -> Result<(), Failure> {
        match subject.login {
            Login::Token => self.bearer(&subject.provider).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Whose the token of this gateway with this name or id is.
    ///
    /// # Errors
    /// As [`TokenStore::bearer`].
    pub async fn bearer(&self, name_or_id: &str) -> Result<Subject, Failure> {
        let providers = self.providers();
        let Some(providers) = providers else { return Err(no_tokens()) };
        providers.own_tokens()?.bearer(name_or_id, self.clock.now()).await
    }

    /// The client for which a trusted proxy has sent a request, as the proxy says; nothing if none has, or it does not say.
    #[must_use]
    pub fn client_behind_proxy(&self, attempt: &Attempt<'_>) -> Option<IpAddr> {
        behind(&self.providers()?.proxies, attempt)
    }

    /// What a client that has presented nothing is told that it may present, as values of `WWW-Authenticate`.
    #[must_use]
    pub fn challenges(&self) -> Vec<HeaderValue> {
        self.with_basic(HeaderValue::from_static("Bearer realm=\"opendcre\""))
    }

    /// What a client whose request was refused is told that it may present: if it has presented a token, that this token
    /// is none, so that it gets itself another one (RFC 6750 §3.1).
    #[must_use]
    pub fn challenges_after(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        match authorization::credentials(headers) {
            Ok(Some(Credentials::Bearer(_))) => self
                .with_basic(HeaderValue::from_static("Bearer realm=\"opendcre\", error=\"invalid_token\"")),
            _ => self.challenges(),
        }
    }

    /// A challenge, with that of RFC 7617 §2 where there are passwords.
    fn with_basic(&self, bearer: HeaderValue) -> Vec<HeaderValue> {
        let mut challenges = vec![bearer];
        if self.providers().is_some_and(|providers| !providers.ldap.is_empty()) {
            challenges.push(HeaderValue::from_static("Basic realm=\"opendcre\", charset=\"UTF-8\""));
        }
        challenges
    }

    fn providers(&self) -> Option<Arc<Providers>> {
        self.providers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tokens are looked at even where too many have failed: they cannot be guessed, and whoever has a valid one must not
    /// be kept out by others. Only the answer to those that are none changes then.
    async fn by_token(
        &self,
        providers: &Providers,
        token: &str,
        remote: Option<IpAddr>,
    ) -> Result<Subject, Refusal> {
        let answer = if token.starts_with(PREFIX) {
            self.by_own_token(providers, token, remote).await
        } else {
            by_oidc(&providers.oidc, token).await
        };
        answer.map_err(|failure| match failure {
            Failure::Rejected { .. } => match self.door.reject(remote) {
                Some(pause) => locked(None, pause),
                None => refused(None, failure),
            },
            Failure::Unavailable { .. } => refused(None, failure),
        })
    }

    async fn by_own_token(
        &self,
        providers: &Providers,
        token: &str,
        remote: Option<IpAddr>,
    ) -> Result<Subject, Failure> {
        providers.own_tokens()?.authenticate(token, remote, self.clock.now()).await
    }

    async fn by_password(
        &self,
        providers: Arc<Providers>,
        login: Password,
        remote: Option<IpAddr>,
    ) -> Result<Subject, Refusal> {
        let user = login.user.clone();
        if providers.ldap.is_empty() {
            let reason = "there is no directory that knows passwords".to_owned();
            return Err(refused(Some(user), Failure::Rejected { reason }));
        }
        let answer = self.door.log_in(&user, remote, by_directory(providers, login)).await;
        answer
            .map_err(|pause| locked(Some(user.clone()), pause))?
            .map_err(|failures| refused(Some(user), failures.into_one()))
    }

    fn by_certificate(
        &self,
        rules: &CertificateRules,
        certificate: &PeerCertificate,
    ) -> Result<Subject, Refusal> {
        let subject = rules.subject(certificate, self.clock.now());
        subject.map_err(|failure| refused(Some(certificate.subject.clone()), failure))
    }
}

impl Providers {
    /// The tokens of this gateway. That they cannot be looked up says nothing against whoever shows one.
    fn own_tokens(&self) -> Result<&TokenStore, Failure> {
        match (&self.tokens, &self.tokens_failure) {
            (Some(tokens), _) => Ok(tokens),
            (None, Some(reason)) => {
                let provider = "the tokens of this gateway".to_owned();
                Err(Failure::Unavailable { provider, reason: reason.clone() })
            }
            (None, None) => Err(no_tokens()),
        }
    }
}

fn no_tokens() -> Failure {
    Failure::Rejected { reason: "there are no tokens of this gateway".to_owned() }
}

/// Who is behind the first proxy through which a request comes.
fn behind(proxies: &[TrustedProxy], attempt: &Attempt<'_>) -> Option<IpAddr> {
    proxies.iter().find_map(|proxy| proxy.client(attempt))
}

/// Whom a proxy names. Several can be behind one address, so that another one's secret may be the right one.
fn by_proxy(proxies: &[TrustedProxy], attempt: &Attempt<'_>) -> Result<Option<Subject>, Refusal> {
    let mut refusal = None;
    for proxy in proxies {
        match proxy.subject(attempt) {
            Ok(Some(subject)) => return Ok(Some(subject)),
            Ok(None) => {}
            Err(failure) => {
                refusal.get_or_insert_with(|| refused(proxy.claimed(attempt), failure));
            }
        }
    }
    refusal.map_or(Ok(None), Err)
}

async fn by_oidc(providers: &[Oidc], token: &str) -> Result<Subject, Failure> {
    let mut failures = Failures::default();
    for provider in providers.iter().filter(|provider| provider.may_have_issued(token)) {
        match provider.authenticate(token).await {
            Ok(subject) => return Ok(subject),
            Err(failure) => failures.add(failure),
        }
    }
    Err(failures.into_one())
}

async fn by_directory(providers: Arc<Providers>, login: Password) -> Result<Subject, Failures> {
    let mut failures = Failures::default();
    for directory in &providers.ldap {
        match directory.authenticate(&login.user, &login.password).await {
            Ok(subject) => return Ok(subject),
            Err(failure) => failures.add(failure),
        }
    }
    Err(failures)
}

fn refused(claimed: Option<String>, failure: Failure) -> Refusal {
    match failure {
        Failure::Rejected { reason } => Refusal::Rejected { claimed, reason },
        Failure::Unavailable { provider, reason } => Refusal::Unavailable { claimed, provider, reason },
    }
}

/// The pause in whole seconds, as clients are told it, and never none.
fn locked(claimed: Option<String>, pause: Duration) -> Refusal {
    let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
    Refusal::Locked { claimed, retry_after: Duration::from_secs(seconds.max(1)) }
}

#[cfg(test)]
mod tests;
