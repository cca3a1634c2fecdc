//! Any header fields, from any of some addresses, with or without a client certificate.
//!
//! The promises: the same request is always the same somebody; whoever is let in has a name that can be seen; a proxy is
//! believed only where it is and with its secret, and from elsewhere its headers are as if they were not there; whoever
//! presents something that proves nothing is nobody.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use opendcre_auth::certificate::{CertificateRules, NameSource, PeerCertificate};
use opendcre_auth::proxy::{Network, ProxySettings, TrustedProxy};
use opendcre_auth::{Attempt, Authenticator, Providers, Refusal};
use opendcre_model::{Login, Subject, WallClock};
use secrecy::SecretString;

use crate::runtime::wait;
use crate::{is_name, is_printable};

const SECRET: &str = "a-secret-of-the-proxy";
const SECRET_HEADER: &str = "x-proxy-secret";
const USER_HEADER: &str = "x-remote-user";
const GROUPS_HEADER: &str = "x-remote-groups";
/// Where the proxy is.
const PROXY: [u8; 4] = [10, 1, 0, 7];
/// Where everybody else is.
const STRANGER: [u8; 4] = [192, 0, 2, 1];

/// The most header fields of a request.
const MAX_FIELDS: usize = 64;
/// The most groups of one user.
const MAX_GROUPS: usize = 1000;
/// The bytes of a message for the log.
const MAX_MESSAGE: usize = 400;

/// The first byte says from where the request comes and what comes with it; each line behind it is a header field.
pub fn credentials(data: &[u8]) {
    let Some((kind, fields)) = data.split_first() else { return };
    let request = Request {
        headers: headers(fields),
        origin: Origin::of(kind & 3),
        certificate: (kind & 4 != 0).then(certificate),
        is_anonymous_allowed: kind & 8 != 0,
        strip_realm: kind & 16 != 0,
    };
    let answer = request.ask();
    assert_eq!(answer, request.ask());
    match &answer {
        Ok(subject) => request.check_subject(subject),
        Err(refusal) => check_refusal(refusal),
    }
    if request.origin == Origin::Stranger {
        assert_eq!(answer, request.without_proxy_headers().ask());
    }
    for value in request.headers.values() {
        check_network(value);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Socket,
    Proxy,
    Stranger,
}

impl Origin {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Socket,
            1 => Self::Proxy,
            _ => Self::Stranger,
        }
    }
}

struct Request {
    headers: HeaderMap,
    origin: Origin,
    certificate: Option<PeerCertificate>,
    is_anonymous_allowed: bool,
    strip_realm: bool,
}

impl Request {
    /// Who it is, to somebody who has never seen anybody before.
    fn ask(&self) -> Result<Arc<Subject>, Refusal> {
        let remote = match self.origin {
            Origin::Socket => None,
            Origin::Proxy => Some(IpAddr::from(PROXY)),
            Origin::Stranger => Some(IpAddr::from(STRANGER)),
        };
        let attempt = Attempt { headers: &self.headers, remote, certificate: self.certificate.as_ref() };
        let authenticator = Authenticator::new(self.providers(), Arc::new(Epoch));
        assert!(!authenticator.challenges_after(&self.headers).is_empty());
        wait(authenticator.authenticate(&attempt))
    }

    fn providers(&self) -> Providers {
        let rules = CertificateRules {
            name_from: vec![NameSource::CommonName],
            groups_from_ou: true,
            refused: [].into(),
        };
        Providers {
            proxies: vec![proxy(self.strip_realm)],
            certificates: Some(rules),
            anonymous: self.is_anonymous_allowed,
            ..Providers::default()
        }
    }

    fn without_proxy_headers(&self) -> Self {
        let mut headers = self.headers.clone();
        for name in [SECRET_HEADER, USER_HEADER, GROUPS_HEADER] {
            headers.remove(name);
        }
        Self { headers, certificate: self.certificate.clone(), ..*self }
    }

    fn check_subject(&self, subject: &Subject) {
        assert!(is_name(&subject.name), "{subject:?}");
        assert!(subject.groups.len() <= MAX_GROUPS && subject.groups.iter().all(|group| is_name(group)));
        assert!(subject.grants.is_empty(), "{subject:?}");
        match subject.login {
            Login::Proxy => self.check_proxied(subject),
            Login::Certificate => assert!(self.certificate.is_some()),
            Login::Anonymous => assert!(self.is_anonymous_allowed && self.certificate.is_none()),
            other => panic!("nobody vouches for {other:?}"),
        }
        if subject.login != Login::Proxy {
            assert!(!self.headers.contains_key("authorization"), "{subject:?}");
        }
    }

    fn check_proxied(&self, subject: &Subject) {
        assert_ne!(self.origin, Origin::Stranger);
        let secrets: Vec<_> = self.headers.get_all(SECRET_HEADER).iter().collect();
        assert_eq!(secrets, [SECRET]);
        let users: Vec<_> = self.headers.get_all(USER_HEADER).iter().collect();
        let [user] = users.as_slice() else { panic!("{users:?}") };
        assert!(user.as_bytes().starts_with(subject.name.as_bytes()), "{user:?}");
        assert!(self.strip_realm || **user == *subject.name, "{user:?}");
    }
}

fn check_refusal(refusal: &Refusal) {
    assert!(is_printable(&refusal.to_string()), "{refusal}");
    if let Refusal::Rejected { claimed, reason } = refusal {
        assert!(claimed.as_deref().is_none_or(is_name), "{claimed:?}");
        assert!(reason.len() <= MAX_MESSAGE && is_printable(reason), "{reason:?}");
    }
}

/// What is understood as a network is written in a way that means the same.
fn check_network(value: &HeaderValue) {
    if let Some(network) = value.to_str().ok().and_then(|text| text.parse::<Network>().ok()) {
        assert_eq!(network.to_string().parse(), Ok(network), "{value:?}");
    }
}

fn headers(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(MAX_FIELDS) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn proxy(strip_realm: bool) -> TrustedProxy {
    let settings = ProxySettings {
        name: "front".to_owned(),
        addresses: "10.1.0.0/24".parse().into_iter().collect(),
        unix: true,
        secret: Some(SecretString::from(SECRET)),
        secret_header: SECRET_HEADER.to_owned(),
        user_header: USER_HEADER.to_owned(),
        groups_header: GROUPS_HEADER.to_owned(),
        strip_realm,
    };
    match TrustedProxy::new(settings) {
        Ok(proxy) => proxy,
        Err(error) => panic!("{error}"),
    }
}

fn certificate() -> PeerCertificate {
    PeerCertificate {
        subject: "CN=ada".to_owned(),
        common_name: Some("ada".to_owned()),
        organizational_units: vec!["operators".to_owned()],
        dns: Vec::new(),
        email: Vec::new(),
        uri: Vec::new(),
        upn: Vec::new(),
        not_after: Timestamp::MAX,
        fingerprint: [0; 32],
    }
}

struct Epoch;

impl WallClock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}
