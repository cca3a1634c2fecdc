//! Tokens that say nothing by themselves: the provider is asked about them (RFC 7662).
//!
//! Its word counts for a short time, a refusal for a shorter one. A provider that does not answer is no refusal, and
//! nothing about it is kept.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::cache::{TokenCache, TokenHash};
use super::claim::Claims;
use super::jwt::{Rules, check_holder, check_time};
use crate::http_client::{ClientSecret, Endpoint, HttpClient};

/// How long a refusal counts at most.
const NEGATIVE_CACHE: Duration = Duration::from_secs(10);
/// How many questions are asked at the same time.
const CONCURRENCY: usize = 8;
/// How long a token waits until it is its turn to be asked about.
const PATIENCE: Duration = Duration::from_secs(5);

/// How tokens are asked about.
#[derive(Debug, Clone)]
pub struct IntrospectionSettings {
    /// Who we are to the provider.
    pub client: ClientSecret,
    /// How long its word about a token counts. The token's own expiry always counts.
    pub cache: Duration,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It proves nothing.
    Rejected(String),
    /// Nobody knows.
    Unavailable(String),
}

/// What the provider has said about a token.
#[derive(Debug, Clone)]
enum Word {
    Good { claims: Claims, until: Timestamp },
    Bad(String),
}

/// Asks a provider about tokens.
#[derive(Debug)]
pub(super) struct Introspection {
    settings: IntrospectionSettings,
    known: TokenCache<Word>,
    turns: Semaphore,
}

impl Introspection {
    pub(super) fn new(settings: IntrospectionSettings) -> Self {
        Self { settings, known: TokenCache::default(), turns: Semaphore::new(CONCURRENCY) }
    }

    /// What the provider says about a token.
    ///
    /// # Errors
    /// The token proves nothing, or nobody knows.
    pub(super) async fn ask(
        &self,
        http: &HttpClient,
        endpoint: &Endpoint,
        token: &str,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Claims, Doubt> {
        let hash = TokenHash::of(token);
        if let Some(word) = self.known.get(hash) {
            return word.at(now);
        }
        let turn = timeout(PATIENCE, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Doubt::Unavailable("too many tokens wait to be asked about".to_owned()));
        };
        // Somebody may have asked about the same token in the meantime.
        if let Some(word) = self.known.get(hash) {
            return word.at(now);
        }
        let word = self.fetch(http, endpoint, token, rules, now).await?;
        let lifetime = match &word {
            Word::Good { .. } => self.settings.cache,
            Word::Bad(_) => self.settings.cache.min(NEGATIVE_CACHE),
        };
        self.known.put(hash, word.clone(), lifetime);
        word.at(now)
    }

    async fn fetch(
        &self,
        http: &HttpClient,
        endpoint: &Endpoint,
        token: &str,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Word, Doubt> {
        let form = [("token", token), ("token_type_hint", "access_token")];
        let answer = http.post_form(endpoint, &form, Some(&self.settings.client)).await;
        let answer = answer.map_err(|error| Doubt::Unavailable(error.to_string()))?;
        if answer.status == 401 || answer.status == 403 {
            let reason =
                format!("{endpoint} does not accept client_id and secret (status {})", answer.status);
            return Err(Doubt::Unavailable(reason));
        }
        let claims: Claims = answer.ok().map_err(|error| Doubt::Unavailable(error.to_string()))?;
        Ok(match judge(claims, rules, now) {
            Ok((claims, until)) => Word::Good { claims, until },
            Err(reason) => Word::Bad(reason),
        })
    }
}

impl Word {
    fn at(self, now: Timestamp) -> Result<Claims, Doubt> {
        match self {
            Self::Good { claims, until } if now < until => Ok(claims),
            Self::Good { .. } => Err(Doubt::Rejected("it has expired".to_owned())),
            Self::Bad(reason) => Err(Doubt::Rejected(reason)),
        }
    }
}

/// What the answer means (RFC 7662 §2.2). Only an active access token for us is good: providers also answer for refresh
/// tokens, and for tokens that were given out for others.
pub(super) fn judge(claims: Claims, rules: &Rules, now: Timestamp) -> Result<(Claims, Timestamp), String> {
    if claims.get("active") != Some(&Value::Bool(true)) {
        return Err("the provider says that it is not valid".to_owned());
    }
    if claims.get("iss").is_some_and(|issuer| issuer.as_str() != Some(&rules.issuer)) {
        return Err("it comes from another issuer".to_owned());
    }
    if !claims.is_for(&rules.audience) {
        return Err("it is meant for somebody else".to_owned());
    }
    let is_bearer = |kind: &Value| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    if claims.get("token_type").is_some_and(|kind| !is_bearer(kind)) {
        return Err("it is no bearer token".to_owned());
    }
    check_holder(&claims)?;
    let until = check_time(&claims, rules.clock_skew, now)?;
    Ok((with_subject(claims), until))
}

/// Where nobody but a client is involved, the client is whose token it is (RFC 9068 §2.2); answers may leave that out.
fn with_subject(claims: Claims) -> Claims {
    match claims.get("client_id").cloned() {
        Some(client) => claims.or("sub", client),
        None => claims,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{ISSUER, NOW, rules};
    use super::*;

    fn judged(change: &[(&str, Value)]) -> Result<Claims, String> {
        let mut answer = json!({
            "active": true, "sub": "ada", "aud": "opendcre", "iss": ISSUER,
            "exp": NOW.as_second() + 300, "token_type": "Bearer", "client_id": "cli",
        });
        for (name, value) in change {
            answer[*name] = value.clone();
        }
        let claims = serde_json::from_str(&answer.to_string()).unwrap();
        judge(claims, &rules(), NOW).map(|(claims, _)| claims)
    }

    #[test]
    fn only_an_active_access_token_for_us_is_good() {
        assert_eq!(judged(&[]).unwrap().text("sub"), Some("ada"));
        for change in [
            ("active", json!(false)),
            ("active", json!("true")),
            ("active", json!(1)),
            ("iss", json!("https://evil.example")),
            ("iss", json!(7)),
            ("aud", json!("other")),
            ("aud", json!(null)),
            ("exp", json!(NOW.as_second() - 61)),
            ("exp", json!(null)),
            ("nbf", json!(NOW.as_second() + 3600)),
            ("token_type", json!("DPoP")),
            ("cnf", json!({"jkt": "x"})),
        ] {
            assert!(judged(std::slice::from_ref(&change)).is_err(), "{change:?}");
        }
    }

    #[test]
    fn the_token_of_a_client_is_its_own() {
        let answer =
            json!({"active": true, "aud": "opendcre", "exp": NOW.as_second() + 9, "client_id": "svc"});
        let claims = serde_json::from_str(&answer.to_string()).unwrap();
        assert_eq!(judge(claims, &rules(), NOW).unwrap().0.text("sub"), Some("svc"));
    }

    #[test]
    fn the_word_of_the_provider_does_not_outlive_the_token() {
        let claims: Claims = serde_json::from_str("{}").unwrap();
        let word = Word::Good { claims, until: NOW };
        assert!(matches!(word.at(NOW), Err(Doubt::Rejected(_))));
    }
}
