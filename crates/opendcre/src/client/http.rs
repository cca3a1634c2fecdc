//! Sends requests to a server and takes its answers. The only part of the client that uses the network.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use rustls::OtherError;
use tokio::time::timeout;

use super::credential::Credential;
use super::event_stream::{EventStream, Message};
use super::problem::{HOW_TO_LOG_IN, Problem};
use super::server_url::ServerUrl;
use super::split::Splitter;
use super::tls::{self, Untrusted};
use super::{Answer, ClientError};
use crate::cli::{ClientOptions, TOKEN_VARIABLE};

/// Makes an order that is sent twice the same order.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The code with which a server says that it is not ready.
const NOT_READY: &str = "not_ready";

/// Says where a stream of events was cut off.
const LAST_EVENT_ID: &str = "last-event-id";

/// How long a stream may be silent: the server says something at least every 15 s.
const SILENCE: Duration = Duration::from_secs(40);

/// The longest answer that is held in memory. What a single board says is well below a hundredth of it.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

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
    /// The last event that is known, of those who want a stream of them.
    last_event: Option<u64>,
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
        Self { method, segments, query: Vec::new(), wait: Duration::ZERO, order: None, last_event: None }
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

    /// The same for a stream of events that begins after the one with this number.
    pub(super) fn after_event(self, number: u64) -> Self {
        Self { last_event: Some(number), ..self }
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
    /// What shows who asks.
    credential: Arc<Credential>,
    /// How long the server may say nothing.
    patience: Duration,
}

impl Http {
    /// Prepares to talk to the server that `options` name, and shows it who asks; connects only when something is sent.
    pub(super) fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let server: ServerUrl = options.server.parse()?;
        let credential = Credential::find(&options.access, &server, std::env::var(TOKEN_VARIABLE).ok())?;
        Self::with(server, options, credential)
    }

    /// The same for what may be asked without showing who asks.
    pub(super) fn unnamed(options: &ClientOptions) -> Result<Self, ClientError> {
        Self::with(options.server.parse()?, options, Credential::None)
    }

    fn with(server: ServerUrl, options: &ClientOptions, credential: Credential) -> Result<Self, ClientError> {
        let client = Client::builder()
            .user_agent(concat!("opendcre/", env!("CARGO_PKG_VERSION")))
            // An order must go to the server that was named, not to wherever somebody else points.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tls_backend_preconfigured(tls::config(&options.access, &server)?)
            .build()
            .map_err(|error| unreachable(&server, &error))?;
        Ok(Self { client, server, credential: Arc::new(credential), patience: options.timeout })
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

    /// Sends one request, once, and hands the answer to `on_part` as it is, while it comes in.
    pub(super) async fn parts(
        &self,
        request: &Request,
        mut on_part: impl FnMut(&[u8]) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let mut response = self.begin(request).await?;
        while let Some(chunk) = self.chunk(&mut response).await? {
            on_part(&chunk)?;
        }
        Ok(())
    }

    /// Listens to a stream of events until it ends.
    pub(super) async fn listen(
        &self,
        request: &Request,
        mut on_message: impl FnMut(Message) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let mut response = self.begin(request).await?;
        let mut stream = EventStream::default();
        let patience = self.patience.max(SILENCE);
        while let Some(chunk) = self.chunk_within(&mut response, patience).await? {
            stream.push(&chunk, &mut on_message)?;
        }
        Ok(())
    }

    /// Asks the server whether it is ready, which it tells in the same words in either case.
    pub(super) async fn readiness(&self) -> Result<(bool, Answer), ClientError> {
        let question = Request::get(&[]);
        let response = self.dispatch(&question, self.server.readiness()).await?;
        let status = response.status();
        let body = self.body(response).await?;
        let answer = Answer::parse(&body);
        match (status, answer) {
            (StatusCode::OK, answer) => Ok((true, answer?)),
            (StatusCode::SERVICE_UNAVAILABLE, Ok(answer)) if answer.text("code") == NOT_READY => {
                Ok((false, answer))
            }
            _ => Err(self.refusal(status, &body, &[])),
        }
    }

    /// Sends a request and takes the head of the answer, if it is a good one.
    async fn begin(&self, request: &Request) -> Result<Response, ClientError> {
        let url = self.server.resource(&request.segments, &request.query);
        let response = self.dispatch(request, url).await?;
        match response.status() {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(response),
            status => Err(self.refusal(status, &self.body(response).await?, &request.query)),
        }
    }

    /// Sends a request to `url` and takes the head of the answer.
    async fn dispatch(&self, request: &Request, url: Url) -> Result<Response, ClientError> {
        let mut sending = self.client.request(request.method.clone(), url);
        if let Some(credential) = self.credential.header().await? {
            sending = sending.header(AUTHORIZATION, credential);
        }
        if let Some(Order { key, body }) = &request.order {
            sending = sending.header(IDEMPOTENCY_KEY, key).header(CONTENT_TYPE, "application/json");
            sending = sending.body(body.clone());
        }
        if let Some(number) = request.last_event {
            sending = sending.header(ACCEPT, "text/event-stream").header(LAST_EVENT_ID, number);
        }
        let patience = self.patience.saturating_add(request.wait);
        let sent = timeout(patience, sending.send()).await.map_err(|_| self.no_answer(patience))?;
        sent.map_err(|error| self.transport_error(&error))
    }

    fn refusal(&self, status: StatusCode, body: &str, query: &[(&str, String)]) -> ClientError {
        if !self.server.is_https() && wants_tls(status, body) {
            return ClientError::TlsOnly { server: self.server.to_string() };
        }
        refusal(status, body, query)
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
        self.chunk_within(response, self.patience).await
    }

    async fn chunk_within(
        &self,
        response: &mut Response,
        patience: Duration,
    ) -> Result<Option<impl Deref<Target = [u8]> + use<>>, ClientError> {
        let chunk = timeout(patience, response.chunk()).await.map_err(|_| self.no_answer(patience))?;
        chunk.map_err(|error| self.transport_error(&error))
    }

    fn no_answer(&self, after: Duration) -> ClientError {
        ClientError::NoAnswer { server: self.server.to_string(), after }
    }

    fn transport_error(&self, error: &reqwest::Error) -> ClientError {
        if error.is_connect() {
            return unreachable(&self.server, error);
        }
        let server = self.server.to_string();
        match (tls_error(error), root_cause(error).to_string()) {
            (Some(cause), _) => refused_by_tls(server, cause),
            // Most servers that others can reach speak TLS, and break off when they hear something else.
            (None, reason) if !self.server.is_private() => {
                ClientError::Lost { server, reason: format!("{reason}; if it speaks TLS, use an https URL") }
            }
            (None, reason) => ClientError::Lost { server, reason },
        }
    }
}

fn unreachable(server: &ServerUrl, error: &reqwest::Error) -> ClientError {
    let name = server.to_string();
    match tls_error(error) {
        Some(cause) => refused_by_tls(name, cause),
        None => ClientError::Unreachable { server: name, reason: root_cause(error).to_string() },
    }
}

/// The error of TLS in an error, if it comes from there. Errors of input and output do not name as their source what they
/// hold, and one may hold another.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut held: &(dyn Error + 'static) = root_cause(error);
    while let Some(error) = held.downcast_ref::<io::Error>() {
        held = error.get_ref()?;
    }
    held.downcast_ref()
}

/// What has gone wrong while TLS began.
fn refused_by_tls(server: String, error: &rustls::Error) -> ClientError {
    match error {
        rustls::Error::Other(OtherError(cause))
            if let Some(untrusted) = cause.downcast_ref::<Untrusted>() =>
        {
            ClientError::Untrusted { server, untrusted: untrusted.clone() }
        }
        rustls::Error::InvalidMessage(_) => ClientError::NoTls { server },
        error => ClientError::Tls { server, reason: error.to_string() },
    }
}

/// The innermost error: the one that the operating system reported.
fn root_cause<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Whether an answer in plain HTTP says that there is none: a page for people, be it of ours, of nginx or of others, none of
/// which has a code.
fn wants_tls(status: StatusCode, body: &str) -> bool {
    status == StatusCode::BAD_REQUEST && body.contains("HTTPS") && Problem::parse(body, &[]).is_none()
}

fn refusal(status: StatusCode, body: &str, query: &[(&str, String)]) -> ClientError {
    let unexplained = || {
        let reason = status.canonical_reason().unwrap_or("?");
        let hint =
            if status == StatusCode::UNAUTHORIZED { format!("; {HOW_TO_LOG_IN}") } else { String::new() };
        Problem::unexplained(format!("the server answered {reason:?}{hint}"))
    };
    let problem = Problem::parse(body, query).unwrap_or_else(unexplained);
    ClientError::Refused { status: status.as_u16(), problem: Box::new(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn who_speaks_tls_only_says_so_in_words_of_their_own() {
        let bad = StatusCode::BAD_REQUEST;
        for page in [
            "this port speaks HTTPS only; use https:// in the address\n",
            "<center>The plain HTTP request was sent to HTTPS port</center>",
            "Client sent an HTTP request to an HTTPS server.\n",
        ] {
            assert!(wants_tls(bad, page), "{page}");
            assert!(!wants_tls(StatusCode::BAD_GATEWAY, page), "{page}");
        }
        assert!(!wants_tls(bad, "<html>nginx</html>"));
        assert!(!wants_tls(bad, r#"{"detail": "no board is called HTTPS", "code": "unknown_name"}"#));
    }

    #[test]
    fn a_refusal_without_explanation_still_has_words() {
        let refused = refusal(StatusCode::UNAUTHORIZED, "<html>nginx</html>", &[]);
        assert_eq!(
            refused.to_string(),
            "the server answered \"Unauthorized\"; use `opendcre login`, --token-file or --user (HTTP 401)"
        );
        let refused = refusal(StatusCode::BAD_GATEWAY, "<html>nginx</html>", &[]);
        assert_eq!(refused.to_string(), "the server answered \"Bad Gateway\" (HTTP 502)");
        assert_eq!(
            serde_json::to_string(&refused.body()).unwrap(),
            r#"{"message":"the server answered \"Bad Gateway\"","code":"refused","http_code":502}"#
        );
    }
}
