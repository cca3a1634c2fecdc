//! A connection to a server on which one operation runs at a time. It exists only with TLS.

use std::sync::Arc;

use rustls::ClientConfig;
use secrecy::SecretString;
use thiserror::Error;

use super::message::{self, Code, Entry, MessageError, Outcome, Response, Search};
use super::server::{Security, Server};
use super::wire::{Wire, WireError};

/// The number of the first request on a connection.
const FIRST_ID: i32 = 1;
/// How many octets a server may send for one search, all pages together.
const MAX_FOUND: usize = 8 << 20;
/// What a message counts at least, which bounds their number too.
const LEAST_COUNTED: usize = 512;
/// How many characters of what a server says are repeated.
const MAX_DIAGNOSTIC: usize = 200;

/// Why an operation has no result.
#[derive(Debug, Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the server sends what is no answer: {0}")]
    Malformed(#[from] MessageError),
    #[error("the server answers another question than the one that was asked")]
    Unasked,
    #[error("the server sends more than {MAX_FOUND} octets for one search")]
    TooMany,
    #[error("the server does not begin TLS ({})", describe(.0))]
    NoTls(Outcome),
    #[error("the server ends the connection ({})", describe(.0))]
    Disconnected(Outcome),
    #[error("the server does not search ({})", describe(.0))]
    Search(Outcome),
}

/// What the code and the text of an outcome say, fit for a line of a log.
pub(super) fn describe(outcome: &Outcome) -> String {
    let text = outcome.diagnostic.chars().filter(|character| !character.is_control());
    let text = text.take(MAX_DIAGNOSTIC).collect::<String>();
    match text.trim() {
        "" => outcome.code.to_string(),
        text => format!("{}: {text}", outcome.code),
    }
}

/// What a search has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// Whether there are more than the server was allowed, or is willing, to send.
    pub(super) truncated: bool,
}

/// A connection with TLS.
#[derive(Debug)]
pub(super) struct Connection {
    wire: Wire,
    last_id: i32,
}

impl Connection {
    /// Connects, and checks the certificate of the server.
    pub(super) async fn open(server: &Server, tls: &Arc<ClientConfig>) -> Result<Self, ConnectionError> {
        let mut wire = Wire::connect(&server.host, server.port).await?;
        if server.security == Security::StartTls {
            start_tls(&mut wire).await?;
        }
        wire.secure(tls, &server.name).await?;
        Ok(Self { wire, last_id: FIRST_ID })
    }

    /// Whether the server has neither closed the connection nor said anything unasked.
    pub(super) fn is_quiet(&self) -> bool {
        self.wire.is_quiet()
    }

    /// Binds with a name and a password (RFC 4511 §4.2). The password must not be empty, see RFC 4513 §5.1.2.
    pub(super) async fn bind(
        &mut self,
        name: &str,
        password: &SecretString,
    ) -> Result<Outcome, ConnectionError> {
        let id = self.next_id();
        self.wire.send(&message::bind(id, name, password)).await?;
        match receive(&mut self.wire, id).await?.0 {
            Response::Bind(outcome) => Ok(outcome),
            _ => Err(ConnectionError::Unasked),
        }
    }

    /// Searches, page by page. Referrals and references are ignored.
    ///
    /// # Errors
    /// Besides what goes wrong on the wire: the server does not search, or sends too many entries.
    pub(super) async fn search(&mut self, search: &Search<'_>) -> Result<Found, ConnectionError> {
        let mut found = Found::default();
        let mut cookie = Vec::new();
        let mut allowed = MAX_FOUND;
        loop {
            let id = self.next_id();
            self.wire.send(&message::search(id, search, &cookie)).await?;
            let (outcome, next) = self.page(id, &mut found.entries, &mut allowed).await?;
            match outcome.code {
                Code::SUCCESS => {}
                Code::SIZE_LIMIT_EXCEEDED => {
                    found.truncated = true;
                    return Ok(found);
                }
                _ => return Err(ConnectionError::Search(outcome)),
            }
            if next.is_empty() {
                return Ok(found);
            }
            cookie = next;
        }
    }

    /// Reads the answers to one request for entries, and returns how it ended and the cookie of the next page.
    async fn page(
        &mut self,
        id: i32,
        entries: &mut Vec<Entry>,
        allowed: &mut usize,
    ) -> Result<(Outcome, Vec<u8>), ConnectionError> {
        loop {
            let (response, length) = receive(&mut self.wire, id).await?;
            *allowed = allowed.checked_sub(length.max(LEAST_COUNTED)).ok_or(ConnectionError::TooMany)?;
            match response {
                Response::Entry(entry) => entries.push(entry),
                Response::Reference | Response::Intermediate => {}
                Response::Done(outcome, cookie) => return Ok((outcome, cookie)),
                Response::Bind(_) | Response::Extended(_) => return Err(ConnectionError::Unasked),
            }
        }
    }

    /// Numbers are used once; a connection with two thousand million operations does not happen.
    fn next_id(&mut self) -> i32 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }
}

/// Asks for TLS (RFC 4511 §4.14).
async fn start_tls(wire: &mut Wire) -> Result<(), ConnectionError> {
    wire.send(&message::start_tls(FIRST_ID)).await?;
    match receive(wire, FIRST_ID).await?.0 {
        Response::Extended(outcome) if outcome.code == Code::SUCCESS => Ok(()),
        Response::Extended(outcome) => Err(ConnectionError::NoTls(outcome)),
        _ => Err(ConnectionError::Unasked),
    }
}

/// Waits for the answer to the request with this number, the only one that is open: what it says, and its length.
async fn receive(wire: &mut Wire, id: i32) -> Result<(Response, usize), ConnectionError> {
    let bytes = wire.receive().await?;
    match message::decode(&bytes)? {
        (found, response) if found == id => Ok((response, bytes.len())),
        // The notice of disconnection (RFC 4511 §4.4.1).
        (0, Response::Extended(outcome)) => Err(ConnectionError::Disconnected(outcome)),
        _ => Err(ConnectionError::Unasked),
    }
}
