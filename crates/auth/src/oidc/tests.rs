//! A provider over HTTP, with its faults.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::testing::{NOW, Saying, Server, Stopped, TestKey, good_claims};
use super::*;
use crate::http_client::ClientSecret;

fn settings(issuer: &str) -> OidcSettings {
    OidcSettings {
        name: "sso".to_owned(),
        issuer: issuer.to_owned(),
        audience: vec!["opendcre".to_owned()],
        algorithms: vec![SigningAlgorithm::Es256, SigningAlgorithm::Rs256],
        ca: None,
        clock_skew: Duration::from_secs(60),
        claims: ClaimPaths {
            name: ClaimPath::new("sub"),
            groups: Some(ClaimPath::new("groups")),
            roles: None,
        },
        access_token_type_required: false,
        introspection: None,
        stale_keys: STALE_KEYS,
    }
}

fn introspecting(issuer: &str) -> OidcSettings {
    let client = ClientSecret { id: "api".to_owned(), secret: SecretString::from("api-secret") };
    let introspection = Some(IntrospectionSettings { client, cache: Duration::from_secs(30) });
    OidcSettings { introspection, ..settings(issuer) }
}

fn oidc(settings: OidcSettings) -> Oidc {
    Oidc::new(settings, Arc::new(Stopped(NOW))).unwrap()
}

fn is_rejected(result: &Result<Subject, Failure>) -> bool {
    matches!(result, Err(Failure::Rejected { .. }))
}

fn is_unavailable(result: &Result<Subject, Failure>) -> bool {
    matches!(result, Err(Failure::Unavailable { provider, .. }) if provider == "sso")
}

#[tokio::test]
async fn a_token_is_verified_once_and_then_known() {
    let (server, key) = (Server::start().await, TestKey::es256("k"));
    server.publish(&[&key]);
    let oidc = oidc(settings(&server.address));
    let token = key.token(&good_claims(&server.address, NOW));
    assert!(oidc.may_have_issued(&token));
    for _ in 0..3 {
        let subject = oidc.authenticate(&token).await.unwrap();
        assert_eq!((subject.name.as_str(), subject.provider.as_str()), ("ada", "sso"));
        assert_eq!(subject.groups, ["ops"]);
    }
    assert_eq!(server.asked("/jwks").len(), 1);
    assert!(oidc.verified.get(TokenHash::of(&token)).is_some());
    assert!(!format!("{oidc:?}").contains(&token));
}

#[tokio::test]
async fn only_tokens_that_name_the_provider_are_shown_to_it() {
    let key = TestKey::es256("k");
    let (jwt, other) = (good_claims("https://a.example", NOW), good_claims("https://b.example", NOW));
    let (jwt, other) = (key.token(&jwt), key.token(&other));
    let plain = oidc(settings("https://a.example"));
    assert!(plain.may_have_issued(&jwt) && !plain.may_have_issued(&other));
    assert!(!plain.may_have_issued("opaque") && is_rejected(&plain.authenticate("opaque").await));
    let asking = oidc(introspecting("https://a.example"));
    assert!(asking.may_have_issued(&jwt) && !asking.may_have_issued(&other));
    assert!(asking.may_have_issued("opaque"));
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_anybody() {
    let server = Server::start().await;
    let oidc = oidc(introspecting(&server.address));
    for token in [String::new(), "a b".to_owned(), "ä".to_owned(), "a\nb".to_owned(), "a".repeat(16385)] {
        assert!(is_rejected(&oidc.authenticate(&token).await));
    }
    assert!(server.asked("/.well-known/openid-configuration").is_empty());
}

#[tokio::test]
async fn a_provider_with_a_fault_means_that_nobody_knows() {
    let (server, key) = (Server::start().await, TestKey::es256("k"));
    let token = key.token(&good_claims(&server.address, NOW));
    let keys = json!({"keys": [key.jwk()]});
    let many = json!({"keys": vec![key.jwk(); 101]});
    for saying in [
        Saying::Answer(500, keys.to_string().into_bytes()),
        Saying::Answer(200, b"{\"keys\":[{".to_vec()),
        Saying::Answer(200, vec![b' '; 2 * 1024 * 1024]),
        Saying::document(&json!({"keys": []})),
        Saying::document(&many),
        Saying::Redirect(format!("{}/elsewhere", server.address)),
    ] {
        server.publish(&[&key]);
        server.say("/elsewhere", Saying::document(&keys));
        server.say("/jwks", saying);
        let result = oidc(settings(&server.address)).authenticate(&token).await;
        assert!(is_unavailable(&result), "{result:?}");
    }
    for document in [
        json!({"issuer": format!("{}/", server.address), "jwks_uri": format!("{}/jwks", server.address)}),
        json!({"issuer": server.address, "jwks_uri": "http://keys.example/jwks"}),
        json!({"issuer": server.address}),
    ] {
        server.say("/.well-known/openid-configuration", Saying::document(&document));
        let result = oidc(settings(&server.address)).authenticate(&token).await;
        assert!(is_unavailable(&result), "{result:?}");
    }
    let nobody = oidc(settings("http://127.0.0.1:9"));
    let token = key.token(&good_claims("http://127.0.0.1:9", NOW));
    assert!(is_unavailable(&nobody.authenticate(&token).await));
}

#[tokio::test]
async fn a_forged_token_is_refused_and_its_key_asked_for_once() {
    let (server, key) = (Server::start().await, TestKey::es256("k"));
    server.publish(&[&key]);
    let oidc = oidc(settings(&server.address));
    let claims = good_claims(&server.address, NOW);
    for forger in [TestKey::es256("k"), TestKey::es256("x"), TestKey::rsa("k"), TestKey::ed25519("k")] {
        assert!(is_rejected(&oidc.authenticate(&forger.token(&claims)).await));
    }
    assert_eq!(server.asked("/jwks").len(), 1);
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_the_answer_counts_for_a_while() {
    let server = Server::start().await;
    server.publish(&[&TestKey::es256("k")]);
    let oidc = oidc(introspecting(&server.address));
    let answer = |active: bool| {
        let (exp, iss) = (NOW.as_second() + 300, &server.address);
        json!({"active": active, "sub": "ada", "aud": ["opendcre"], "exp": exp, "iss": iss, "groups": ["ops"]})
    };
    server.say("/introspect", Saying::document(&answer(true)));
    for _ in 0..3 {
        assert_eq!(oidc.authenticate("token-1").await.unwrap().name, "ada");
    }
    let [request] = server.asked("/introspect").try_into().unwrap();
    assert!(request.ends_with("token=token-1&token_type_hint=access_token"), "{request}");
    server.say("/introspect", Saying::document(&answer(false)));
    for _ in 0..3 {
        assert!(is_rejected(&oidc.authenticate("token-2").await));
    }
    assert_eq!(server.asked("/introspect").len(), 2);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_about_a_token_has_not_refused_it() {
    let server = Server::start().await;
    server.publish(&[&TestKey::es256("k")]);
    let oidc = oidc(introspecting(&server.address));
    for saying in [
        Saying::Answer(500, Vec::new()),
        Saying::Answer(401, Vec::new()),
        Saying::Answer(200, b"active".to_vec()),
        Saying::Answer(200, br#"{"active":false,"active":true}"#.to_vec()),
    ] {
        server.say("/introspect", saying);
        let result = oidc.authenticate("token").await;
        assert!(is_unavailable(&result), "{result:?}");
    }
    assert_eq!(server.asked("/introspect").len(), 4, "nothing about it is kept");
}

#[test]
fn settings_that_let_everybody_in_or_nobody_are_refused() {
    let clock = || Arc::new(Stopped(NOW));
    let with = |change: fn(&mut OidcSettings)| {
        let mut settings = settings("https://sso.example");
        change(&mut settings);
        Oidc::new(settings, clock()).err()
    };
    assert_eq!(with(|_| ()), None);
    assert!(matches!(with(|s| s.issuer = "http://sso.example".to_owned()), Some(OidcError::Issuer(_))));
    assert!(matches!(with(|s| s.issuer = "sso".to_owned()), Some(OidcError::Issuer(_))));
    assert_eq!(with(|s| s.audience.clear()), Some(OidcError::NoAudience));
    assert_eq!(with(|s| s.algorithms.clear()), Some(OidcError::NoAlgorithm));
    assert_eq!(with(|s| s.ca = Some(Vec::new())), Some(OidcError::Trust(TrustError::Empty)));
}

#[test]
fn algorithms_with_a_shared_secret_or_none_cannot_be_named() {
    for name in ["none", "HS256", "HS384", "HS512", "es256", "ES512", ""] {
        assert!(name.parse::<SigningAlgorithm>().is_err(), "{name}");
    }
    for algorithm in SigningAlgorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        assert_eq!(format!("{:?}", algorithm.of_library()), algorithm.name());
    }
}

/// Roles of a token count where the configuration says so, and cached ones are those of the same token.
#[tokio::test]
async fn roles_are_grants_without_limits() {
    let (server, key) = (Server::start().await, TestKey::es256("k"));
    server.publish(&[&key]);
    let mut settings = settings(&server.address);
    settings.claims.roles = Some(ClaimPath::new("access.roles"));
    let oidc = oidc(settings);
    let mut claims = good_claims(&server.address, NOW);
    claims["access"] = json!({"roles": ["operator"]});
    for _ in 0..2 {
        let subject = oidc.authenticate(&key.token(&claims)).await.unwrap();
        assert_eq!(subject.grants.len(), 1);
        assert!(subject.grants[0].role == "operator" && subject.grants[0].extent.is_everywhere());
    }
    claims["access"] = json!({"roles": "operator"});
    assert!(is_rejected(&oidc.authenticate(&key.token(&claims)).await));
    claims["access"] = Value::Null;
    assert_eq!(oidc.authenticate(&key.token(&claims)).await.unwrap().grants, []);
}
