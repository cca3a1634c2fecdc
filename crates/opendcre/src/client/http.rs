//! Sends requests to a server and takes its answers. The only part of the client that uses the network.

use std::error::Error;
use std::fmt::{self, Display};
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use thiserror::Error;
use tokio::time::timeout;

use super::problem::Problem;
use super::split::Splitter;
use super::{Answer, ClientError};

/// The base of the API that this client speaks.
const API_BASE: [&str; 2] = ["opendcre", "2"];

/// Makes an order that is sent twice the same order.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What is percent-encoded: everything but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest answer that is held in memory. What a single board says is well below a hundredth of it.
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

impl Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str().trim_end_matches('/'))
    }
}

impl ServerUrl {
    /// The address of what is asked for; percent-encodes its parts.
    fn resource(&self, request: &Request) -> Url {
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        for segment in API_BASE.into_iter().chain(request.segments.iter().map(String::as_str)) {
            path.push('/');
            path.extend(utf8_percent_encode(segment, RESERVED));
        }
        let parameter =
            |(name, value): &(&str, String)| format!("{name}={}", utf8_percent_encode(value, RESERVED));
        let query: Vec<String> = request.query.iter().map(parameter).collect();
        let mut url = self.0.clone();
        url.set_path(&path);
        url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        url
    }
}

/// A request to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    method: Method,
    /// The path below the base of the API, neither joined nor percent-encoded.
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    /// How long the server was told to wait before it answers.
    wait: Duration,
    order: Option<Order>,
}

/// What a request brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    key: String,
    body: String,
}

impl Request {
    /// A question.
    pub(super) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    /// An order.
    pub(super) fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, segments)
    }

    /// The wish that something be no more.
    pub(super) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments)
    }

    fn new(method: Method, segments: &[&str]) -> Self {
        let segments = segments.iter().map(ToString::to_string).collect();
        Self { method, segments, query: Vec::new(), wait: Duration::ZERO, order: None }
    }

    /// The same with one more parameter.
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// The same with one more parameter, if it has a value.
    pub(super) fn with_optional(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same; the server may wait for news before it answers, which it does in whole seconds.
    pub(super) fn waiting(self, wait: Duration) -> Self {
        Self { wait, ..self.with("wait", wait.as_secs()) }
    }

    /// The same with a JSON body. The same key makes the same order of it, however often it is sent.
    pub(super) fn ordering(self, key: &str, body: &serde_json::Value) -> Self {
        Self { order: Some(Order { key: key.to_owned(), body: body.to_string() }), ..self }
    }
}

/// A server, and how long to wait for it. Clones share their connections.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
    server: ServerUrl,
    /// How long the server may say nothing.
    patience: Duration,
}

impl Http {
    /// Prepares to talk to `server`; connects only when something is sent.
    pub(super) fn new(server: ServerUrl, patience: Duration) -> Result<Self, ClientError> {
        let client = Client::builder()
            .user_agent(concat!("opendcre/", env!("CARGO_PKG_VERSION")))
            // An order must go to the server that was named, not to wherever somebody else points.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unreachable(&server, &error))?;
        Ok(Self { client, server, patience })
    }

    /// The server that is asked.
    pub(super) fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Sends one request, once, and takes the whole answer.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, ClientError> {
        let response = self.begin(request).await?;
        Answer::parse(&self.body(response).await?)
    }

    /// Sends one request, once, and hands the items of the lists in the answer to `on_item`, each with the name of its
    /// list, while they come in. Returns the rest of the answer.
    pub(super) async fn each(
        &self,
        request: &Request,
        mut on_item: impl FnMut(&str, Answer) -> Result<(), ClientError>,
    ) -> Result<Answer, ClientError> {
        let mut response = self.begin(request).await?;
        let mut splitter = Splitter::default();
        while let Some(chunk) = self.chunk(&mut response).await? {
            splitter.push(&chunk, &mut on_item)?;
        }
        splitter.finish()
    }

    /// Sends a request and takes the head of the answer, if it is a good one.
    async fn begin(&self, request: &Request) -> Result<Response, ClientError> {
        let url = self.server.resource(request);
        let mut sending = self.client.request(request.method.clone(), url);
        if let Some(Order { key, body }) = &request.order {
            sending = sending.header(IDEMPOTENCY_KEY, key).header(CONTENT_TYPE, "application/json");
            sending = sending.body(body.clone());
        }
        let patience = self.patience.saturating_add(request.wait);
        let sent = timeout(patience, sending.send()).await.map_err(|_| self.no_answer(patience))?;
        let response = sent.map_err(|error| self.transport_error(&error))?;
        match response.status() {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(response),
            status => Err(refusal(status, &self.body(response).await?, &request.query)),
        }
    }

    /// Reads a body of bounded length.
    async fn body(&self, mut response: Response) -> Result<String, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ClientError::Malformed(format!("it is longer than {MAX_ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        // An error page in another encoding must not hide the status that it came with.
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The next piece of a body.
    async fn chunk(
        &self,
        response: &mut Response,
    ) -> Result<Option<impl Deref<Target = [u8]> + use<>>, ClientError> {
        let chunk =
            timeout(self.patience, response.chunk()).await.map_err(|_| self.no_answer(self.patience))?;
        chunk.map_err(|error| self.transport_error(&error))
    }

    fn no_answer(&self, after: Duration) -> ClientError {
        ClientError::NoAnswer { server: self.server.to_string(), after }
    }

    fn transport_error(&self, error: &reqwest::Error) -> ClientError {
        if error.is_connect() {
            return unreachable(&self.server, error);
        }
        ClientError::Lost { server: self.server.to_string(), reason: root_cause(error).to_string() }
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

fn refusal(status: StatusCode, body: &str, query: &[(&str, String)]) -> ClientError {
    let unexplained = || {
        let reason = status.canonical_reason().unwrap_or("?");
        Problem::unexplained(format!("the server answered {reason:?}"))
    };
    let problem = Problem::parse(body, query).unwrap_or_else(unexplained);
    ClientError::Refused { status: status.as_u16(), problem: Box::new(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(server: &str, request: &Request) -> String {
        let server: ServerUrl = server.parse().unwrap();
        server.resource(request).to_string()
    }

    #[test]
    fn a_server_may_be_named_with_or_without_scheme_and_path() {
        for (server, expected) in [
            ("rack7", "http://rack7/opendcre/2/racks"),
            ("rack7:5000", "http://rack7:5000/opendcre/2/racks"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/opendcre/2/racks"),
            ("[::1]:5000", "http://[::1]:5000/opendcre/2/racks"),
            ("http://rack7:5000/", "http://rack7:5000/opendcre/2/racks"),
            ("http://proxy/site/a/", "http://proxy/site/a/opendcre/2/racks"),
            ("http://proxy/site/a", "http://proxy/site/a/opendcre/2/racks"),
        ] {
            assert_eq!(resource(server, &Request::get(&["racks"])), expected, "{server}");
        }
    }

    #[test]
    fn segments_and_parameters_are_percent_encoded() {
        let request = Request::get(&["groups", "a b/c?d#e%2F", "é\t\n", "door_lock-1.2~"]);
        assert_eq!(
            resource("rack7", &request),
            "http://rack7/opendcre/2/groups/a%20b%2Fc%3Fd%23e%252F/%C3%A9%09%0A/door_lock-1.2~"
        );
        let request = Request::get(&["boards"]).with("nodes", "a[1-2],-b@~c+&=#ä").with("limit", 0);
        assert_eq!(
            resource("rack7", &request),
            "http://rack7/opendcre/2/boards?nodes=a%5B1-2%5D%2C-b%40~c%2B%26%3D%23%C3%A4&limit=0"
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
        let json = r#"{"type": "urn:opendcre:problem:bad_range", "title": "bad range", "status": 422, "code": "bad_range",
            "detail": "the bracket is not closed", "request_id": "7", "parameter": "nodes", "position": 1}"#;
        let refused = refusal(StatusCode::UNPROCESSABLE_ENTITY, json, &[("nodes", "a[".to_owned())]);
        assert_eq!(refused.to_string(), "the bracket is not closed (bad_range, HTTP 422)");
        assert_eq!(refused.explanation(), ["  a[", "   ^"]);
        assert_eq!(
            serde_json::to_string(&refused.body()).unwrap(),
            "{\"message\":\"the bracket is not closed\",\"code\":\"bad_range\",\"http_code\":422,\
             \"parameter\":\"nodes\",\"position\":1}"
        );
    }

    #[test]
    fn a_refusal_without_explanation_still_has_words() {
        let refused = refusal(StatusCode::BAD_GATEWAY, "<html>nginx</html>", &[]);
        assert_eq!(refused.to_string(), "the server answered \"Bad Gateway\" (HTTP 502)");
        assert_eq!(
            serde_json::to_string(&refused.body()).unwrap(),
            r#"{"message":"the server answered \"Bad Gateway\"","code":"refused","http_code":502}"#
        );
    }
}
