//! Providers of `OpenID` Connect and OAuth 2.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::check::Findings;
use crate::config::text;

/// A provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its name in logs, the audit and grants.
    pub name: String,
    /// Its URL, exactly as it stands in its tokens.
    pub issuer: String,
    /// For whom its tokens must be meant; one of these is enough.
    pub audience: Vec<String>,
    /// How its tokens may be signed.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<TokenAlgorithm>,
    /// Whether tokens must say in their header that they are access tokens (RFC 9068), as those of some providers do. Otherwise
    /// ID tokens are told by their claims.
    #[serde(default)]
    pub access_token_type_required: bool,
    /// The authorities in PEM that its certificate comes from; those of the system unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// How much its clock and ours may differ, up to 10m.
    #[serde(default = "default_clock_skew", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub clock_skew: Duration,
    /// The claim with the name of the user; dots lead into objects.
    #[serde(default = "default_name_claim")]
    pub name_claim: String,
    /// The claim with the groups of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// The claim with roles of ours that the user has everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_claim: Option<String>,
    /// Whether tokens that say nothing by themselves are shown to the provider.
    #[serde(default)]
    pub introspect: bool,
    /// Who we are to the provider then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The file that holds our secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// The environment variable that holds our secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_env: Option<String>,
    /// How long the provider's word about such a token counts, up to 10m.
    #[serde(default = "default_introspection_cache", with = "text::duration")]
    #[schemars(schema_with = "text::duration::schema")]
    pub introspection_cache: Duration,
    /// Who `opendcre login` is to the provider; without it, nobody can log in that way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_client_id: Option<String>,
    /// What `opendcre login` asks for.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The resource that `opendcre login` names (RFC 8707), where the provider wants that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// How a token may be signed (RFC 7518 §3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenAlgorithm {
    /// RSA with PKCS #1 and SHA-256.
    RS256,
    /// RSA with PKCS #1 and SHA-384.
    RS384,
    /// RSA with PKCS #1 and SHA-512.
    RS512,
    /// RSA with PSS and SHA-256.
    PS256,
    /// RSA with PSS and SHA-384.
    PS384,
    /// RSA with PSS and SHA-512.
    PS512,
    /// ECDSA with P-256.
    ES256,
    /// ECDSA with P-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

fn default_algorithms() -> Vec<TokenAlgorithm> {
    vec![TokenAlgorithm::ES256, TokenAlgorithm::RS256]
}

const fn default_clock_skew() -> Duration {
    Duration::from_secs(60)
}

fn default_name_claim() -> String {
    "sub".to_owned()
}

const fn default_introspection_cache() -> Duration {
    Duration::from_secs(30)
}

fn default_scopes() -> Vec<String> {
    vec!["openid".to_owned()]
}

impl Oidc {
    pub(super) fn check(&self, path: &str, findings: &mut Findings) {
        let key = |name: &str| format!("{path}.{name}");
        if self.audience.is_empty() {
            findings.add(key("audience"), "is empty; name for whom tokens must be meant");
        }
        if self.algorithms.is_empty() {
            findings.add(key("algorithms"), "is empty; name at least one, such as \"ES256\"");
        }
        let has_secret = self.client_secret_file.is_some() || self.client_secret_env.is_some();
        if self.introspect && (self.client_id.is_none() || !has_secret) {
            let message = "needs client_id, and client_secret_file or client_secret_env";
            findings.add(key("introspect"), message);
        }
        let most = Duration::from_secs(600);
        findings.duration(&key("clock_skew"), self.clock_skew, &(Duration::ZERO..=most));
        findings.duration(&key("introspection_cache"), self.introspection_cache, &(Duration::ZERO..=most));
    }
}
