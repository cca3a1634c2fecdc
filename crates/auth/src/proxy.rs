//! Reverse proxies that say who sends a request, and when they are believed: over the Unix socket or from their
//! addresses, and with their secret. It does not know how the proxy has found out who it is.
//!
//! From anywhere else the headers of a proxy mean nothing at all, as if they were not there.

mod network;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::header::{AUTHORIZATION, HeaderName};
use opendcre_model::{Login, Subject};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::attempt::{MAX_NAME, is_name, single};
use crate::{Attempt, Failure};

pub use network::{Network, NetworkError};

/// Where proxies say for whom they ask.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The bytes of a secret: fewer could be guessed.
const SECRET_LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

/// The groups of one user.
const MAX_GROUPS: usize = 1_000;

/// What proxies write where they know no name: Apache httpd for a variable that is not set, and the sign of the log
/// format of web servers for nothing.
const NOT_NAMES: [&str; 2] = ["(null)", "-"];

/// What a proxy is like.
#[derive(Debug)]
pub struct ProxySettings {
    /// Its name in the configuration.
    pub name: String,
    /// From where it connects.
    pub addresses: Vec<Network>,
    /// Whether it connects to the Unix socket.
    pub unix: bool,
    /// By what it is known, 16 to 256 visible ASCII characters. Only one that connects to nothing but the Unix socket
    /// may do without.
    pub secret: Option<SecretString>,
    /// The header with the secret.
    pub secret_header: String,
    /// The header with the name of the user.
    pub user_header: String,
    /// The header with the groups of the user, separated by commas.
    pub groups_header: String,
    /// Whether what follows the last `@` of a user is left out.
    pub strip_realm: bool,
}

/// Why a proxy is not to be believed, however it behaves.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// It connects from nowhere.
    #[error("the proxy {name:?} connects from nowhere; name its addresses, or let it use the Unix socket")]
    Nowhere {
        /// Its name.
        name: String,
    },
    /// It has addresses, which others could use, and no secret.
    #[error("the proxy {name:?} has addresses, which others could use, and so needs a secret")]
    SecretMissing {
        /// Its name.
        name: String,
    },
    /// Its secret is too short, too long, or cannot be in a header.
    #[error("the secret of the proxy {name:?} is not 16 to 256 visible ASCII characters")]
    SecretUnfit {
        /// Its name.
        name: String,
    },
    /// A header cannot be called like that, or two are the same.
    #[error("the headers of the proxy {name:?} are not three different names of headers: {header:?}")]
    Header {
        /// Its name.
        name: String,
        /// The header.
        header: String,
    },
}

/// A reverse proxy that is believed.
pub struct TrustedProxy {
    name: String,
    addresses: Vec<Network>,
    unix: bool,
    secret: Option<SecretString>,
    secret_header: HeaderName,
    user_header: HeaderName,
    groups_header: HeaderName,
    strip_realm: bool,
}

impl fmt::Debug for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxy").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TrustedProxy {
    /// Believes the proxy that is like `settings`.
    ///
    /// # Errors
    /// Anybody could be that proxy, or its headers are none.
    pub fn new(settings: ProxySettings) -> Result<Self, ProxyError> {
        let ProxySettings { name, addresses, unix, secret, strip_realm, .. } = settings;
        if addresses.is_empty() && !unix {
            return Err(ProxyError::Nowhere { name });
        }
        match &secret {
            None if !addresses.is_empty() => return Err(ProxyError::SecretMissing { name }),
            Some(secret) if !is_secret(secret) => return Err(ProxyError::SecretUnfit { name }),
            _ => {}
        }
        let secret_header = header(&name, &settings.secret_header, &[])?;
        let user_header = header(&name, &settings.user_header, &[&secret_header])?;
        let groups_header = header(&name, &settings.groups_header, &[&secret_header, &user_header])?;
        Ok(Self { name, addresses, unix, secret, secret_header, user_header, groups_header, strip_realm })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who the proxy says that it is; nothing if the request does not come from this proxy, or names nobody.
    ///
    /// # Errors
    /// The request comes from where the proxy is and names a user, and has not its secret; or the name is none.
    pub fn subject(&self, attempt: &Attempt<'_>) -> Result<Option<Subject>, Failure> {
        if !self.is_at(attempt) || !attempt.headers.contains_key(&self.user_header) {
            return Ok(None);
        }
        self.check_secret(attempt)?;
        let Some(user) = single(attempt.headers, &self.user_header)? else { return Ok(None) };
        let name = str::from_utf8(user.as_bytes()).ok().and_then(|user| self.user_name(user));
        let name = name.ok_or_else(|| self.rejected(format!("{} names nobody", self.user_header)))?;
        Ok(Some(Subject {
            name: name.to_owned(),
            login: Login::Proxy,
            provider: self.name.clone(),
            groups: self.groups(attempt)?,
            grants: Vec::new(),
        }))
    }

    /// From where the client of the proxy connects, as the proxy says; nothing if the request does not come through it, or
    /// it does not say so.
    pub(crate) fn client(&self, attempt: &Attempt<'_>) -> Option<IpAddr> {
        if !self.is_at(attempt) || self.check_secret(attempt).is_err() {
            return None;
        }
        // What the proxy has added stands last; whatever is before it came with the request.
        let last = attempt.headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
        let client = last.rsplit(',').next()?.trim();
        let with_port = || client.parse::<SocketAddr>().map(|client| client.ip());
        client.parse().or_else(|_| with_port()).ok().map(|client: IpAddr| client.to_canonical())
    }

    /// Whom a request names that this proxy may have sent, believed or not.
    pub(crate) fn claimed(&self, attempt: &Attempt<'_>) -> Option<String> {
        let user = single(attempt.headers, &self.user_header).ok().flatten()?;
        str::from_utf8(user.as_bytes()).ok().filter(|user| is_name(user)).map(str::to_owned)
    }

    fn is_at(&self, attempt: &Attempt<'_>) -> bool {
        attempt
            .remote
            .map_or(self.unix, |remote| self.addresses.iter().any(|network| network.contains(remote)))
    }

    fn check_secret(&self, attempt: &Attempt<'_>) -> Result<(), Failure> {
        let Some(secret) = &self.secret else { return Ok(()) };
        let presented = single(attempt.headers, &self.secret_header)?;
        let presented = presented.ok_or_else(|| {
            self.rejected(format!("a user is named without the secret in {}", self.secret_header))
        })?;
        // How long the secret is may show; what it is must not.
        if bool::from(presented.as_bytes().ct_eq(secret.expose_secret().as_bytes())) {
            Ok(())
        } else {
            Err(self.rejected(format!("a user is named with a wrong secret in {}", self.secret_header)))
        }
    }

    /// The name in what the proxy says, if it is one.
    fn user_name<'u>(&self, user: &'u str) -> Option<&'u str> {
        let name = match user.rsplit_once('@') {
            Some((name, _)) if self.strip_realm => name,
            _ => user,
        };
        (is_name(name) && !is_placeholder(name)).then_some(name)
    }

    fn groups(&self, attempt: &Attempt<'_>) -> Result<Vec<String>, Failure> {
        let Some(value) = single(attempt.headers, &self.groups_header)? else { return Ok(Vec::new()) };
        let unfit = || {
            let header = &self.groups_header;
            self.rejected(format!("{header} is no list of up to {MAX_GROUPS} groups of {MAX_NAME} bytes"))
        };
        let text = str::from_utf8(value.as_bytes()).map_err(|_| unfit())?;
        let groups = text.split(',').map(str::trim).filter(|group| !group.is_empty());
        let groups: Vec<&str> = groups.take(MAX_GROUPS + 1).collect();
        if groups.len() > MAX_GROUPS || !groups.iter().all(|group| is_name(group)) {
            return Err(unfit());
        }
        Ok(groups.into_iter().filter(|group| !is_placeholder(group)).map(str::to_owned).collect())
    }

    fn rejected(&self, reason: impl fmt::Display) -> Failure {
        Failure::Rejected { reason: format!("proxy {}: {reason}", self.name) }
    }
}

fn is_secret(secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    SECRET_LENGTHS.contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether it is what a proxy writes that knows no name, or a variable that nobody has filled in, such as
/// `{http.request.header}`, `%{REMOTE_USER}e` or `$remote_user`.
fn is_placeholder(name: &str) -> bool {
    NOT_NAMES.contains(&name) || name.contains(['{', '}']) || name.starts_with(['$', '%'])
}

/// The header called `text`, unlike `others` and unlike the one that says something else here.
fn header(proxy: &str, text: &str, others: &[&HeaderName]) -> Result<HeaderName, ProxyError> {
    let name = HeaderName::try_from(text).ok();
    let name = name.filter(|name| *name != AUTHORIZATION && !others.contains(&name));
    name.ok_or_else(|| ProxyError::Header { name: proxy.to_owned(), header: text.to_owned() })
}

#[cfg(test)]
mod tests;
