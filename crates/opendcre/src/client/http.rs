//! Sends requests to a server and takes its answers. The only part of the client that uses the network.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use thiserror::Error;

use super::{Answer, ClientError, Request};

/// The base of the API that this client speaks.
const API_BASE: [&str; 2] = ["opendcre", "1.1"];

/// Names the buses that are missing in the answer to a scan.
const X_OPENDCRE_FAILED: &str = "x-opendcre-failed";

/// What is percent-encoded in a segment: everything but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest answer that is read. A scan of a full bus is well below a hundredth of it.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Why a text does not name a server.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum ServerUrlError {
    /// It is no URL at all.
    #[error("{text:?} does not name a server ({reason}); write it as host:port or http://host:port")]
    Malformed {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It asks for TLS.
    #[error("{0:?} asks for TLS, which this build's client does not have yet; use an http URL")]
    Tls(String),
}

/// Where a server is: an `http` URL, whose path, if any, is that of a proxy in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerUrl(Url);

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        let malformed = |reason: String| ServerUrlError::Malformed { text: text.to_owned(), reason };
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        let url = url.map_err(|error| malformed(error.to_string()))?;
        match url.scheme() {
            "http" if url.query().or(url.fragment()).is_none() => Ok(Self(url)),
            "http" => Err(malformed("unexpected ? or #".to_owned())),
            "https" => Err(ServerUrlError::Tls(text.to_owned())),
            scheme => Err(malformed(format!("unknown scheme {scheme}"))),
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str().trim_end_matches('/'))
    }
}

impl ServerUrl {
    /// The address of a resource of the API; percent-encodes the segments.
    fn resource(&self, segments: &[String]) -> Url {
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        for segment in API_BASE.into_iter().chain(segments.iter().map(String::as_str)) {
            path.push('/');
            path.extend(utf8_percent_encode(segment, RESERVED));
        }
        let mut url = self.0.clone();
        url.set_path(&path);
        url
    }
}

/// A server, and how long to wait for it.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    server: ServerUrl,
    timeout: Duration,
}

/// What is read of the body of an error answer; servers before 1.2 send none of it.
#[derive(Deserialize)]
struct RefusalBody {
    message: String,
    code: Option<String>,
}

impl Http {
    /// Prepares to talk to `server`; connects only when something is sent.
    pub(super) fn new(server: ServerUrl, timeout: Duration) -> Result<Self, ClientError> {
        let client = Client::builder()
            .user_agent(concat!("opendcre/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            // An order must go to the server that was named, not to wherever somebody else points.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unreachable(&server, &error))?;
        Ok(Self { client, server, timeout })
    }

    /// The server that is asked.
    pub(super) fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Sends one request, once, and takes the answer.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, ClientError> {
        let url = self.server.resource(&request.segments);
        let sent = self.client.request(request.method.clone(), url).send().await;
        let response = sent.map_err(|error| self.transport_error(&error))?;
        let status = response.status();
        let missing_buses = response.headers().get(X_OPENDCRE_FAILED);
        let missing_buses = missing_buses.map(|buses| String::from_utf8_lossy(buses.as_bytes()).into_owned());
        let body = self.body(response).await?;
        if status != StatusCode::OK {
            return Err(refusal(status, &body));
        }
        Ok(Answer::parse(&body)?.without_buses(missing_buses))
    }

    /// Reads a body of bounded length.
    async fn body(&self, mut response: Response) -> Result<String, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport_error(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ClientError::Malformed(format!("it is longer than {MAX_ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        // An error page in another encoding must not hide the status that it came with.
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    fn transport_error(&self, error: &reqwest::Error) -> ClientError {
        if error.is_timeout() {
            ClientError::NoAnswer { server: self.server.to_string(), after: self.timeout }
        } else {
            unreachable(&self.server, error)
        }
    }
}

fn unreachable(server: &ServerUrl, error: &reqwest::Error) -> ClientError {
    ClientError::Unreachable { server: server.to_string(), reason: root_cause(error).to_string() }
}

/// The innermost error: the one that the operating system reported.
fn root_cause<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

fn refusal(status: StatusCode, body: &str) -> ClientError {
    let explained = serde_json::from_str(body).unwrap_or_else(|_| RefusalBody {
        message: format!("the server answered {:?}", status.canonical_reason().unwrap_or("?")),
        code: None,
    });
    ClientError::Refused { status: status.as_u16(), code: explained.code, message: explained.message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(server: &str, segments: &[&str]) -> String {
        let segments: Vec<_> = segments.iter().map(ToString::to_string).collect();
        let server: ServerUrl = server.parse().unwrap();
        server.resource(&segments).to_string()
    }

    #[test]
    fn a_server_may_be_named_with_or_without_scheme_and_path() {
        for (server, expected) in [
            ("rack7", "http://rack7/opendcre/1.1/scan"),
            ("rack7:5000", "http://rack7:5000/opendcre/1.1/scan"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/opendcre/1.1/scan"),
            ("[::1]:5000", "http://[::1]:5000/opendcre/1.1/scan"),
            ("http://rack7:5000/", "http://rack7:5000/opendcre/1.1/scan"),
            ("http://proxy/site/a/", "http://proxy/site/a/opendcre/1.1/scan"),
            ("http://proxy/site/a", "http://proxy/site/a/opendcre/1.1/scan"),
        ] {
            assert_eq!(resource(server, &["scan"]), expected, "{server}");
        }
    }

    #[test]
    fn segments_are_percent_encoded() {
        assert_eq!(
            resource("rack7", &["write", "a b/c?d#e%2F", "é\t\n", "door_lock-1.2~"]),
            "http://rack7/opendcre/1.1/write/a%20b%2Fc%3Fd%23e%252F/%C3%A9%09%0A/door_lock-1.2~"
        );
    }

    #[test]
    fn what_is_no_http_server_is_refused() {
        for text in ["", ":5000", "a b", "rack7:99999", "ftp://rack7", "rack7?x", "http://rack7/#x"] {
            let refused = text.parse::<ServerUrl>();
            assert!(matches!(refused, Err(ServerUrlError::Malformed { .. })), "{text}");
        }
        assert_eq!(
            "https://rack7".parse::<ServerUrl>().unwrap_err().to_string(),
            "\"https://rack7\" asks for TLS, which this build's client does not have yet; use an http URL"
        );
    }

    #[test]
    fn a_refusal_says_what_the_server_says() {
        let json = r#"{"message": "board 00000009 is silent", "code": "timeout", "http_code": 500}"#;
        let refused = refusal(StatusCode::INTERNAL_SERVER_ERROR, json);
        assert_eq!(refused.to_string(), "board 00000009 is silent (timeout, HTTP 500)");
        assert_eq!(
            serde_json::to_string(&refused.body()).unwrap(),
            r#"{"message":"board 00000009 is silent","code":"timeout","http_code":500}"#
        );
    }

    #[test]
    fn a_refusal_without_explanation_still_has_words() {
        let refused = refusal(StatusCode::BAD_GATEWAY, "<html>nginx</html>");
        assert_eq!(refused.to_string(), "the server answered \"Bad Gateway\" (HTTP 502)");
        assert_eq!(
            serde_json::to_string(&refused.body()).unwrap(),
            r#"{"message":"the server answered \"Bad Gateway\"","code":"refused","http_code":502}"#
        );
    }
}
