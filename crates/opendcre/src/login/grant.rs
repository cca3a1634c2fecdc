//! What the token endpoint of a provider answers (RFC 6749 §5), whatever it was asked for.

use std::time::Duration;

use opendcre_auth::http_client::{Answer, Endpoint, HttpClient};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::LoginError;
use super::token::Token;

/// How long a token counts at most, as far as we believe it.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Tokens.
#[derive(Debug, Deserialize)]
pub(super) struct Tokens {
    token_type: String,
    /// What shows a server who asks.
    pub(super) access_token: Token,
    /// What gets another one.
    pub(super) refresh_token: Option<Token>,
    expires_in: Option<u64>,
}

/// A refusal.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Tokens {
    /// How long the access token counts; nothing if the provider does not say so.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.expires_in.map(|seconds| Duration::from_secs(seconds).min(LONGEST_LIFE))
    }
}

/// Asks for tokens.
///
/// # Errors
/// The provider cannot be asked, or refuses.
pub(super) async fn ask(
    http: &HttpClient,
    endpoint: &Endpoint,
    form: &[(&str, &str)],
) -> Result<Tokens, LoginError> {
    let answer = http.post_form(endpoint, form, None).await?;
    if answer.status != 200 {
        return Err(refusal(&answer));
    }
    let tokens: Tokens = answer.ok()?;
    match tokens.token_type.eq_ignore_ascii_case("bearer") {
        true => Ok(tokens),
        false => Err(LoginError::TokenType(tokens.token_type)),
    }
}

/// What a provider says that refuses. Where that cannot be understood, as from a proxy on the way, its status says more.
pub(super) fn refusal(answer: &Answer) -> LoginError {
    match answer.json() {
        Ok(Refusal { error: code, error_description: description }) => {
            LoginError::Refused { code, description }
        }
        Err(malformed) => answer.ok::<IgnoredAny>().err().unwrap_or(malformed).into(),
    }
}
