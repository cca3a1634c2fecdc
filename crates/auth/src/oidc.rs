//! Tokens of `OpenID` Connect and OAuth 2 providers.
//!
//! A provider is found by discovery and signs its tokens with keys that it publishes; tokens that say nothing by
//! themselves are shown to it, if the configuration says so. Everything that decides whether a token counts – issuer,
//! audience, algorithms – comes from the configuration, nothing from the token.
//!
//! What has been verified is remembered until it expires or the provider's keys change, so that a busy client costs one
//! signature per token and not one per request. A provider that cannot be asked is [`Failure::Unavailable`]: its last
//! keys count for a while, then nobody gets in.
//!
//! Decisions that specifications leave open: `exp`, `iss`, `aud` and `sub` are required; what lies in the future is
//! refused; so are names that are there twice, groups and roles that are no array of texts, tokens that are bound to a
//! key, ID tokens and everything with `crit` in its header.

mod algorithm;
mod cache;
mod claim;
#[doc(hidden)]
pub mod fuzz;
mod introspection;
mod json;
mod jwk;
mod jwt;
mod keyring;
mod metadata;
mod ring;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{BoxFuture, Subject, WallClock};
use thiserror::Error;

use self::cache::{TokenCache, TokenHash};
use self::introspection::{Doubt, Introspection};
use self::jwk::{JwkSet, Key};
use self::jwt::{Form, Jwt, Rules};
use self::keyring::{Generation, Keyring, Missing, Source, Wanted};
use crate::Failure;
use crate::http_client::{EndpointError, HttpClient, HttpClientError, TrustError, roots};

pub use self::algorithm::{SigningAlgorithm, UnknownAlgorithm};
pub use self::claim::{ClaimPath, ClaimPaths};
pub use self::introspection::IntrospectionSettings;
pub use self::metadata::{DiscoveryError, Metadata};

/// How long the last keys of a provider count that does not answer, unless something else is wanted.
pub const STALE_KEYS: Duration = Duration::from_secs(60 * 60);

/// The longest token. Those of big providers with many groups have some thousand bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How long one exchange with the provider takes at most.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(5);

/// A provider, as the configuration describes it.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// Its name in logs, the audit and grants.
    pub name: String,
    /// Its URL, exactly as it stands in its tokens.
    pub issuer: String,
    /// For whom its tokens must be meant; one of these is enough.
    pub audience: Vec<String>,
    /// How its tokens may be signed.
    pub algorithms: Vec<SigningAlgorithm>,
    /// The authorities that its certificate comes from, in PEM; those of the system unless given.
    pub ca: Option<Vec<u8>>,
    /// How much its clock and ours may differ.
    pub clock_skew: Duration,
    /// Where name, groups and roles stand.
    pub claims: ClaimPaths,
    /// Whether tokens must say in their header that they are access tokens (RFC 9068 §2.1). It is the sure way to tell
    /// them from ID tokens, for providers that do so.
    pub access_token_type_required: bool,
    /// How tokens are asked about that say nothing by themselves; unless given, they are refused.
    pub introspection: Option<IntrospectionSettings>,
    /// How long its last keys count if it does not answer.
    pub stale_keys: Duration,
}

/// Why a provider cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OidcError {
    /// The issuer cannot be asked.
    #[error("issuer: {0}")]
    Issuer(#[from] EndpointError),
    /// Tokens could be meant for anybody.
    #[error("audience is empty; name for whom tokens must be meant")]
    NoAudience,
    /// No token could be signed.
    #[error("algorithms is empty; name how tokens may be signed, such as ES256")]
    NoAlgorithm,
    /// Nobody would be trusted.
    #[error("ca: {0}")]
    Trust(#[from] TrustError),
    /// It cannot be talked to.
    #[error(transparent)]
    Http(#[from] HttpClientError),
}

/// A provider.
pub struct Oidc {
    name: String,
    rules: Rules,
    claims: ClaimPaths,
    http: HttpClient,
    keyring: Keyring,
    introspection: Option<Introspection>,
    verified: TokenCache<Verified>,
    clock: Arc<dyn WallClock>,
}

/// What is known about a token that was verified.
#[derive(Clone)]
struct Verified {
    subject: Subject,
    until: Timestamp,
    generation: Generation,
}

impl Oidc {
    /// A provider that is described by `settings`. It is asked when its first token is presented.
    ///
    /// # Errors
    /// The settings are of no use.
    pub fn new(settings: OidcSettings, clock: Arc<dyn WallClock>) -> Result<Self, OidcError> {
        ring::install();
        metadata::address(&settings.issuer)?;
        if settings.audience.is_empty() {
            return Err(OidcError::NoAudience);
        }
        if settings.algorithms.is_empty() {
            return Err(OidcError::NoAlgorithm);
        }
        let http = HttpClient::new(roots(settings.ca.as_deref())?, EXCHANGE_LIMIT)?;
        let source = Provider { http: http.clone(), issuer: settings.issuer.clone() };
        Ok(Self {
            name: settings.name,
            rules: Rules {
                issuer: settings.issuer,
                audience: settings.audience,
                algorithms: settings.algorithms,
                clock_skew: settings.clock_skew,
                access_token_type_required: settings.access_token_type_required,
            },
            claims: settings.claims,
            http,
            keyring: Keyring::new(Arc::new(source), settings.stale_keys),
            introspection: settings.introspection.map(Introspection::new),
            verified: TokenCache::default(),
            clock,
        })
    }

    /// Whether a bearer token may be one of this provider; others are not shown to it. A token that says itself who has
    /// issued it is believed as far as that; any other may be of every provider that can be asked about it.
    #[must_use]
    pub fn may_have_issued(&self, token: &str) -> bool {
        if !is_bearer_token(token) {
            return false;
        }
        match Form::of(token) {
            Form::Jwt(jwt) => jwt.claimed_issuer() == Some(&self.rules.issuer),
            Form::Opaque => self.introspection.is_some(),
            Form::Broken => false,
        }
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// The token is not valid here, or the provider cannot be asked.
    pub async fn authenticate(&self, token: &str) -> Result<Subject, Failure> {
        if !is_bearer_token(token) {
            return Err(rejected("the token is too long, or has characters that no token has"));
        }
        match Form::of(token) {
            Form::Jwt(jwt) => self.verify(token, &jwt).await,
            Form::Opaque => self.introspect(token).await,
            Form::Broken => Err(rejected("the token cannot be read, or says something twice")),
        }
    }

    async fn verify(&self, token: &str, jwt: &Jwt<'_>) -> Result<Subject, Failure> {
        let hash = TokenHash::of(token);
        let now = self.clock.now();
        let generation = self.keyring.generation();
        let known = self.verified.get(hash).filter(|known| Some(known.generation) == generation);
        if let Some(known) = known.filter(|known| now < known.until) {
            return Ok(known.subject);
        }
        let signature = jwt.signature(&self.rules).map_err(rejected)?;
        let wanted = Wanted { id: signature.key_id.as_deref(), algorithm: signature.algorithm };
        let (key, generation) = self.keyring.key(wanted).await.map_err(|missing| self.missing(missing))?;
        let proof = jwt.verify(&signature, &key, &self.rules, now).map_err(rejected)?;
        let subject = proof.claims.subject(&self.name, &self.claims).map_err(rejected)?;
        let lifetime = Duration::try_from(proof.until.duration_since(now)).unwrap_or_default();
        let known = Verified { subject: subject.clone(), until: proof.until, generation };
        self.verified.put(hash, known, lifetime);
        Ok(subject)
    }

    async fn introspect(&self, token: &str) -> Result<Subject, Failure> {
        let introspection = self.introspection.as_ref();
        let introspection = introspection.ok_or_else(|| rejected("the token says nothing by itself"))?;
        let metadata = self.keyring.metadata().await.map_err(|reason| self.unavailable(reason))?;
        let no_endpoint = || self.unavailable("it names no introspection_endpoint".to_owned());
        let endpoint = metadata.introspection_endpoint.as_ref().ok_or_else(no_endpoint)?;
        let said = introspection.ask(&self.http, endpoint, token, &self.rules, self.clock.now()).await;
        let claims = said.map_err(|doubt| match doubt {
            Doubt::Rejected(reason) => rejected(reason),
            Doubt::Unavailable(reason) => self.unavailable(reason),
        })?;
        claims.subject(&self.name, &self.claims).map_err(rejected)
    }

    fn missing(&self, missing: Missing) -> Failure {
        match missing {
            Missing::Unknown => rejected("it is signed with a key that the provider does not publish"),
            Missing::Unavailable(reason) => self.unavailable(reason),
        }
    }

    fn unavailable(&self, reason: String) -> Failure {
        Failure::Unavailable { provider: self.name.clone(), reason }
    }
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rules, verified, introspection, .. } = self;
        let mut shown = f.debug_struct("Oidc");
        shown.field("name", name).field("issuer", &rules.issuer).field("verified", verified);
        shown.field("introspects", &introspection.is_some()).finish_non_exhaustive()
    }
}

fn rejected(reason: impl Into<String>) -> Failure {
    Failure::Rejected { reason: reason.into() }
}

/// Whether it is a bearer token by its looks (RFC 6750 §2.1, `b64token`).
fn is_bearer_token(token: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(fits)
}

/// A provider as it is asked over HTTP.
struct Provider {
    http: HttpClient,
    issuer: String,
}

impl Source for Provider {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata, String>> {
        Box::pin(async {
            let found = Metadata::discover(&self.http, &self.issuer).await;
            found.map_err(|error| error.to_string())
        })
    }

    fn keys<'a>(&'a self, metadata: &'a Metadata) -> BoxFuture<'a, Result<Vec<Key>, String>> {
        Box::pin(async {
            let published = self.http.get::<JwkSet>(&metadata.jwks_uri).await;
            published.map_err(|error| error.to_string())?.usable()
        })
    }
}

#[cfg(test)]
mod tests;
