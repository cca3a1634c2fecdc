//! Asks other servers over HTTPS: bounded answers, bounded time, no redirects, no detours over proxies.
//!
//! It knows TLS and HTTP, and nothing of what is asked. TLS is rustls with ring; who is trusted is said by [`roots`].

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION};
use reqwest::{Client, RequestBuilder, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The longest answer that is held in memory. What providers say about themselves has some ten thousand bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Why an address is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It is no URL.
    #[error("{text:?} is no URL: {reason}")]
    Malformed {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Everybody on the way could read along and answer.
    #[error("{0:?} is no https URL; only servers on this machine may be asked without TLS")]
    Insecure(String),
}

/// Why there are no authorities to trust.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustError {
    /// The text is not PEM.
    #[error("the authorities are not certificates in PEM: {0}")]
    Malformed(String),
    /// There is nobody to trust in it.
    #[error("there is no certificate of an authority; write them there in PEM")]
    Empty,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpClientError {
    /// Nobody answered, or the connection broke.
    #[error("{endpoint} does not answer: {reason}")]
    Transport {
        /// Who was asked.
        endpoint: String,
        /// The innermost reason.
        reason: String,
    },
    /// The answer has another status.
    #[error("{endpoint} answers with status {status}")]
    Status {
        /// Who was asked.
        endpoint: String,
        /// The status.
        status: u16,
    },
    /// The answer is longer than anything useful.
    #[error("the answer of {endpoint} is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong {
        /// Who was asked.
        endpoint: String,
    },
    /// The answer is not what it should be.
    #[error("the answer of {endpoint} is of no use: {reason}")]
    Malformed {
        /// Who was asked.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// This side cannot talk at all.
    #[error("cannot prepare to talk over TLS: {0}")]
    Setup(String),
}

/// Where something can be asked: an `https` URL, or an `http` URL of this machine.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint(Url);

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = |reason: String| EndpointError::Malformed { text: text.to_owned(), reason };
        let url = Url::parse(text).map_err(|error| malformed(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(malformed("it must not hold a user, a password or a fragment".to_owned()));
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            _ => Err(EndpointError::Insecure(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl Endpoint {
    /// The same with these parameters added to its query.
    #[must_use]
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        url.into()
    }
}

/// Whether a URL leads to this machine: `localhost` (RFC 6761 §6.3) or a loopback address.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whom to trust: the authorities in `pem`, or those of the system if nothing is given.
///
/// # Errors
/// `pem` is not PEM, or holds no certificate.
pub fn roots(pem: Option<&[u8]>) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = pem else {
        // What the system has and rustls does not understand helps nobody; a system without any trusts nobody.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TrustError::Malformed(error.to_string()))?;
        roots.add(certificate).map_err(|error| TrustError::Malformed(error.to_string()))?;
    }
    if roots.is_empty() { Err(TrustError::Empty) } else { Ok(roots) }
}

/// A name and a secret that a client of a provider has.
#[derive(Debug, Clone)]
pub struct ClientSecret {
    /// The name.
    pub id: String,
    /// The secret.
    pub secret: SecretString,
}

impl ClientSecret {
    /// The value of the `Authorization` field: both are form-encoded first (RFC 6749 §2.3.1).
    fn basic(&self) -> Option<HeaderValue> {
        let pair = format!("{}:{}", form_encoded(&self.id), form_encoded(self.secret.expose_secret()));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Percent-encodes everything but what RFC 3986 §2.3 calls unreserved.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Asks other servers. Clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client,
}

impl HttpClient {
    /// Trusts `roots`, and gives up an exchange that has taken `limit` as a whole.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(roots: RootCertStore, limit: Duration) -> Result<Self, HttpClientError> {
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .map_err(|error| HttpClientError::Setup(error.to_string()))?;
        let client = Client::builder()
            .user_agent(concat!("opendcre/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls.with_root_certificates(roots).with_no_client_auth())
            // A token or a secret must go to the server that was named, not to wherever somebody else points.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(limit)
            .build()
            .map_err(|error| HttpClientError::Setup(root_cause(&error)))?;
        Ok(Self { client })
    }

    /// Asks for a document in JSON.
    ///
    /// # Errors
    /// There is no answer, its status is not 200, or it is no such document.
    pub async fn get<T: DeserializeOwned>(&self, endpoint: &Endpoint) -> Result<T, HttpClientError> {
        exchange(endpoint, self.client.get(endpoint.0.clone())).await?.ok()
    }

    /// Sends a form, with the secret of the client if it has one.
    ///
    /// # Errors
    /// There is no answer. Its status may be any.
    pub async fn post_form(
        &self,
        endpoint: &Endpoint,
        form: &[(&str, &str)],
        client: Option<&ClientSecret>,
    ) -> Result<Answer, HttpClientError> {
        let mut request = self.client.post(endpoint.0.clone()).form(form);
        if let Some(client) = client {
            let no_field = || HttpClientError::Setup("the client id is not fit for a header".to_owned());
            request = request.header(AUTHORIZATION, client.basic().ok_or_else(no_field)?);
        }
        exchange(endpoint, request).await
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    endpoint: String,
    body: Vec<u8>,
}

impl Answer {
    /// The document in the answer, whatever its status.
    ///
    /// # Errors
    /// It is no such document.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpClientError> {
        let malformed = |error: serde_json::Error| HttpClientError::Malformed {
            endpoint: self.endpoint.clone(),
            reason: error.to_string(),
        };
        serde_json::from_slice(&self.body).map_err(malformed)
    }

    /// The document in a good answer.
    ///
    /// # Errors
    /// The status is not 200, or it is no such document.
    pub fn ok<T: DeserializeOwned>(&self) -> Result<T, HttpClientError> {
        match self.status {
            200 => self.json(),
            status => Err(HttpClientError::Status { endpoint: self.endpoint.clone(), status }),
        }
    }
}

async fn exchange(endpoint: &Endpoint, request: RequestBuilder) -> Result<Answer, HttpClientError> {
    let endpoint = endpoint.to_string();
    let transport = |error: reqwest::Error| HttpClientError::Transport {
        endpoint: endpoint.clone(),
        reason: root_cause(&error),
    };
    let mut response = request.header(ACCEPT, "application/json").send().await.map_err(transport)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(HttpClientError::TooLong { endpoint });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: response.status().as_u16(), endpoint, body })
}

/// The innermost error: the one that says what went wrong.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
#[path = "http_client/tests.rs"]
mod tests;
