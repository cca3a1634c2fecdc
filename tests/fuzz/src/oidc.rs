//! Any texts as a token, its header, its claims, and what its provider publishes.
//!
//! The promises: a token is believed only if its issuer, its audience and its time are ours, and only as it was signed;
//! the name, the groups and the roles of whoever is let in stand in its claims and can be seen; what a provider publishes
//! is refused or used, and lets nobody in by itself.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use opendcre_auth::Failure;
use opendcre_auth::oidc::fuzz::Published;
use opendcre_auth::oidc::{
    ClaimPath, ClaimPaths, Metadata, Oidc, OidcSettings, STALE_KEYS, SigningAlgorithm,
};
use opendcre_model::{Login, Subject, WallClock};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::runtime::wait;
use crate::{is_name, is_printable};

const ISSUER: &str = "https://sso.example";
const AUDIENCE: &str = "opendcre";
const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const SKEW: Duration = Duration::from_secs(60);
/// The name of the key that signs, in what the provider publishes.
const KEY_ID: &str = "k";
/// What makes the key that signs, which protects nothing.
const SEED: [u8; 32] = [7; 32];
/// The most groups, and the most roles.
const MAX_NAMES: usize = 1000;

static PROVIDER: LazyLock<Oidc> = LazyLock::new(|| {
    let path = |text: &str| Some(ClaimPath::new(text));
    let settings = OidcSettings {
        name: "sso".to_owned(),
        issuer: ISSUER.to_owned(),
        audience: vec![AUDIENCE.to_owned()],
        algorithms: SigningAlgorithm::ALL.to_vec(),
        ca: None,
        clock_skew: SKEW,
        claims: ClaimPaths {
            name: ClaimPath::new("name"),
            groups: path("groups"),
            roles: path("access.opendcre.roles"),
        },
        access_token_type_required: false,
        introspection: None,
        stale_keys: STALE_KEYS,
    };
    match Oidc::new(settings, Arc::new(Stopped)) {
        Ok(provider) => provider,
        Err(error) => panic!("{error}"),
    }
});

static KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| match Ed25519KeyPair::from_seed_unchecked(&SEED) {
    Ok(key) => key,
    Err(error) => panic!("{error}"),
});

/// The header of a token, its claims, the keys and the description of a provider, each on a line; all of it as a token.
pub fn oidc(data: &[u8]) {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let [header, claims, keys, metadata] = [(); 4].map(|()| lines.next().unwrap_or_default());
    check_raw(data);
    check_signed(header, claims);
    check_keys(header, claims, keys);
    check_introspected(claims);
    check_metadata(metadata);
}

/// Nobody can sign by chance.
fn check_raw(data: &[u8]) {
    let Ok(token) = str::from_utf8(data) else { return };
    let _ = PROVIDER.may_have_issued(token);
    assert_printable(&wait(PROVIDER.publishing(published()).authenticate(token)));
}

/// A token that is really signed, and what becomes of it when one bit is another.
fn check_signed(header: &[u8], claims: &[u8]) {
    let token = sign(header, claims);
    let provider = PROVIDER.publishing(published());
    let answer = wait(provider.authenticate(&token));
    // Which one of several reasons to refuse it is given may differ.
    assert_eq!(answer.as_ref().ok(), wait(provider.authenticate(&token)).as_ref().ok());
    assert_printable(&answer);
    let Ok(subject) = answer else { return };
    assert!(provider.may_have_issued(&token));
    check_believed(&subject, claims);
    check_subject(&subject, claims);
    for forged in forgeries(&token, claims) {
        assert!(wait(provider.authenticate(&forged)).is_err(), "{forged}");
    }
}

/// Whatever a provider publishes, nobody gets in with a token that says something else.
fn check_keys(header: &[u8], claims: &[u8], keys: &[u8]) {
    let published = Published { keys: keys.to_vec(), ..published() };
    let answer = wait(PROVIDER.publishing(published).authenticate(&sign(header, claims)));
    if let Ok(subject) = &answer {
        check_believed(subject, claims);
        check_subject(subject, claims);
    }
    let documents = Published { metadata: keys.to_vec(), keys: keys.to_vec() };
    let unknown = wait(PROVIDER.publishing(documents).authenticate(&sign(header, claims)));
    assert!(answer.is_ok() || unknown.is_err(), "{unknown:?}");
}

fn check_introspected(answer: &[u8]) {
    if let Ok(subject) = PROVIDER.introspected(answer) {
        let said = Said::read(answer);
        assert_eq!(said.at("/active"), &Value::Bool(true));
        assert!(said.is_for_us(), "{said:?}");
        check_subject(&subject, answer);
    }
}

fn check_metadata(document: &[u8]) {
    let Ok(metadata) = serde_json::from_slice::<Metadata>(document) else { return };
    let Metadata { jwks_uri, authorization_endpoint, token_endpoint, introspection_endpoint, .. } = metadata;
    let others = [authorization_endpoint, token_endpoint, introspection_endpoint];
    for endpoint in others.into_iter().flatten().chain([jwks_uri]) {
        let text = endpoint.to_string();
        assert!(text.starts_with("https://") || text.starts_with("http://"), "{text}");
        assert!(is_printable(&text) && !text.contains(' '), "{text:?}");
        assert_eq!(text.parse().as_ref(), Ok(&endpoint), "{text}");
    }
}

fn assert_printable(answer: &Result<Subject, Failure>) {
    if let Err(Failure::Rejected { reason } | Failure::Unavailable { reason, .. }) = answer {
        assert!(is_printable(reason), "{reason:?}");
    }
}

/// What another reader of the claims finds in them.
fn check_believed(subject: &Subject, claims: &[u8]) {
    let said = Said::read(claims);
    assert_eq!(said.at("/iss"), ISSUER);
    assert!(said.is_for_us(), "{said:?}");
    assert!(said.at("/sub").as_str().is_some_and(|sub| !sub.is_empty()), "{said:?}");
    let earliest = NOW.as_duration().as_secs_f64() - SKEW.as_secs_f64();
    assert!(said.at("/exp").as_f64().is_some_and(|expiry| expiry >= earliest), "{said:?}");
    assert!(said.0.get("cnf").is_none(), "{said:?}");
    assert_eq!((subject.login, subject.provider.as_str()), (Login::Oidc, "sso"));
}

fn check_subject(subject: &Subject, claims: &[u8]) {
    let said = Said::read(claims);
    assert_eq!(said.at("/name"), subject.name.as_str());
    assert!(is_name(&subject.name), "{subject:?}");
    let groups: Vec<&str> = subject.groups.iter().map(String::as_str).collect();
    let roles: Vec<&str> = subject.grants.iter().map(|grant| grant.role.as_str()).collect();
    assert!(subject.grants.iter().all(|grant| grant.extent.is_everywhere()));
    // A claim that is called like the whole path counts first.
    let nested = said.at("/access/opendcre/roles");
    let said_roles = said.0.get("access.opendcre.roles").unwrap_or(nested);
    for (names, said) in [(groups, said.at("/groups")), (roles, said_roles)] {
        assert!(names.len() <= MAX_NAMES && names.iter().all(|name| is_name(name)), "{names:?}");
        assert!(*said == json!(names) || (said.is_null() && names.is_empty()), "{names:?} {said}");
    }
}

/// What a document says, as a reader sees it that promises nothing.
#[derive(Debug)]
struct Said(Value);

impl Said {
    fn read(document: &[u8]) -> Self {
        match serde_json::from_slice(document) {
            Ok(value) => Self(value),
            Err(error) => panic!("{error}"),
        }
    }

    /// What stands at a path (RFC 6901); null if nothing does.
    fn at(&self, path: &str) -> &Value {
        self.0.pointer(path).unwrap_or(&Value::Null)
    }

    fn is_for_us(&self) -> bool {
        let audience = self.at("/aud");
        let several = audience.as_array().map_or(std::slice::from_ref(audience), Vec::as_slice);
        several.iter().any(|one| one == AUDIENCE)
    }
}

fn sign(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(KEY.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// The token with another signature, and with other claims.
fn forgeries(token: &str, claims: &[u8]) -> [String; 3] {
    let (message, signature) = token.rsplit_once('.').unwrap_or_default();
    let (header, _) = message.split_once('.').unwrap_or_default();
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    if let Some(byte) = flipped.first_mut() {
        *byte ^= 1;
    }
    let claims = URL_SAFE_NO_PAD.encode([claims, b" "].concat());
    [
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(flipped)),
        format!("{header}.{claims}.{signature}"),
        format!("{message}."),
    ]
}

fn published() -> Published {
    let metadata = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys") });
    let public = URL_SAFE_NO_PAD.encode(KEY.public_key());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KEY_ID, "x": public });
    Published { metadata: metadata.to_string().into(), keys: json!({ "keys": [key] }).to_string().into() }
}

struct Stopped;

impl WallClock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}
