//! Logging in with a code that is typed into a browser on any device (RFC 8628).

use std::time::Duration;

use opendcre_auth::http_client::HttpClient;
use opendcre_auth::oidc::Metadata;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::LoginError;
use super::grant::{self, Tokens};
use super::provider::Provider;
use super::token::Token;

/// What asks for a token with a device code (§3.4).
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The time between two questions if the provider does not say (§3.2), and by how much it grows if it says that we ask
/// too often (§3.5).
const DEFAULT_INTERVAL: u64 = 5;
const SLOWER: Duration = Duration::from_secs(5);
/// The longest time between two questions, and the longest wait for somebody, as far as we follow a provider.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);

/// What the provider says to a device (§3.2).
#[derive(Debug, Deserialize)]
struct Code {
    device_code: Token,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default = "default_interval")]
    interval: u64,
}

const fn default_interval() -> u64 {
    DEFAULT_INTERVAL
}

/// Lets somebody log in elsewhere, and waits for that.
pub(super) async fn obtain(
    provider: &Provider,
    metadata: &Metadata,
    http: &HttpClient,
    mut tell: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Tokens> {
    let codes = metadata.device_authorization_endpoint.as_ref();
    let codes = codes.ok_or(LoginError::Unsupported("device_authorization_endpoint"))?;
    let endpoint = metadata.token_endpoint.as_ref().ok_or(LoginError::Unsupported("token_endpoint"))?;
    let answer = http.post_form(codes, &provider.parameters(&provider.scope()), None).await;
    let answer = answer.map_err(LoginError::from)?;
    if answer.status != 200 {
        return Err(grant::refusal(&answer).into());
    }
    let code: Code = answer.ok().map_err(LoginError::from)?;
    tell(&code.told())?;
    let form = [
        ("grant_type", GRANT_TYPE),
        ("client_id", &provider.client_id),
        ("device_code", code.device_code.expose()),
    ];
    Ok(wait(&code, async || grant::ask(http, endpoint, &form).await).await?)
}

impl Code {
    fn told(&self) -> String {
        let whole = self.verification_uri_complete.as_ref();
        let whole = whole.map(|url| format!("  or open {url}\n")).unwrap_or_default();
        // The lines are ours, what stands in them is not.
        let lines = format!("open {} and type the code {}\n{whole}", self.verification_uri, self.user_code);
        lines.lines().map(|line| format!("{}\n", crate::output::visible(line))).collect()
    }
}

/// Asks until somebody has logged in (§3.5).
async fn wait(
    code: &Code,
    mut ask: impl AsyncFnMut() -> Result<Tokens, LoginError>,
) -> Result<Tokens, LoginError> {
    let mut interval = Duration::from_secs(code.interval.max(1)).min(LONGEST_INTERVAL);
    let asking = async {
        loop {
            sleep(interval).await;
            interval = match ask().await {
                Ok(tokens) => return Ok(tokens),
                Err(error) => next(interval, error)?.min(LONGEST_INTERVAL),
            };
        }
    };
    let limit = Duration::from_secs(code.expires_in).min(LONGEST_WAIT);
    timeout(limit, asking).await.map_err(|_| LoginError::TooLate)?
}

/// The time until the next question, if another one makes sense.
fn next(interval: Duration, error: LoginError) -> Result<Duration, LoginError> {
    match &error {
        LoginError::Refused { code, .. } => match code.as_str() {
            "authorization_pending" => Ok(interval),
            "slow_down" => Ok(interval + SLOWER),
            "access_denied" => Err(LoginError::Declined),
            "expired_token" => Err(LoginError::TooLate),
            _ => Err(error),
        },
        // §3.5: a provider that cannot be reached is asked more seldom.
        LoginError::Http(_) => Ok(interval * 2),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use opendcre_auth::http_client::HttpClientError;
    use tokio::time::Instant;

    use super::*;

    fn code(expires_in: u64, interval: u64) -> Code {
        Code {
            device_code: serde_json::from_str("\"d\"").unwrap(),
            user_code: "ABCD-EFGH\u{1b}".to_owned(),
            verification_uri: "https://sso/device".to_owned(),
            verification_uri_complete: Some("https://sso/device?user_code=ABCD-EFGH".to_owned()),
            expires_in,
            interval,
        }
    }

    fn refused(code: &str) -> Result<Tokens, LoginError> {
        Err(LoginError::Refused { code: code.to_owned(), description: String::new() })
    }

    fn tokens() -> Result<Tokens, LoginError> {
        Ok(serde_json::from_str(r#"{"token_type":"Bearer","access_token":"a"}"#).unwrap())
    }

    /// What comes of these answers, and when.
    async fn waited(
        code: Code,
        answers: Vec<Result<Tokens, LoginError>>,
    ) -> (Result<Tokens, LoginError>, u64) {
        let begin = Instant::now();
        let mut answers = answers.into_iter();
        let result = wait(&code, async || answers.next().unwrap_or_else(|| refused("authorization_pending")));
        (result.await, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_provider_says_how_often_it_is_asked() {
        let pending = || refused("authorization_pending");
        let (result, after) =
            waited(code(600, 5), vec![pending(), refused("slow_down"), pending(), tokens()]).await;
        assert!(result.is_ok());
        assert_eq!(after, 5 + 5 + 10 + 10);
        let (_, after) = waited(code(600, 0), vec![tokens()]).await;
        assert_eq!(after, 1, "never without a pause");
        let (_, after) = waited(code(600, u64::MAX), vec![tokens()]).await;
        assert_eq!(after, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_is_away_is_asked_more_seldom() {
        let away = || Err(HttpClientError::Setup(String::new()).into());
        let (result, after) = waited(code(600, 5), vec![away(), away(), tokens()]).await;
        assert!(result.is_ok());
        assert_eq!(after, 5 + 10 + 20);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let (result, after) = waited(code(120, 5), Vec::new()).await;
        assert!(matches!(result, Err(LoginError::TooLate)) && after == 120);
        let (result, after) = waited(code(u64::MAX, 5), Vec::new()).await;
        assert!(matches!(result, Err(LoginError::TooLate)) && after == 1800);
        let (result, _) = waited(code(120, 5), vec![refused("expired_token")]).await;
        assert!(matches!(result, Err(LoginError::TooLate)));
        let (result, _) = waited(code(120, 5), vec![refused("access_denied")]).await;
        assert!(matches!(result, Err(LoginError::Declined)));
        let (result, _) = waited(code(120, 5), vec![refused("invalid_client")]).await;
        assert!(matches!(result, Err(LoginError::Refused { .. })));
    }

    #[test]
    fn what_a_provider_wants_to_be_shown_cannot_drive_the_terminal() {
        assert_eq!(
            code(1, 1).told(),
            "open https://sso/device and type the code ABCD-EFGH\\u{1b}\n  or open https://sso/device?user_code=ABCD-EFGH\n"
        );
    }
}
