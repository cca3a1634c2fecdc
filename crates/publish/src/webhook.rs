//! Webhooks: each event as a signed POST over HTTP. It knows neither which events are delivered nor when.
//!
//! The signature is an HMAC (RFC 2104) with SHA-256 over the time of sending, a full stop and the body, so that nobody who
//! has recorded a request can send it again later.

mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::WallClock;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::RootCertStore;
use secrecy::SecretString;

use crate::courier::{Destination, Failure};
use crate::filter::Filter;
use crate::http;
use crate::notice::{Body, Notice};
use crate::tls::{self, Identity};

/// What tells a notice from others, also when it is delivered again.
const EVENT: &str = "x-opendcre-event";
/// When it was sent, in seconds since 1970.
const TIMESTAMP: &str = "x-opendcre-timestamp";
const SIGNATURE: &str = "x-opendcre-signature";

/// A webhook.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Its name: what may stand in the name of a file.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
    /// The secret that events are signed with.
    pub secret: SecretString,
    /// Whose certificates are trusted.
    pub roots: RootCertStore,
    /// Who we are to the receiver, if it wants to know.
    pub identity: Option<Identity>,
    /// How long one request may take.
    pub timeout: Duration,
    /// For how long the same event is tried.
    pub patience: Duration,
    /// Which events are delivered.
    pub filter: Filter,
}

/// Where events are posted to.
pub(crate) struct Webhook {
    client: Client,
    url: Url,
    secret: SecretString,
    /// Who posts.
    source: String,
    clock: Arc<dyn WallClock>,
}

impl Webhook {
    /// A webhook that posts in the name of `source`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn new(
        settings: &WebhookSettings,
        source: &str,
        clock: Arc<dyn WallClock>,
    ) -> Result<Self, String> {
        let url = Url::parse(&settings.url).map_err(|error| format!("url: {error}"))?;
        let tls = tls::client(settings.roots.clone(), settings.identity.as_ref())
            .map_err(|error| error.to_string())?;
        let client = http::client(tls, settings.timeout)?;
        Ok(Self { client, url, secret: settings.secret.clone(), source: source.to_owned(), clock })
    }

    async fn post(&self, notice: &Notice) -> Result<Response, Failure> {
        let body = Body { source: &self.source, notice }.to_json()?;
        let timestamp = self.clock.now().as_second().to_string();
        let signature = signature::sign(&self.secret, &timestamp, &body);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(EVENT, notice.id())
            .header(TIMESTAMP, timestamp)
            .header(SIGNATURE, signature)
            .body(body);
        request.send().await.map_err(|error| Failure::Later(http::root_cause(&error), None))
    }
}

impl Destination for Webhook {
    async fn deliver(&mut self, notice: &Notice) -> Result<(), Failure> {
        let mut response = self.post(notice).await?;
        let outcome = judge(response.status(), response.headers(), self.clock.now());
        // What the answer says plays no part, nor whether it is whole; the connection can be used again if it is.
        let _ = http::body(&mut response).await;
        outcome
    }
}

/// What an answer means: whatever the receiver does not understand, it will not understand the next time.
fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("the receiver answers with status {}", status.as_u16());
    let may_change = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !may_change {
        return Err(Failure::Never(reason));
    }
    Err(Failure::Later(reason, http::retry_after(headers, now)))
}
