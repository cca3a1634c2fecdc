//! Syslog (RFC 5424) over UDP (RFC 5426), TCP (RFC 6587 §3.4.1, counted octets) and TLS (RFC 5425).
//!
//! Syslog has no answers. Over TCP and TLS a message counts as delivered when the system has taken it for sending; what is
//! on its way when a connection breaks may be lost. Over UDP nothing is known, so that nothing is tried again.

mod message;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::courier::{Destination, Failure};
use crate::filter::Filter;
use crate::notice::Notice;
use crate::tls;
use message::Header;

pub use message::Facility;

/// How long it may take to connect, or to hand over a message.
const LIMIT: Duration = Duration::from_secs(10);

/// How long it may take to close a connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long what was sent may stay unacknowledged before the connection counts as broken.
const PATIENCE: u32 = 20_000;

/// The longest message in a datagram, which receivers should take (RFC 5426 §3.2), and in a stream, which they usually take.
const MAX_DATAGRAM: usize = 2048;
const MAX_STREAM: usize = 8192;

/// A syslog server.
#[derive(Debug, Clone)]
pub struct SyslogSettings {
    /// Its name: what may stand in the name of a file.
    pub name: String,
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    pub transport: SyslogTransport,
    /// The facility of every message.
    pub facility: Facility,
    /// What calls itself the sender of every message, at most 48 characters that are printable ASCII and no spaces.
    pub app_name: String,
    /// The private enterprise number in the names of structured data.
    pub enterprise: u32,
    /// Which events are delivered.
    pub filter: Filter,
}

/// How a syslog server is reached.
#[derive(Debug, Clone)]
pub enum SyslogTransport {
    /// Datagrams: some get lost.
    Udp,
    /// One connection, which everybody on the way can read and change.
    Tcp,
    /// One connection under TLS, to a server whose certificate comes from one of these.
    Tls(RootCertStore),
}

/// A syslog server.
pub(crate) struct Syslog {
    host: String,
    port: u16,
    header: Header,
    link: Link,
}

enum Link {
    Datagrams(Option<UdpSocket>),
    Stream(Option<TlsConnector>, Option<Box<dyn Stream>>),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

impl Syslog {
    /// A server that gets messages from the machine `hostname`. Nothing is sent to it.
    ///
    /// # Errors
    /// TLS cannot be set up, in words.
    pub(crate) fn new(settings: &SyslogSettings, hostname: &str) -> Result<Self, String> {
        let link = match &settings.transport {
            SyslogTransport::Udp => Link::Datagrams(None),
            SyslogTransport::Tcp => Link::Stream(None, None),
            SyslogTransport::Tls(roots) => {
                let config = tls::client(roots.clone(), None).map_err(|error| error.to_string())?;
                Link::Stream(Some(TlsConnector::from(Arc::new(config))), None)
            }
        };
        let header = Header::new(settings, hostname);
        Ok(Self { host: settings.host.clone(), port: settings.port, header, link })
    }
}

impl Destination for Syslog {
    async fn deliver(&mut self, notice: &Notice) -> Result<(), Failure> {
        let Self { host, port, header, link } = self;
        let place = (host.as_str(), *port);
        let limited = timeout(LIMIT, async {
            match link {
                Link::Datagrams(socket) => send(socket, place, &header.message(notice, MAX_DATAGRAM)).await,
                Link::Stream(tls, stream) => {
                    write(stream, tls.as_ref(), place, &header.message(notice, MAX_STREAM)).await
                }
            }
        });
        let sent = limited.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        sent.map_err(|error| self.link.on_failure(&error))
    }

    /// Says that nothing more will come (RFC 5425 §4.4).
    async fn close(&mut self) {
        if let Link::Stream(_, Some(stream)) = &mut self.link {
            // Whoever does not listen any more need not be told.
            let _ = timeout(FAREWELL, stream.shutdown()).await;
        }
    }
}

impl Link {
    /// A connection that has failed is not used again; and a datagram that was not sent is lost.
    fn on_failure(&mut self, error: &io::Error) -> Failure {
        match self {
            Self::Datagrams(socket) => {
                *socket = None;
                Failure::Never(error.to_string())
            }
            Self::Stream(_, stream) => {
                *stream = None;
                Failure::Later(error.to_string(), None)
            }
        }
    }
}

async fn send(socket: &mut Option<UdpSocket>, place: (&str, u16), message: &[u8]) -> io::Result<()> {
    if let Some(socket) = socket {
        // The first attempt may only bring the news that an earlier datagram did not arrive.
        if socket.send(message).await.is_ok() || socket.send(message).await.is_ok() {
            return Ok(());
        }
    }
    let fresh = socket.insert(open(place).await?);
    fresh.send(message).await.map(drop)
}

async fn open(place: (&str, u16)) -> io::Result<UdpSocket> {
    let mut failure = io::Error::other("there is no address of that name");
    for address in lookup_host(place).await? {
        let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(own).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn write(
    kept: &mut Option<Box<dyn Stream>>,
    tls: Option<&TlsConnector>,
    place: (&str, u16),
    message: &[u8],
) -> io::Result<()> {
    // Out of its place while it is used: what is given up half-way must not be gone on with.
    let mut stream = match still_open(kept.take()).await {
        Some(stream) => stream,
        None => connect(tls, place).await?,
    };
    let mut frame = format!("{} ", message.len()).into_bytes();
    frame.extend_from_slice(message);
    stream.write_all(&frame).await?;
    stream.flush().await?;
    *kept = Some(stream);
    Ok(())
}

async fn connect(tls: Option<&TlsConnector>, place: (&str, u16)) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(place).await?;
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_tcp_user_timeout(&stream, PATIENCE)?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let (host, _) = place;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

/// The connection, unless the server has closed it. It has nothing to say, so that whatever it says is left out.
async fn still_open(stream: Option<Box<dyn Stream>>) -> Option<Box<dyn Stream>> {
    let mut stream = stream?;
    let mut bytes = [0; 256];
    let mut buffer = ReadBuf::new(&mut bytes);
    let read = poll_fn(|context| Poll::Ready(Pin::new(&mut stream).poll_read(context, &mut buffer)));
    let is_open = match read.await {
        Poll::Pending => true,
        Poll::Ready(read) => read.is_ok() && !buffer.filled().is_empty(),
    };
    is_open.then_some(stream)
}
