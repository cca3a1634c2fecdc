//! `opendcre login` and `opendcre logout`: gets a token from a provider of `OpenID` Connect, and keeps it for a server.
//!
//! The provider asks people who they are; this program never sees their password. Two ways lead there: a code that is
//! typed into a browser on any device (RFC 8628), and a page that is opened in a browser on this machine (RFC 8252 with
//! PKCE). What comes of it is kept by [`store`] and renewed by [`SavedLogin`]. Whether a token counts is for the server
//! to say.

mod browser;
mod device;
mod error;
mod grant;
mod provider;
mod random;
mod saved;
mod store;
#[cfg(test)]
mod testing;
mod token;

use std::io::Write;
use std::time::Duration;

use opendcre_auth::http_client::HttpClient;
use opendcre_auth::oidc::Metadata;
use tokio::runtime;

use crate::cli::{ClientOptions, LoginArgs};
use crate::{client, output};

pub(crate) use self::error::LoginError;
use self::grant::Tokens;
use self::provider::Provider;
pub(crate) use self::saved::SavedLogin;
use self::saved::kept;
use self::store::Store;

/// How long one exchange with a provider takes at most.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(10);

/// Logs in, and keeps what comes of it.
///
/// # Errors
/// Nobody has logged in.
pub(crate) fn login(args: &LoginArgs, options: &ClientOptions, out: &mut impl Write) -> anyhow::Result<()> {
    let server = client::login_target(options)?;
    let store = Store::of_user()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let tokens = runtime.block_on(async {
        let provider = match Provider::of_options(args) {
            Some(provider) => provider,
            None => provider::choose(args, client::ask_openly(options, &["auth", "providers"]).await?)?,
        };
        let http = HttpClient::new(client::authorities(options)?, EXCHANGE_LIMIT)?;
        let metadata = Metadata::discover(&http, &provider.issuer).await?;
        let tokens = obtain(args, &provider, &metadata, &http, out).await?;
        anyhow::Ok(kept(&provider, &metadata, tokens)?)
    })?;
    store.change(|servers| servers.insert(server.clone(), tokens).is_some())?;
    output::print(out, &format!("logged in to {server}\n"))
}

/// Forgets what is kept for a server.
///
/// # Errors
/// What is kept cannot be changed.
pub(crate) fn logout(options: &ClientOptions, out: &mut impl Write) -> anyhow::Result<()> {
    let server = client::login_target(options)?;
    let was_there = Store::of_user()?.change(|servers| servers.remove(&server).is_some())?;
    let said = if was_there { "logged out of" } else { "was not logged in to" };
    output::print(out, &format!("{said} {server}\n"))
}

/// Gets tokens in the way that `args` want, or else in the one that the provider offers.
async fn obtain(
    args: &LoginArgs,
    provider: &Provider,
    metadata: &Metadata,
    http: &HttpClient,
    out: &mut impl Write,
) -> anyhow::Result<Tokens> {
    let by_device = args.device || !args.browser && metadata.device_authorization_endpoint.is_some();
    let tell = |text: &str| output::print(out, text);
    if by_device {
        device::obtain(provider, metadata, http, tell).await
    } else {
        browser::obtain(provider, metadata, http, tell).await
    }
}
