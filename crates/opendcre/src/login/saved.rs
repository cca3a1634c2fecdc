//! A login that is kept: its token, and how that is renewed when it has expired.

use std::time::Duration;

use jiff::Timestamp;
use opendcre_auth::http_client::{Endpoint, HttpClient};
use opendcre_auth::oidc::Metadata;
use opendcre_model::WallClock;
use rustls::RootCertStore;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::grant::{self, Tokens};
use super::provider::Provider;
use super::store::{Lock, Store};
use super::token::Token;
use super::{EXCHANGE_LIMIT, LoginError};
use crate::clock::SystemClock;

/// How long before its end a token is renewed, so that it does not expire on the way.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a command waits for another one that renews the same login, and how often it looks.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// A login as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    issuer: String,
    client_id: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    access_token: Token,
    /// When it expires; nothing if the provider does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Token>,
}

/// A login with new tokens, to be kept.
///
/// # Errors
/// The provider has no token endpoint.
pub(super) fn kept(provider: &Provider, metadata: &Metadata, tokens: Tokens) -> Result<Login, LoginError> {
    let endpoint = metadata.token_endpoint.as_ref().ok_or(LoginError::Unsupported("token_endpoint"))?;
    Ok(Login {
        issuer: provider.issuer.clone(),
        client_id: provider.client_id.clone(),
        token_endpoint: endpoint.to_string(),
        resource: provider.resource.clone(),
        expires: expiry(&tokens, SystemClock.now()),
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
    })
}

fn expiry(tokens: &Tokens, now: Timestamp) -> Option<Timestamp> {
    tokens.lifetime().and_then(|lifetime| now.checked_add(lifetime).ok())
}

impl Login {
    /// The token, if it counts for a while yet.
    fn current(&self, now: Timestamp) -> Option<SecretString> {
        let is_near = |expires: Timestamp| now.checked_add(MARGIN).is_ok_and(|soon| soon < expires);
        self.expires.is_none_or(is_near).then(|| self.access_token.secret())
    }

    /// The same with new tokens. A provider that sends no new refresh token means that the old one still counts
    /// (RFC 6749 §6).
    fn renewed(&self, tokens: Tokens, now: Timestamp) -> Self {
        Self {
            expires: expiry(&tokens, now),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token.or_else(|| self.refresh_token.clone()),
            ..self.clone()
        }
    }
}

/// The login that is kept for a server.
#[derive(Debug)]
pub(crate) struct SavedLogin {
    store: Store,
    server: String,
}

impl SavedLogin {
    /// The one for `server`, if there is one.
    ///
    /// # Errors
    /// What is kept cannot be read.
    pub(crate) fn find(server: &str) -> Result<Option<Self>, LoginError> {
        // Where nothing can be kept, nothing is kept.
        let Ok(store) = Store::of_user() else { return Ok(None) };
        let is_there = store.load()?.contains_key(server);
        Ok(is_there.then(|| Self { store, server: server.to_owned() }))
    }

    /// Its token, if that counts for a while yet.
    ///
    /// # Errors
    /// What is kept cannot be read, or nothing is kept any more.
    pub(crate) fn current(&self) -> Result<Option<SecretString>, LoginError> {
        Ok(self.load()?.current(SystemClock.now()))
    }

    /// A new token from the provider, which is trusted for `authorities`. One command renews it at a time: a refresh token
    /// often counts only once, and who comes second with it ends the login for both (RFC 9700 §4.14.2).
    ///
    /// # Errors
    /// The provider cannot be asked, or the login has expired.
    pub(crate) async fn renew(&self, authorities: RootCertStore) -> Result<SecretString, LoginError> {
        let _lock = timeout(LOCK_PATIENCE, self.lock()).await.map_err(|_| LoginError::Locked)??;
        // Somebody else may have renewed it in the meantime.
        let login = self.load()?;
        if let Some(token) = login.current(SystemClock.now()) {
            return Ok(token);
        }
        let tokens = self.ask(&login, authorities).await?;
        let renewed = login.renewed(tokens, SystemClock.now());
        let token = renewed.access_token.secret();
        self.store.change_locked(|servers| servers.insert(self.server.clone(), renewed))?;
        Ok(token)
    }

    async fn ask(&self, login: &Login, authorities: RootCertStore) -> Result<Tokens, LoginError> {
        let expired = || LoginError::Expired(self.server.clone());
        let refresh_token = login.refresh_token.as_ref().ok_or_else(expired)?;
        let endpoint: Endpoint = login.token_endpoint.parse()?;
        let http = HttpClient::new(authorities, EXCHANGE_LIMIT)?;
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("client_id", &login.client_id),
            ("refresh_token", refresh_token.expose()),
        ];
        form.extend(login.resource.as_deref().map(|resource| ("resource", resource)));
        match grant::ask(&http, &endpoint, &form).await {
            Err(LoginError::Refused { code, .. }) if code == "invalid_grant" => Err(expired()),
            other => other,
        }
    }

    fn load(&self) -> Result<Login, LoginError> {
        let kept = self.store.load()?.remove(&self.server);
        kept.ok_or_else(|| LoginError::Expired(self.server.clone()))
    }

    /// Looks again and again, because a command must not stand still while it waits for another one.
    async fn lock(&self) -> Result<Lock, LoginError> {
        loop {
            if let Some(lock) = self.store.try_lock()? {
                return Ok(lock);
            }
            sleep(LOCK_INTERVAL).await;
        }
    }
}

#[cfg(test)]
#[path = "saved/tests.rs"]
mod tests;
