//! What every request passes before anybody looks at what it wants: is it meant for us, who sends it, and how many has
//! that sender sent lately?
//!
//! It does not know what anybody may do; that is decided at the gateway's door.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use opendcre_auth::{Attempt, Authenticator, Refusal};
use opendcre_model::Subject;
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;
use tokio::time::Instant;

use crate::error::whole_seconds;
use crate::peer::Peer;
use crate::problem::Code;
use crate::rate::Rate;

/// What everybody may ask, and as often as they like: whether the service lives. Whoever watches over it shares an address
/// with others, and must not take it for dead because of them; the answers cost next to nothing.
const PROBES: [&str; 5] =
    ["/healthz", READINESS, "/opendcre/1.1/test", "/opendcre/1.2/test", "/opendcre/1.3/test"];

/// Where more is told to those who may read something.
const READINESS: &str = "/readyz";

/// What everybody may ask: how the service is used, and how to log in.
const PUBLIC: [&str; 3] = ["/opendcre/2/openapi.json", "/opendcre/2/docs", "/opendcre/2/auth/providers"];

/// What every request passes first.
pub struct Entrance {
    authenticator: Arc<Authenticator>,
    /// The names by which the service may be addressed besides addresses; nothing if any will do.
    hosts: Option<HashSet<String>>,
    rate: Option<Rate>,
    announced: RwLock<Vec<LoginProvider>>,
    anonymous: Arc<Subject>,
}

/// Where a client can get itself a token, by OAuth 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoginProvider {
    /// Its name here.
    pub name: String,
    /// Its URL.
    pub issuer: String,
    /// Who the client is to it.
    pub client_id: String,
    /// What the client should ask for.
    pub scopes: Vec<String>,
    /// The resource to name (RFC 8707), where the provider wants that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// Why a request goes no further.
#[derive(Debug, Error)]
pub(crate) enum Turned {
    #[error(
        "this service is not known as {0:?}; use its address, or name the host in server.hosts of its configuration"
    )]
    WrongHost(String),
    #[error("{0}")]
    Login(Refusal),
    #[error(
        "the client certificate of this connection is not valid any more; connect again with another one"
    )]
    Certificate {
        /// Why, for the audit.
        reason: String,
    },
    #[error("too many requests; the next one is answered in {} s", whole_seconds(*retry_after))]
    TooFast { retry_after: Duration },
}

impl Entrance {
    /// Finds out who sends a request by `authenticator`.
    #[must_use]
    pub fn new(authenticator: Arc<Authenticator>) -> Self {
        let anonymous = Arc::new(Subject::anonymous());
        Self { authenticator, hosts: None, rate: None, announced: RwLock::default(), anonymous }
    }

    /// Refuses requests for any host but this machine, its addresses, and `names`. Where nobody has to log in, a page of
    /// another site could otherwise reach the service by a name of its own that leads here.
    #[must_use]
    pub fn only_for(mut self, names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().map(|name| name.to_ascii_lowercase());
        self.hosts = Some(names.chain(["localhost".to_owned()]).collect());
        self
    }

    /// Answers so many requests of one sender per second in the long run, and ten times as many at once. Whether the
    /// service lives may be asked more often.
    #[must_use]
    pub fn at_most(mut self, per_second: u32) -> Self {
        self.rate = Some(Rate::new(per_second));
        self
    }

    /// Tells clients that they can log in at `providers`.
    #[must_use]
    pub fn announcing(self, providers: Vec<LoginProvider>) -> Self {
        self.announce(providers);
        self
    }

    pub(crate) fn announce(&self, providers: Vec<LoginProvider>) {
        *self.announced.write().unwrap_or_else(PoisonError::into_inner) = providers;
    }

    /// Where clients can log in.
    pub(crate) fn announced(&self) -> Vec<LoginProvider> {
        self.announced.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who sends a request, if it may go on.
    pub(crate) async fn admit(&self, head: &Parts, peer: &Peer) -> Result<Arc<Subject>, Turned> {
        self.check_host(&head.headers, &head.uri)?;
        // First, so that whoever is revoked is told so, whatever they ask for.
        let certificate = peer.certificate();
        let certificate =
            certificate.map_err(|revoked| Turned::Certificate { reason: revoked.to_string() })?;
        let path = head.uri.path();
        // Whoever says who they are wants to be told more of the readiness than strangers are.
        let is_introduced = path == READINESS && head.headers.contains_key(AUTHORIZATION);
        if PROBES.contains(&path) && !is_introduced {
            return Ok(Arc::clone(&self.anonymous));
        }
        let attempt = Attempt { headers: &head.headers, remote: peer.address(), certificate };
        // A browser asks by OPTIONS whether it may ask, and must not say who it is when it does.
        let subject = if PUBLIC.contains(&path) || head.method == Method::OPTIONS {
            Arc::clone(&self.anonymous)
        } else {
            self.authenticator.authenticate(&attempt).await.map_err(Turned::Login)?
        };
        if let Some(rate) = &self.rate {
            let address = self.authenticator.client_behind_proxy(&attempt).or(peer.address());
            let admitted = rate.admit(&subject, address, Instant::now());
            admitted.map_err(|retry_after| Turned::TooFast { retry_after })?;
        }
        Ok(subject)
    }

    /// Where a request comes from, for the records: the client, and the trusted proxy that says so, if there is one.
    pub(crate) fn origin(&self, headers: &HeaderMap, peer: &Peer) -> Arc<str> {
        let attempt = Attempt { headers, remote: peer.address(), certificate: None };
        match self.authenticator.client_behind_proxy(&attempt) {
            Some(client) => format!("{client} through {}", peer.text()).into(),
            None => Arc::clone(peer.text()),
        }
    }

    /// The headers by which a client that was turned away is told how to go on.
    pub(crate) fn advice(&self, turned: &Turned, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        match turned.retry_after() {
            Some(time) => vec![(RETRY_AFTER, HeaderValue::from(whole_seconds(time)))],
            None if turned.code() == Code::UNAUTHENTICATED => {
                let challenges = self.authenticator.challenges_after(headers).into_iter();
                challenges.map(|challenge| (WWW_AUTHENTICATE, challenge)).collect()
            }
            None => Vec::new(),
        }
    }

    fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Turned> {
        let Some(hosts) = &self.hosts else { return Ok(()) };
        // HTTP/2 has the host in the address of the request; HTTP/1.0 needs none.
        let host = uri.authority().map(|authority| authority.as_str().as_bytes());
        let Some(host) = host.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes)) else {
            return Ok(());
        };
        let wrong = |host: &str| Turned::WrongHost(opendcre_model::excerpt(host));
        let host = str::from_utf8(host).map_err(|_| wrong(&String::from_utf8_lossy(host)))?;
        let name = without_port(host);
        if is_address(name) {
            return Ok(());
        }
        let name = name.to_ascii_lowercase();
        if hosts.contains(&name) {
            return Ok(());
        }
        Err(wrong(&name))
    }
}

impl Turned {
    /// The stable machine-readable code, and its status, which is the same in every generation of the API.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::WrongHost(_) => Code::WRONG_HOST,
            Self::Login(Refusal::Missing | Refusal::Rejected { .. }) | Self::Certificate { .. } => {
                Code::UNAUTHENTICATED
            }
            Self::Login(Refusal::Locked { .. }) => Code::LOCKED,
            Self::Login(Refusal::Unavailable { .. }) => Code::AUTH_UNAVAILABLE,
            Self::TooFast { .. } => Code::RATE_LIMITED,
        }
    }

    /// Who somebody claimed to be, and why that was not believed. Who does not claim anything counts only with a request
    /// that `is_change`: others are those of programs that have not logged in yet.
    pub(crate) fn failed_login(&self, is_change: bool) -> Option<(Option<&str>, &str)> {
        match self {
            Self::Login(Refusal::Missing) if is_change => {
                Some((None, "a change by somebody who has not logged in"))
            }
            Self::Login(Refusal::Rejected { claimed, reason })
            | Self::Login(Refusal::Unavailable { claimed, reason, .. }) => Some((claimed.as_deref(), reason)),
            Self::Login(Refusal::Locked { claimed, .. }) => {
                Some((claimed.as_deref(), "too many logins have failed"))
            }
            Self::Certificate { reason } => Some((None, reason)),
            Self::WrongHost(_) | Self::Login(Refusal::Missing) | Self::TooFast { .. } => None,
        }
    }

    /// When it is worth asking again, where that is known.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Login(Refusal::Locked { retry_after, .. }) | Self::TooFast { retry_after } => {
                Some(*retry_after)
            }
            Self::Login(Refusal::Unavailable { .. }) => Some(Duration::from_secs(5)),
            _ => None,
        }
    }
}

/// A host without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Whether a host is an address, which leads nowhere else.
fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::Request;
    use jiff::Timestamp;
    use opendcre_model::WallClock;

    use super::*;
    use crate::peer::Remote;

    struct Now;

    impl WallClock for Now {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    fn entrance() -> Entrance {
        Entrance::new(Arc::new(Authenticator::open(Arc::new(Now))))
    }

    async fn admit(entrance: &Entrance, host: Option<&str>) -> Result<Arc<Subject>, Turned> {
        let mut request = Request::builder().uri("/opendcre/2/boards");
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        entrance.admit(&head, &Peer::new(Remote::Unix(None))).await
    }

    #[tokio::test]
    async fn names_of_others_that_lead_here_are_refused() {
        let entrance = entrance().only_for(["Gateway.example".to_owned()]);
        for host in [
            None,
            Some("localhost:5000"),
            Some("LOCALHOST"),
            Some("127.0.0.1:5000"),
            Some("[::1]:5000"),
            Some("[::1]"),
            Some("gateway.example:5000"),
        ] {
            assert!(admit(&entrance, host).await.is_ok(), "{host:?}");
        }
        for host in
            ["evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", ""]
        {
            let error = admit(&entrance, Some(host)).await.unwrap_err();
            assert_eq!((error.code().name, error.code().status.as_u16()), ("wrong_host", 421), "{host:?}");
        }
    }

    async fn ask(entrance: &Entrance, method: Method, path: &str) -> Result<Arc<Subject>, Turned> {
        let request = Request::builder().method(method).uri(path);
        let (head, ()) = request.body(()).unwrap().into_parts();
        entrance.admit(&head, &Peer::new(Remote::Unix(None))).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_need_not_log_in_is_counted_by_address_but_not_for_watching() {
        let questions = [
            (Method::GET, "/opendcre/2/docs"),
            (Method::GET, "/opendcre/2/openapi.json"),
            (Method::GET, "/opendcre/2/auth/providers"),
            (Method::OPTIONS, "/opendcre/2/boards"),
        ];
        for (method, path) in questions {
            let entrance = entrance().at_most(1);
            for _ in 0..10 {
                assert!(ask(&entrance, method.clone(), path).await.is_ok());
            }
            let turned = ask(&entrance, method.clone(), path).await.unwrap_err();
            assert_eq!(turned.code().name, "rate_limited", "{method} {path}");
            for path in PROBES {
                assert!(ask(&entrance, Method::GET, path).await.is_ok(), "{path}");
                assert!(ask(&entrance, Method::OPTIONS, path).await.is_ok(), "{path}");
            }
        }
    }

    #[tokio::test]
    async fn any_name_will_do_unless_said_otherwise() {
        assert!(admit(&entrance(), Some("evil.example")).await.is_ok());
    }
}
