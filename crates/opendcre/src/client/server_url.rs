//! Where a server is, and whether what is said to it stays between the two.

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use thiserror::Error;

/// The base of the API that this client speaks.
const API_BASE: [&str; 2] = ["opendcre", "2"];

/// What is percent-encoded: everything but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text that does not name a server.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{text:?} does not name a server ({reason}); write it as host:port or https://host:port")]
pub(super) struct ServerUrlError {
    text: String,
    reason: String,
}

/// Where a server is: an `http` or `https` URL, whose path, if any, is that of a proxy in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerUrl(Url);

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    /// Reads a URL, or a name without a scheme: servers speak TLS everywhere but on this machine.
    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        let malformed = |reason: String| ServerUrlError { text: text.to_owned(), reason };
        let parse = |text: &str| Url::parse(text).map_err(|error| malformed(error.to_string()));
        let url = if text.contains("://") {
            parse(text)?
        } else {
            let plain = parse(&format!("http://{text}"))?;
            if is_local(&plain) { plain } else { parse(&format!("https://{text}"))? }
        };
        if !["http", "https"].contains(&url.scheme()) {
            return Err(malformed(format!("unknown scheme {}", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(malformed("unexpected user or password; use --user".to_owned()));
        }
        match url.query().or(url.fragment()) {
            None => Ok(Self(url)),
            Some(_) => Err(malformed("unexpected ? or #".to_owned())),
        }
    }
}

impl Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str().trim_end_matches('/'))
    }
}

impl ServerUrl {
    /// Whether TLS is spoken to it.
    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether nobody on the way can read what is said to it.
    pub(super) fn is_private(&self) -> bool {
        self.is_https() || is_local(&self.0)
    }

    /// Where it says whether it is ready.
    pub(super) fn readiness(&self) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/readyz", self.0.path().trim_end_matches('/')));
        url
    }

    /// The address of something in its API; percent-encodes the parts.
    pub(super) fn resource(&self, segments: &[String], query: &[(&str, String)]) -> Url {
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        for segment in API_BASE.into_iter().chain(segments.iter().map(String::as_str)) {
            path.push('/');
            path.extend(utf8_percent_encode(segment, RESERVED));
        }
        let parameter =
            |(name, value): &(&str, String)| format!("{name}={}", utf8_percent_encode(value, RESERVED));
        let query: Vec<String> = query.iter().map(parameter).collect();
        let mut url = self.0.clone();
        url.set_path(&path);
        url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        url
    }
}

/// Whether a URL leads to this machine.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(server: &str, segments: &[&str], query: &[(&str, String)]) -> String {
        let segments: Vec<String> = segments.iter().map(ToString::to_string).collect();
        server.parse::<ServerUrl>().unwrap().resource(&segments, query).to_string()
    }

    #[test]
    fn a_server_may_be_named_with_or_without_scheme_and_path() {
        for (server, expected) in [
            ("rack7", "https://rack7/opendcre/2/racks"),
            ("rack7:5000", "https://rack7:5000/opendcre/2/racks"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/opendcre/2/racks"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/opendcre/2/racks"),
            ("[::1]:5000", "http://[::1]:5000/opendcre/2/racks"),
            ("localhost:80", "http://localhost/opendcre/2/racks"),
            ("https://127.0.0.1:5000", "https://127.0.0.1:5000/opendcre/2/racks"),
            ("http://rack7:5000/", "http://rack7:5000/opendcre/2/racks"),
            ("http://proxy/site/a/", "http://proxy/site/a/opendcre/2/racks"),
            ("https://proxy/site/a", "https://proxy/site/a/opendcre/2/racks"),
        ] {
            assert_eq!(resource(server, &["racks"], &[]), expected, "{server}");
        }
    }

    #[test]
    fn segments_and_parameters_are_percent_encoded() {
        assert_eq!(
            resource("rack7", &["groups", "a b/c?d#e%2F", "é\t\n", "door_lock-1.2~"], &[]),
            "https://rack7/opendcre/2/groups/a%20b%2Fc%3Fd%23e%252F/%C3%A9%09%0A/door_lock-1.2~"
        );
        let query = [("nodes", "a[1-2],-b@~c+&=#ä".to_owned()), ("limit", "0".to_owned())];
        assert_eq!(
            resource("rack7", &["boards"], &query),
            "https://rack7/opendcre/2/boards?nodes=a%5B1-2%5D%2C-b%40~c%2B%26%3D%23%C3%A4&limit=0"
        );
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "",
            ":5000",
            "a b",
            "rack7:99999",
            "ftp://rack7",
            "rack7?x",
            "http://rack7/#x",
            "https://ada:pw@rack7",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_said_to_this_machine_or_over_tls_stays_private() {
        for (server, expected) in [
            ("http://127.0.0.1:5000", true),
            ("http://[::1]", true),
            ("https://rack7", true),
            ("http://rack7", false),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(server.parse::<ServerUrl>().unwrap().is_private(), expected, "{server}");
        }
    }
}
