//! Logging in on a page that is opened in a browser on this machine: an authorization code with PKCE (RFC 7636), which
//! comes back to a port of this machine (RFC 8252 §7.3).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use opendcre_auth::http_client::HttpClient;
use opendcre_auth::oidc::Metadata;
use reqwest::Url;
use sha2::{Digest, Sha256};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::LoginError;
use super::grant::{self, Tokens};
use super::provider::Provider;
use super::random::unguessable;

/// Where the browser comes back.
const PATH: &str = "/callback";
/// How long somebody has to log in.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How long a browser has to say what it wants, and how much it may say.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// What nobody but the two of us knows about one login.
struct Secrets {
    /// What the browser must bring back (RFC 6749 §10.12).
    state: String,
    /// What shows that the code is brought by whoever has asked for it.
    verifier: String,
}

/// What a browser brings back.
#[derive(Debug, PartialEq, Eq)]
enum Callback {
    /// A code that is worth tokens.
    Code(String),
    /// Why there is none.
    Refused { code: String, description: String },
    /// The code of another provider (RFC 9207 §2.4).
    OtherProvider,
}

/// Lets somebody log in in a browser, and waits for it to come back.
pub(super) async fn obtain(
    provider: &Provider,
    metadata: &Metadata,
    http: &HttpClient,
    mut tell: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Tokens> {
    let page = metadata.authorization_endpoint.as_ref();
    let page = page.ok_or(LoginError::Unsupported("authorization_endpoint"))?;
    let endpoint = metadata.token_endpoint.as_ref().ok_or(LoginError::Unsupported("token_endpoint"))?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(LoginError::Listen)?;
    let port = listener.local_addr().map_err(LoginError::Listen)?.port();
    let redirect = format!("http://127.0.0.1:{port}{PATH}");
    let secrets = Secrets { state: unguessable()?, verifier: unguessable()? };
    let (scope, challenge) = (provider.scope(), challenge(&secrets.verifier));
    let mut parameters = provider.parameters(&scope);
    parameters.extend([
        ("response_type", "code"),
        ("redirect_uri", &redirect),
        ("state", &secrets.state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    tell(&format!("open this page in a browser on this machine:\n{}\n", page.with_query(&parameters)))?;
    let judge = |target: &str| callback(target, &secrets.state, provider, metadata);
    let returned = timeout(PATIENCE, wait(&listener, judge)).await.map_err(|_| LoginError::TooLate)?;
    let code = match returned.map_err(LoginError::Listen)? {
        Callback::Code(code) => code,
        Callback::Refused { code, .. } if code == "access_denied" => return Err(LoginError::Declined.into()),
        Callback::Refused { code, description } => {
            return Err(LoginError::Refused { code, description }.into());
        }
        Callback::OtherProvider => return Err(LoginError::OtherProvider.into()),
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &provider.client_id),
        ("code", &code),
        ("redirect_uri", &redirect),
        ("code_verifier", &secrets.verifier),
    ];
    Ok(grant::ask(http, endpoint, &form).await?)
}

/// What the provider is told about the verifier (RFC 7636 §4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// What the target of a request brings back; nothing if it does not belong to this login. Others on this machine can
/// knock here, but they do not know the state.
fn callback(target: &str, state: &str, provider: &Provider, metadata: &Metadata) -> Option<Callback> {
    let url = Url::parse("http://127.0.0.1").ok()?.join(target).ok()?;
    let value = |name: &str| {
        let mut values =
            url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        values.next().filter(|_| values.next().is_none())
    };
    if !target.starts_with('/') || url.path() != PATH || value("state")? != state {
        return None;
    }
    let issuer = value("iss");
    let must_name_itself = metadata.authorization_response_iss_parameter_supported;
    if issuer.as_ref().map_or(must_name_itself, |issuer| *issuer != provider.issuer) {
        return Some(Callback::OtherProvider);
    }
    match (value("code"), value("error")) {
        (Some(code), None) => Some(Callback::Code(code)),
        (_, Some(code)) => {
            let description = value("error_description").unwrap_or_default();
            Some(Callback::Refused { code, description })
        }
        (None, None) => None,
    }
}

/// Answers browsers until one brings back what belongs to this login.
async fn wait(listener: &TcpListener, judge: impl Fn(&str) -> Option<Callback>) -> std::io::Result<Callback> {
    loop {
        let (stream, _) = listener.accept().await?;
        let head = timeout(REQUEST_LIMIT, read_head(&stream)).await;
        // Whoever says nothing, or breaks off, is not the one who is waited for.
        let Ok(Ok(head)) = head else { continue };
        let returned = target(&head).and_then(&judge);
        let answer = match &returned {
            Some(Callback::Code(_)) => page("200 OK", "You are logged in. You may close this page."),
            Some(_) => page("400 Bad Request", "The login has failed. The program says why."),
            None => page("404 Not Found", "There is nothing here."),
        };
        // A browser that does not wait for its answer has brought what it had nevertheless.
        let (Ok(_) | Err(_)) = timeout(REQUEST_LIMIT, write(&stream, answer.as_bytes())).await;
        if let Some(returned) = returned {
            return Ok(returned);
        }
    }
}

/// The target of a GET request (RFC 9112 §3).
fn target(head: &str) -> Option<&str> {
    let mut words = head.lines().next()?.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("GET"), Some(target), Some(version), None) if version.starts_with("HTTP/1.") => Some(target),
        _ => None,
    }
}

/// A page that nothing can be done with, and that is kept nowhere.
fn page(status: &str, text: &str) -> String {
    let body = format!("<!doctype html><html lang=\"en\"><title>OpenDCRE</title><p>{text}</p></html>\n");
    format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\n\
         Cache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The head of a request, which ends with an empty line.
async fn read_head(stream: &TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.ready(Interest::READABLE).await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => head.extend(buffer.iter().take(length)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if head.len() > MAX_REQUEST_BYTES {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
    String::from_utf8(head).map_err(|_| std::io::ErrorKind::InvalidData.into())
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        stream.ready(Interest::WRITABLE).await?;
        match stream.try_write(bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "browser/tests.rs"]
mod tests;
