//! A connection as a way of whole messages: TCP, then TLS on it.
//!
//! It knows how long a message is and nothing of what it says. It sets no time limit: whoever waits does, for everything
//! together.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::ClientConnection;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::TcpStream;

use super::ber::{self, BerError};

/// How many octets a message has at most. An entry with some thousand groups has a tenth of it.
const MAX_MESSAGE: usize = 1 << 20;
/// How many octets are read at once: a TLS record (RFC 8446 §5.1).
const CHUNK: usize = 1 << 14;

/// Why no message comes or goes.
#[derive(Debug, Error)]
pub(super) enum WireError {
    #[error("the connection fails: {0}")]
    Io(#[from] io::Error),
    #[error("TLS fails: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the server has closed the connection")]
    Closed,
    #[error("the server sends what is no message of LDAP: {0}")]
    Malformed(#[from] BerError),
    #[error("the server announces a message of {0} octets, which is more than {MAX_MESSAGE}")]
    TooLong(usize),
    #[error("the server sends something unasked before TLS begins")]
    Injected,
}

/// A connection. Until [`secure`](Self::secure) has succeeded everything on it can be read and changed on the way.
#[derive(Debug)]
pub(super) struct Wire {
    tcp: TcpStream,
    // On the heap, because it is large and moves with whoever owns the connection.
    tls: Option<Box<ClientConnection>>,
    received: Vec<u8>,
    chunk: Vec<u8>,
}

impl Wire {
    pub(super) async fn connect(host: &str, port: u16) -> Result<Self, WireError> {
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, tls: None, received: Vec::new(), chunk: vec![0; CHUNK] })
    }

    /// Begins TLS, and checks that the certificate of the server names `name`.
    pub(super) async fn secure(
        &mut self,
        config: &Arc<ClientConfig>,
        name: &ServerName<'static>,
    ) -> Result<(), WireError> {
        // What came in plain text may be from anybody and must not count as said under TLS.
        if !self.received.is_empty() {
            return Err(WireError::Injected);
        }
        let mut tls = Box::new(ClientConnection::new(Arc::clone(config), name.clone())?);
        while tls.is_handshaking() {
            flush(&self.tcp, &mut tls).await?;
            if tls.is_handshaking() {
                fill(&self.tcp, &mut tls, &mut self.chunk).await?;
            }
        }
        flush(&self.tcp, &mut tls).await?;
        self.tls = Some(tls);
        Ok(())
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: &[u8]) -> Result<(), WireError> {
        let Some(tls) = &mut self.tls else { return Ok(write_all(&self.tcp, message).await?) };
        let mut rest = message;
        while !rest.is_empty() {
            let taken = tls.writer().write(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
            flush(&self.tcp, tls).await?;
        }
        Ok(())
    }

    /// Waits for a message.
    pub(super) async fn receive(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            if let Some(length) = ber::message_length(&self.received)? {
                if length > MAX_MESSAGE {
                    return Err(WireError::TooLong(length));
                }
                if self.received.len() >= length {
                    let rest = self.received.split_off(length);
                    return Ok(std::mem::replace(&mut self.received, rest));
                }
            }
            self.read_more().await?;
        }
    }

    /// Whether nothing has come since the last message, not even the end of the connection.
    pub(super) fn is_quiet(&self) -> bool {
        let nothing = self.tcp.try_read(&mut [0]);
        self.received.is_empty() && nothing.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    async fn read_more(&mut self) -> Result<(), WireError> {
        let count = match &mut self.tls {
            None => read_some(&self.tcp, &mut self.chunk).await?,
            Some(tls) => loop {
                match tls.reader().read(&mut self.chunk) {
                    Ok(0) => return Err(WireError::Closed),
                    Ok(count) => break count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
                fill(&self.tcp, tls, &mut self.chunk).await?;
            },
        };
        self.received.extend_from_slice(self.chunk.get(..count).unwrap_or_default());
        Ok(())
    }
}

/// Gives TLS what the server has sent.
async fn fill(tcp: &TcpStream, tls: &mut ClientConnection, chunk: &mut [u8]) -> Result<(), WireError> {
    let count = read_some(tcp, chunk).await?;
    let mut records = chunk.get(..count).unwrap_or_default();
    while !records.is_empty() {
        tls.read_tls(&mut records)?;
        if let Err(error) = tls.process_new_packets() {
            // The server is told why, if it still listens; the reason for us is `error`.
            let _ = flush(tcp, tls).await;
            return Err(error.into());
        }
    }
    flush(tcp, tls).await
}

/// Sends what TLS has to say.
async fn flush(tcp: &TcpStream, tls: &mut ClientConnection) -> Result<(), WireError> {
    while tls.wants_write() {
        let mut records = Vec::new();
        tls.write_tls(&mut records)?;
        write_all(tcp, &records).await?;
    }
    Ok(())
}

async fn write_all(tcp: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        tcp.writable().await?;
        match tcp.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_some(tcp: &TcpStream, chunk: &mut [u8]) -> Result<usize, WireError> {
    loop {
        tcp.readable().await?;
        match tcp.try_read(chunk) {
            Ok(0) => return Err(WireError::Closed),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}
