//! What a provider says about itself (`OpenID` Connect Discovery 1.0 §3, §4).

use serde::Deserialize;
use thiserror::Error;

use crate::http_client::{Endpoint, EndpointError, HttpClient, HttpClientError};

/// Where a provider says it, below its issuer.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Why a provider is not believed, or cannot be asked, about itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DiscoveryError {
    /// The issuer is no address.
    #[error(transparent)]
    Address(#[from] EndpointError),
    /// There is no answer.
    #[error(transparent)]
    Http(#[from] HttpClientError),
    /// It is somebody else (§4.3).
    #[error("the provider at {expected} calls itself {found:?}; the two must be the same to the letter")]
    OtherIssuer {
        /// Who was asked.
        expected: String,
        /// Who answered.
        found: String,
    },
}

/// What a provider says about itself, as far as it is used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    issuer: String,
    /// Where its keys are.
    pub jwks_uri: Endpoint,
    /// Where people log in.
    pub authorization_endpoint: Option<Endpoint>,
    /// Where tokens are given out.
    pub token_endpoint: Option<Endpoint>,
    /// Where a device asks to be let in (RFC 8628 §4).
    pub device_authorization_endpoint: Option<Endpoint>,
    /// Where it can be asked about tokens (RFC 8414 §2).
    pub introspection_endpoint: Option<Endpoint>,
    /// Whether it names itself when it sends somebody back (RFC 9207 §3).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Asks the provider that `issuer` names.
    ///
    /// # Errors
    /// It does not answer, or is another one.
    pub async fn discover(http: &HttpClient, issuer: &str) -> Result<Self, DiscoveryError> {
        let found: Self = http.get(&address(issuer)?).await?;
        if found.issuer != issuer {
            return Err(DiscoveryError::OtherIssuer { expected: issuer.to_owned(), found: found.issuer });
        }
        Ok(found)
    }
}

/// Where a provider says what it says about itself (§4.1: without a slash before it that ends the issuer).
pub(super) fn address(issuer: &str) -> Result<Endpoint, EndpointError> {
    format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')).parse()
}
