//! Requests to a receiver of OTLP over HTTP, and what its answers mean (OpenTelemetry protocol, OTLP/HTTP). It knows neither
//! what is sent nor when it is sent again.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use opendcre_model::WallClock;
use prost::Message;
use prost::bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::ExposeSecret;

use super::OtlpSettings;
use super::message::{ExportServiceResponse, Status};
use crate::courier::Failure;
use crate::{http, tls};

/// The type of binary messages.
const PROTOBUF: &str = "application/x-protobuf";

/// The most characters that are repeated of what a receiver says.
const MAX_WORDS: usize = 200;

/// What is sent, each to a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Metrics,
    Logs,
}

/// Where one signal is sent to. Clones are cheap.
#[derive(Clone)]
pub(super) struct Exporter {
    client: Client,
    url: Url,
    headers: HeaderMap,
    is_compressed: bool,
    clock: Arc<dyn WallClock>,
}

/// What a receiver has not taken of a request that it has taken as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rejected {
    pub(super) count: u64,
    pub(super) reason: String,
}

impl Signal {
    /// Below the endpoint.
    const fn path(self) -> [&'static str; 2] {
        match self {
            Self::Metrics => ["v1", "metrics"],
            Self::Logs => ["v1", "logs"],
        }
    }
}

impl Exporter {
    /// # Errors
    /// What is wrong with the settings, in words.
    pub(super) fn new(
        settings: &OtlpSettings,
        signal: Signal,
        clock: Arc<dyn WallClock>,
    ) -> Result<Self, String> {
        let mut url = Url::parse(&settings.endpoint).map_err(|error| format!("endpoint: {error}"))?;
        let mut path = url.path_segments_mut().map_err(|()| "endpoint: it can have no path".to_owned())?;
        path.pop_if_empty().extend(signal.path());
        drop(path);
        let tls = tls::client(settings.roots.clone(), settings.identity.as_ref());
        let client = http::client(tls.map_err(|error| error.to_string())?, settings.timeout)?;
        let headers = headers(settings)?;
        Ok(Self { client, url, headers, is_compressed: settings.is_compressed, clock })
    }

    /// A message as it is sent.
    ///
    /// # Errors
    /// It cannot be compressed.
    pub(super) fn pack(&self, message: &impl Message) -> io::Result<Bytes> {
        let plain = message.encode_to_vec();
        if !self.is_compressed {
            return Ok(plain.into());
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&plain)?;
        packed.finish().map(Bytes::from)
    }

    /// Sends what was packed, and returns what of it was not taken.
    pub(super) async fn send(&self, packed: Bytes) -> Result<Rejected, Failure> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(packed);
        let lost = |error| Failure::Later(http::root_cause(&error), None);
        let mut response = request.send().await.map_err(lost)?;
        let body = http::body(&mut response).await.map_err(lost)?;
        self.judge(&response, body.as_deref())
    }

    /// What an answer means. Only four statuses may change by themselves; redirects are followed by nobody, but a proxy that
    /// is set up wrong may be mended.
    fn judge(&self, response: &Response, body: Option<&[u8]>) -> Result<Rejected, Failure> {
        let status = response.status();
        if status.is_success() {
            let foreign = || {
                Failure::Never(
                    "the receiver answers with something else than OTLP; check the endpoint".to_owned(),
                )
            };
            return ExportServiceResponse::decode(body.ok_or_else(foreign)?)
                .map(Rejected::from)
                .map_err(|_| foreign());
        }
        let mut reason = format!("the receiver answers with status {}", status.as_u16());
        if let Some(words) = words(response.headers(), body.unwrap_or_default()) {
            reason = format!("{reason}: {words}");
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                Err(Failure::Later(reason, http::retry_after(response.headers(), self.clock.now())))
            }
            _ if status.is_redirection() => Err(Failure::Later(reason, None)),
            _ => Err(Failure::Never(reason)),
        }
    }
}

impl From<ExportServiceResponse> for Rejected {
    fn from(response: ExportServiceResponse) -> Self {
        let partial = response.partial_success.unwrap_or_default();
        let count = partial.rejected.try_into().unwrap_or_default();
        Self { count, reason: plain(&partial.error_message) }
    }
}

fn headers(settings: &OtlpSettings) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let known = HeaderName::try_from(name);
        let known = known.map_err(|_| format!("headers: {name:?} is no name of a header field"))?;
        let value = HeaderValue::try_from(value.expose_secret());
        let mut value = value
            .map_err(|_| format!("headers: the value of {name:?} has characters that it must not have"))?;
        value.set_sensitive(true);
        headers.insert(known, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    if settings.is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(headers)
}

/// What a receiver says about a request that failed: the message of a status, or plain text.
fn words(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let words = match kind.split(';').next()?.trim() {
        PROTOBUF => Status::decode(body).ok()?.message,
        "text/plain" => String::from_utf8_lossy(body).into_owned(),
        _ => return None,
    };
    Some(plain(words.trim())).filter(|words| !words.is_empty())
}

/// The beginning of what somebody else said, in one line.
fn plain(text: &str) -> String {
    text.chars().take(MAX_WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
