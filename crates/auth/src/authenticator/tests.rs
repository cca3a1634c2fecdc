//! The order of the providers, and that nobody becomes somebody else by failing.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use opendcre_model::{Grant, Login};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use super::*;
use crate::certificate::NameSource;
use crate::proxy::ProxySettings;
use crate::token::NewToken;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PROXY: [u8; 4] = [10, 0, 0, 5];
const HOME: [u8; 4] = [10, 0, 0, 7];

/// A clock that stands.
struct Clock;

impl WallClock for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

/// A gateway with a proxy and one token.
struct Room {
    folder: TempDir,
    token: String,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = NewToken {
            name: "ci".to_owned(),
            grants: vec![Grant { role: "viewer".to_owned(), extent: opendcre_model::Extent::default() }],
            created_by: "root".to_owned(),
            expires: None,
        };
        let store = TokenStore::open(folder.path().join("tokens.db")).unwrap();
        let (_, token) = store.create(&token, Clock.now()).unwrap();
        Self { folder, token: token.expose_secret().to_owned() }
    }

    fn providers(&self) -> Providers {
        let proxy = ProxySettings {
            name: "nginx".to_owned(),
            addresses: vec!["10.0.0.5".parse().unwrap()],
            unix: false,
            secret: Some(SecretString::from(SECRET)),
            secret_header: "X-Secret".to_owned(),
            user_header: "X-User".to_owned(),
            groups_header: "X-Groups".to_owned(),
            strip_realm: true,
        };
        Providers {
            proxies: vec![TrustedProxy::new(proxy).unwrap()],
            tokens: Some(TokenStore::open(self.folder.path().join("tokens.db")).unwrap()),
            ..Providers::default()
        }
    }

    fn authenticator(&self) -> Authenticator {
        Authenticator::new(self.providers(), Arc::new(Clock))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

async fn ask(
    authenticator: &Authenticator,
    from: [u8; 4],
    fields: &[(&'static str, &str)],
) -> Result<Arc<Subject>, Refusal> {
    ask_with(authenticator, from, fields, None).await
}

async fn ask_with(
    authenticator: &Authenticator,
    from: [u8; 4],
    fields: &[(&'static str, &str)],
    certificate: Option<&PeerCertificate>,
) -> Result<Arc<Subject>, Refusal> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let remote = Some(IpAddr::V4(Ipv4Addr::from_octets(from)));
    authenticator.authenticate(&Attempt { headers: &headers, remote, certificate }).await
}

fn name(answer: Result<Arc<Subject>, Refusal>) -> String {
    let subject = answer.unwrap();
    format!("{} {}", subject.login, subject.name)
}

fn reason(answer: Result<Arc<Subject>, Refusal>) -> String {
    match answer.unwrap_err() {
        Refusal::Rejected { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

/// A certificate that ran out long ago.
fn void_certificate() -> PeerCertificate {
    PeerCertificate {
        subject: "CN=ada".to_owned(),
        common_name: Some("ada".to_owned()),
        organizational_units: Vec::new(),
        dns: Vec::new(),
        email: Vec::new(),
        uri: Vec::new(),
        upn: Vec::new(),
        not_after: Timestamp::UNIX_EPOCH,
        fingerprint: [7; 32],
    }
}

#[tokio::test]
async fn where_everybody_is_let_in_nothing_is_looked_at() {
    let open = Authenticator::open(Arc::new(Clock));
    for value in ["Bearer odcre_x", "Basic !", "nonsense"] {
        assert_eq!(name(ask(&open, HOME, &[("authorization", value)]).await), "anonymous anonymous");
    }
    assert_eq!(open.challenges().len(), 1);
}

#[tokio::test]
async fn whoever_presents_nothing_is_nobody_or_refused() {
    let room = Room::new();
    assert_eq!(ask(&room.authenticator(), HOME, &[]).await, Err(Refusal::Missing));
    let lenient = Providers { anonymous: true, ..room.providers() };
    let lenient = Authenticator::new(lenient, Arc::new(Clock));
    assert_eq!(name(ask(&lenient, HOME, &[]).await), "anonymous anonymous");
}

#[tokio::test]
async fn a_proxy_comes_before_a_token_and_counts_only_where_it_is() {
    let room = Room::new();
    let authenticator = room.authenticator();
    let bearer = room.bearer();
    let fields =
        [("x-user", "ada@AD.TEST"), ("x-groups", "ops"), ("x-secret", SECRET), ("authorization", &bearer)];
    let subject = ask(&authenticator, PROXY, &fields).await.unwrap();
    assert_eq!((subject.login, subject.name.as_str()), (Login::Proxy, "ada"));
    assert_eq!(subject.groups, ["ops"]);
    assert_eq!(name(ask(&authenticator, HOME, &fields).await), "token ci");
    assert_eq!(ask(&authenticator, HOME, &fields[..3]).await, Err(Refusal::Missing));
    assert_eq!(name(ask(&authenticator, PROXY, &fields[3..]).await), "token ci");
    let refusal = ask(&authenticator, PROXY, &[fields[0], fields[3]]).await.unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Rejected { claimed: Some(user), .. } if user == "ada@AD.TEST"),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn of_two_proxies_at_one_address_the_secret_tells_which_it_is() {
    let room = Room::new();
    let other = ProxySettings {
        name: "other".to_owned(),
        addresses: vec!["10.0.0.0/24".parse().unwrap()],
        unix: false,
        secret: Some(SecretString::from("another secret!!".replace(' ', "-"))),
        secret_header: "X-Secret".to_owned(),
        user_header: "X-User".to_owned(),
        groups_header: "X-Groups".to_owned(),
        strip_realm: false,
    };
    let mut providers = room.providers();
    providers.proxies.insert(0, TrustedProxy::new(other).unwrap());
    let authenticator = Authenticator::new(providers, Arc::new(Clock));
    let subject = ask(&authenticator, PROXY, &[("x-user", "ada"), ("x-secret", SECRET)]).await.unwrap();
    assert_eq!(subject.provider, "nginx");
    assert!(ask(&authenticator, HOME, &[("x-user", "ada"), ("x-secret", SECRET)]).await.is_err());
}

#[tokio::test]
async fn what_proves_nothing_never_becomes_somebody_else() {
    let room = Room::new();
    let rules = CertificateRules {
        name_from: vec![NameSource::CommonName],
        groups_from_ou: false,
        refused: std::collections::BTreeSet::new(),
    };
    let providers = Providers { anonymous: true, certificates: Some(rules), ..room.providers() };
    let authenticator = Authenticator::new(providers, Arc::new(Clock));
    for value in [
        "Bearer odcre_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Bearer odcre_",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Basic YWRhOng=",
        "Basic YWRhOg==",
        "Negotiate YII=",
        "",
    ] {
        let refused = ask(&authenticator, HOME, &[("authorization", value)]).await;
        assert!(matches!(refused, Err(Refusal::Rejected { .. })), "{value}: {refused:?}");
    }
    let twice = [("authorization", room.bearer()), ("authorization", room.bearer())];
    let twice: Vec<_> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(reason(ask(&authenticator, HOME, &twice).await).contains("several"));
    let void = ask_with(&authenticator, HOME, &[], Some(&void_certificate())).await;
    assert!(
        matches!(&void, Err(Refusal::Rejected { claimed: Some(name), .. }) if name == "CN=ada"),
        "{void:?}"
    );
    let bearer = room.bearer();
    let both = ask_with(&authenticator, HOME, &[("authorization", &bearer)], Some(&void_certificate())).await;
    assert_eq!(name(both), "token ci");
}

#[tokio::test]
async fn a_certificate_without_rules_proves_nothing() {
    let room = Room::new();
    let answer = ask_with(&room.authenticator(), HOME, &[], Some(&void_certificate())).await;
    assert_eq!(answer, Err(Refusal::Missing));
}

#[tokio::test]
async fn a_password_needs_a_directory() {
    let room = Room::new();
    let refusal = ask(&room.authenticator(), HOME, &[("authorization", "Basic YWRhOng=")]).await.unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Rejected { claimed: Some(user), .. } if user == "ada"),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn tokens_that_are_none_slow_down_only_themselves() {
    let room = Room::new();
    let authenticator = room.authenticator();
    let wrong = format!("Bearer {PREFIX}{}", "A".repeat(43));
    let mut refused = 0;
    let pause = loop {
        match ask(&authenticator, HOME, &[("authorization", &wrong)]).await.unwrap_err() {
            Refusal::Rejected { .. } => refused += 1,
            Refusal::Locked { retry_after, claimed: None } => break retry_after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((refused, pause), (11, Duration::from_secs(1)));
    assert_eq!(name(ask(&authenticator, HOME, &[("authorization", &room.bearer())]).await), "token ci");
    let elsewhere = ask(&authenticator, PROXY, &[("authorization", &wrong)]).await;
    assert!(matches!(elsewhere, Err(Refusal::Rejected { .. })));
}

#[tokio::test]
async fn tokens_that_cannot_be_looked_up_let_nobody_in() {
    let room = Room::new();
    let authenticator =
        Authenticator::new(Providers { anonymous: true, ..room.providers() }, Arc::new(Clock));
    std::fs::remove_file(room.folder.path().join("tokens.db")).unwrap();
    for _ in 0..50 {
        let answer = ask(&authenticator, HOME, &[("authorization", &room.bearer())]).await;
        assert!(matches!(answer, Err(Refusal::Unavailable { .. })), "{answer:?}");
    }
    let lost = Providers { tokens_failure: Some("no such folder".to_owned()), ..Providers::default() };
    let lost = Authenticator::new(lost, Arc::new(Clock));
    let answer = ask(&lost, HOME, &[("authorization", &room.bearer())]).await;
    assert!(matches!(answer, Err(Refusal::Unavailable { .. })), "{answer:?}");
    let none = Authenticator::new(Providers::default(), Arc::new(Clock));
    assert!(reason(ask(&none, HOME, &[("authorization", &room.bearer())]).await).contains("no tokens"));
}

#[tokio::test]
async fn providers_can_be_replaced_while_it_runs() {
    let room = Room::new();
    let authenticator = room.authenticator();
    let fields = [("x-user", "ada"), ("x-secret", SECRET)];
    assert_eq!(name(ask(&authenticator, PROXY, &fields).await), "proxy ada");
    authenticator.replace(Providers { proxies: Vec::new(), ..room.providers() });
    assert_eq!(ask(&authenticator, PROXY, &fields).await, Err(Refusal::Missing));
    assert_eq!(name(ask(&authenticator, PROXY, &[("authorization", &room.bearer())]).await), "token ci");
}

#[tokio::test]
async fn only_tokens_of_this_gateway_can_be_confirmed_later() {
    let room = Room::new();
    let authenticator = room.authenticator();
    let token = authenticator.bearer("ci").await.unwrap();
    assert_eq!(token.login, Login::Token);
    assert_eq!(authenticator.confirm(&token).await, Ok(()));
    assert_eq!(authenticator.confirm(&Subject { login: Login::Ldap, ..token.clone() }).await, Ok(()));
    let other = Subject { provider: "0123456789ab".to_owned(), ..token.clone() };
    assert!(matches!(authenticator.confirm(&other).await, Err(Failure::Rejected { .. })));
    authenticator.replace(Providers { tokens: None, ..room.providers() });
    assert!(matches!(authenticator.confirm(&token).await, Err(Failure::Rejected { .. })));
}

#[test]
fn a_refused_client_learns_what_it_may_present() {
    let room = Room::new();
    let authenticator = room.authenticator();
    let texts = |challenges: Vec<HeaderValue>| -> Vec<String> {
        challenges.iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(authenticator.challenges()), ["Bearer realm=\"opendcre\""]);
    let mut headers = HeaderMap::new();
    assert_eq!(texts(authenticator.challenges_after(&headers)), ["Bearer realm=\"opendcre\""]);
    headers.insert("authorization", HeaderValue::from_static("Bearer x"));
    assert_eq!(
        texts(authenticator.challenges_after(&headers)),
        ["Bearer realm=\"opendcre\", error=\"invalid_token\""]
    );
}

#[test]
fn nobody_is_told_to_come_back_at_once() {
    for (pause, expected) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (900_000, 900)] {
        let Refusal::Locked { retry_after, .. } = locked(None, Duration::from_millis(pause)) else {
            panic!()
        };
        assert_eq!(retry_after.as_secs(), expected);
    }
}
