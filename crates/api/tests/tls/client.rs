//! Clients of all kinds.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use opendcre_model::WallClock;
use rustls::crypto::ring;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::files::{Authority, Pair};
use crate::room::{Room, TestClock};

pub(crate) const TEST: &[u8] = b"GET /opendcre/1.1/test HTTP/1.1\r\nHost: localhost\r\n\r\n";
pub(crate) const OK: &str = "{\"status\":\"ok\"}";

struct Clock(Arc<TestClock>);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.now().as_second().try_into().unwrap())))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How a client speaks TLS: whom it trusts, who it is, which version it speaks.
pub(crate) fn config(
    room: &Room,
    trust: &Authority,
    identity: Option<&Pair>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trust.certificate.clone()).unwrap();
    let clock = Arc::new(Clock(Arc::clone(&room.clock)));
    let builder = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), clock)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        Some(pair) => {
            builder.with_client_auth_cert(vec![pair.certificate.clone()], pair.key.clone_key()).unwrap()
        }
        None => builder.with_no_client_auth(),
    }
}

/// The usual one.
pub(crate) fn usual(room: &Room, trust: &Authority, identity: Option<&Pair>) -> Arc<ClientConfig> {
    Arc::new(config(room, trust, identity, rustls::ALL_VERSIONS))
}

pub(crate) async fn connect(room: &Room, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::clone(config));
    connector.connect("localhost".try_into().unwrap(), room.connect().await).await
}

/// Asks by HTTP/1, and says the status and the body of the answer.
pub(crate) async fn ask<S>(stream: &mut S) -> io::Result<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    ask_for(stream, "/opendcre/1.1/test").await
}

/// Asks for a path in the same way.
pub(crate) async fn ask_for<S>(stream: &mut S, path: &str) -> io::Result<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    read_answer(stream).await
}

/// Reads one answer that says how long it is.
pub(crate) async fn read_answer<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(u16, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, String::from_utf8(body).unwrap()))
}

/// Everything until the server closes, in whatever way.
pub(crate) async fn read_to_end<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        bytes.extend_from_slice(&buffer[..count]);
    }
    bytes
}

/// A client of HTTP/2, which must be driven.
pub(crate) struct Http2<D> {
    pub(crate) sender: hyper::client::conn::http2::SendRequest<Empty<Bytes>>,
    pub(crate) driver: D,
}

/// Begins HTTP/2 with a window of so many bytes for each answer.
pub(crate) async fn http2<S>(stream: S, window: u32) -> Http2<impl Future<Output = hyper::Result<()>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http2::Builder::new(Inline);
    builder.initial_stream_window_size(window).adaptive_window(false);
    let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    Http2 { sender, driver }
}

/// Runs what the client library wants to do besides.
#[derive(Clone)]
struct Inline;

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Inline {
    fn execute(&self, task: F) {
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
        tokio::spawn(async move { drop(task.await) });
    }
}

pub(crate) fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://localhost{path}")).body(Empty::new()).unwrap()
}

pub(crate) async fn taken_apart(response: Response<Incoming>) -> (StatusCode, String) {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}
