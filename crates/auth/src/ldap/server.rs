//! The address of a server, and how TLS comes about there.

use std::fmt;

use rustls::pki_types::ServerName;

/// The port of `ldap://` (RFC 4516 §2).
const LDAP_PORT: u16 = 389;
/// The port of `ldaps://`, which no RFC names but everybody uses.
const LDAPS_PORT: u16 = 636;

/// When TLS begins. There is no way without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// With the first octet.
    Ldaps,
    /// With `StartTLS` (RFC 4511 §4.14) as the first and only operation before it.
    StartTls,
}

/// A server of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    /// What its certificate must name.
    pub(super) name: ServerName<'static>,
}

impl Server {
    /// Reads `ldaps://host[:port]` or `ldap://host[:port]`; nothing if it is something else.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (security, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "ldaps" => (Security::Ldaps, LDAPS_PORT),
            "ldap" => (Security::StartTls, LDAP_PORT),
            _ => return None,
        };
        let (host, port) = split_port(rest.strip_suffix('/').unwrap_or(rest))?;
        let port = port.map_or(Some(default_port), |port| port.parse().ok().filter(|port| *port != 0))?;
        let name = ServerName::try_from(host).ok()?.to_owned();
        Some(Self { host: host.to_owned(), port, security, name })
    }
}

/// Splits `host:port`, `host`, `[v6]:port` and `[v6]`.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        return if rest.is_empty() {
            Some((host, None))
        } else {
            Some((host, Some(rest.strip_prefix(':')?)))
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            Security::Ldaps => "ldaps",
            Security::StartTls => "ldap",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        for (url, shown) in [
            ("ldaps://dc1.example", "ldaps://dc1.example:636"),
            ("ldap://dc1.example/", "ldap://dc1.example:389"),
            ("LDAP://10.0.0.1:1389", "ldap://10.0.0.1:1389"),
            ("ldaps://[::1]:1636", "ldaps://[::1]:1636"),
            ("ldaps://[2001:db8::1]", "ldaps://[2001:db8::1]:636"),
        ] {
            assert_eq!(Server::parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_everything_else() {
        for url in [
            "",
            "dc1.example",
            "http://dc1.example",
            "ldapi:///run/ldapi",
            "ldaps://",
            "ldaps://:636",
            "ldaps://dc1.example:0",
            "ldaps://dc1.example:99999",
            "ldaps://dc1.example:",
            "ldaps://ada@dc1.example",
            "ldaps://dc1.example/dc=example",
            "ldaps://dc1.example?x",
            "ldaps://[::1",
            "ldaps://[::1]636",
            "ldaps://::1",
        ] {
            assert_eq!(Server::parse(url), None, "{url}");
        }
    }
}
