//! The beginning of a connection: TLS where it must be, and which version of HTTP is spoken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use opendcre_auth::certificate::CertificateError;
use rustix::net::RecvFlags;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::listener::Socket;
use super::patient::Patient;
use super::place::Place;
use crate::peer::{Peer, Remote};
use crate::tls::{HTTP2, Holder, Tls};

/// What an HTTP/2 client says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The answer to plain HTTP where TLS is spoken.
const USE_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 57\r\n\
    connection: close\r\n\r\n\
    this port speaks HTTPS only; use https:// in the address\n";

/// How much is read, and for how long, of what nobody wants, so that the answer is not lost in a reset (RFC 9112 §9.6).
const DISCARD: u64 = 16 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// A connection on which HTTP can begin.
pub(super) type Transport = Either<Patient, Box<TlsStream<Patient>>>;

/// The versions of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Who is there, and what they speak.
pub(super) struct Greeted {
    pub(super) transport: Transport,
    pub(super) version: Version,
    pub(super) peer: Peer,
}

/// Why nothing is said on a connection.
#[derive(Debug, Error)]
pub(super) enum GreetingError {
    #[error("the connection broke before anything was asked: {0}")]
    Broken(#[from] io::Error),
    #[error("the client did not begin in time")]
    TooLate,
    #[error("the client speaks HTTP where HTTPS is spoken")]
    Plain,
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl GreetingError {
    /// What is wrong with the certificate of the client, if that is why.
    pub(super) fn about_certificate(&self) -> Option<String> {
        match self {
            Self::Certificate(error) => Some(error.to_string()),
            Self::Broken(error) => match error.get_ref()?.downcast_ref()? {
                problem @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
                    Some(problem.to_string())
                }
                _ => None,
            },
            Self::TooLate | Self::Plain => None,
        }
    }
}

/// Begins a connection that is not encrypted.
pub(super) async fn plain(
    socket: Socket,
    remote: Remote,
    place: &Place,
    patience: Duration,
) -> Result<Greeted, GreetingError> {
    let version = version(&socket).await?;
    let transport = Either::Left(Patient::new(socket, patience, Arc::clone(&place.activity)));
    Ok(Greeted { transport, version, peer: Peer::new(remote) })
}

/// Begins a connection with a TLS handshake.
pub(super) async fn encrypted(
    tls: &Arc<Tls>,
    mut socket: Socket,
    remote: Remote,
    place: &Place,
    patience: Duration,
) -> Result<Greeted, GreetingError> {
    // No record of TLS begins with a letter (RFC 8446 §5.1), and every request of HTTP does.
    if first_byte(&socket).await?.is_ascii_uppercase() {
        refuse_plain(&mut socket).await?;
        return Err(GreetingError::Plain);
    }
    let trust = tls.current();
    let patient = Patient::new(socket, patience, Arc::clone(&place.activity));
    let stream = TlsAcceptor::from(Arc::clone(&trust.config)).accept(patient).await?;
    let (_, session) = stream.get_ref();
    let version = if session.alpn_protocol() == Some(HTTP2) { Version::Http2 } else { Version::Http1 };
    let chain =
        session.peer_certificates().map(|chain| chain.iter().map(|one| one.clone().into_owned()).collect());
    let holder = chain.map(|chain| Holder::new(Arc::clone(tls), &trust, chain)).transpose()?;
    place.activity.greeting.store(false, Relaxed);
    place.activity.awaits_client(Instant::now());
    let peer = Peer::new(remote).encrypted(holder);
    Ok(Greeted { transport: Either::Right(Box::new(stream)), version, peer })
}

/// Says that TLS is needed, and takes what else the client says for a moment.
async fn refuse_plain(socket: &mut Socket) -> io::Result<()> {
    socket.write_all(USE_TLS).await?;
    socket.shutdown().await?;
    let mut rest = socket.take(DISCARD);
    let mut nowhere = tokio::io::sink();
    let _ = timeout(DISCARD_TIME, tokio::io::copy(&mut rest, &mut nowhere)).await;
    Ok(())
}

/// Which version the client speaks, of those that need no agreement (RFC 9113 §3.3): HTTP/2 has a preface that no request of
/// HTTP/1 begins with. Nothing is taken from the connection.
async fn version(socket: &Socket) -> io::Result<Version> {
    peek(socket, |beginning| match beginning {
        beginning if beginning == PREFACE => Some(Version::Http2),
        beginning if !beginning.is_empty() && PREFACE.starts_with(beginning) => None,
        _ => Some(Version::Http1),
    })
    .await
    .map(|version| version.unwrap_or(Version::Http1))
}

/// The first byte that the client sends. It is not taken from the connection.
async fn first_byte(socket: &Socket) -> io::Result<u8> {
    let first = peek(socket, |beginning| Some(beginning.first().copied())).await?;
    first.flatten().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Shows `decide` what has arrived, again and again as more does, until it decides; nothing if the client ends before.
async fn peek<T>(socket: &Socket, decide: impl Fn(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
    loop {
        let ready = readable(socket).await?;
        let decided = try_peek(socket, |beginning| {
            // To the runtime, undecided means that it has to wait for more.
            decide(beginning).ok_or_else(|| io::ErrorKind::WouldBlock.into())
        });
        match decided {
            Ok(decided) => return Ok(Some(decided)),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if ready.is_read_closed() => return Ok(None),
            Err(_) => {}
        }
    }
}

async fn readable(socket: &Socket) -> io::Result<Ready> {
    match socket {
        Either::Left(stream) => stream.ready(Interest::READABLE).await,
        Either::Right(stream) => stream.ready(Interest::READABLE).await,
    }
}

fn try_peek<T>(socket: &Socket, look: impl FnOnce(&[u8]) -> io::Result<T>) -> io::Result<T> {
    let mut buffer = [0; PREFACE.len()];
    match socket {
        Either::Left(stream) => stream.try_io(Interest::READABLE, || {
            let (beginning, _) = rustix::net::recv(stream, &mut buffer, RecvFlags::PEEK)?;
            look(buffer.get(..beginning).unwrap_or_default())
        }),
        Either::Right(stream) => stream.try_io(Interest::READABLE, || {
            let (beginning, _) = rustix::net::recv(stream, &mut buffer, RecvFlags::PEEK)?;
            look(buffer.get(..beginning).unwrap_or_default())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(USE_TLS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
