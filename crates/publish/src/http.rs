//! What all who send over HTTP have in common: a client that goes nowhere else than it is told, bounded answers, and how
//! long a receiver wants to be left alone.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use rustls::ClientConfig;

/// How much of an answer is read.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A client whose requests may take so long each.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn client(tls: ClientConfig, timeout: Duration) -> Result<Client, String> {
    let client = Client::builder()
        .user_agent(concat!("opendcre/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        // What is meant for one receiver is nobody else's business.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(timeout);
    client.build().map_err(|error| root_cause(&error))
}

/// The body of an answer; nothing of one that is too long.
///
/// # Errors
/// The answer is not whole.
pub(crate) async fn body(response: &mut Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// How long a receiver wants to be left alone (RFC 9110 §10.2.3), if it says so.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    pause(text.trim(), now)
}

/// Seconds, or until a date.
fn pause(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// The innermost error: the one that says what went wrong, and nothing of the URL, which may hold a secret.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.is_timeout() {
        true => "the receiver does not answer in time".to_owned(),
        false => cause.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use tokio::io::{AsyncRead, AsyncReadExt};

    /// The head and the body of the next request.
    pub(crate) async fn request(stream: &mut (impl AsyncRead + Unpin)) -> (String, Vec<u8>) {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let body = &bytes[end + 4..];
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    return (head, body.to_vec());
                }
            }
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the request ends early: {bytes:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        assert_eq!(pause("120", NOW), Some(Duration::from_secs(120)));
        assert_eq!(pause("Fri, 15 Jan 2027 08:00:30 GMT", NOW), Some(Duration::from_secs(30)));
        assert_eq!(pause("Fri, 15 Jan 2027 07:00:00 GMT", NOW), Some(Duration::ZERO));
        for text in ["", "soon", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(pause(text, NOW), None, "{text:?}");
        }
        let headers = HeaderMap::from_iter([(RETRY_AFTER, " 7 ".parse().unwrap())]);
        assert_eq!(retry_after(&headers, NOW), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
