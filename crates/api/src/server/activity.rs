//! What is going on on one connection: whether the server works, or waits for the client.
//!
//! It is read by others while it changes; a look that is a moment late does no harm, so nothing is locked.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Duration;

use tokio::time::Instant;

/// What is going on on one connection.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Whether the TLS handshake is still going on.
    pub(super) greeting: AtomicBool,
    /// Requests whose header has arrived and whose answer has not been taken whole.
    pub(super) requests: AtomicU32,
    /// Those of them whose body is still on its way.
    pub(super) uploads: AtomicU32,
    /// Those of them of whose answer the client must take a part before it is given the next.
    pub(super) held: AtomicU32,
    /// Bytes of answers that were handed over for sending.
    pub(super) sent: AtomicU64,
    /// Whether the socket takes nothing more at the moment.
    stuck: AtomicBool,
    /// When it last was the client's turn, in milliseconds since it was opened.
    since: AtomicU64,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// A request, since then.
    Request(Instant),
    /// That the client takes what it was given of an answer.
    Taking,
    /// Something that has its time limit elsewhere: the server itself, the rest of a request, or the socket.
    Other,
}

impl Activity {
    /// A connection that was opened at `now`.
    pub(super) const fn new(now: Instant, greeting: bool) -> Self {
        Self {
            opened: now,
            greeting: AtomicBool::new(greeting),
            requests: AtomicU32::new(0),
            uploads: AtomicU32::new(0),
            held: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            stuck: AtomicBool::new(false),
            since: AtomicU64::new(0),
        }
    }

    /// Notes that it is the client's turn from now on.
    pub(super) fn awaits_client(&self, now: Instant) {
        let since = now.saturating_duration_since(self.opened).as_millis();
        self.since.store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// Notes whether the socket takes nothing more.
    pub(super) fn set_stuck(&self, stuck: bool, now: Instant) {
        if self.stuck.swap(stuck, Relaxed) != stuck {
            self.awaits_client(now);
        }
    }

    /// Bytes of answers that were handed over for sending so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Since when the server waits for the client alone, if it does.
    pub(super) fn awaited_since(&self) -> Option<Instant> {
        let (requests, uploads) = (self.requests.load(Relaxed), self.uploads.load(Relaxed));
        let awaited = uploads.saturating_add(self.held.load(Relaxed));
        (self.stuck.load(Relaxed) || requests <= awaited).then(|| self.since())
    }

    /// What it waits for at the moment.
    pub(super) fn wait(&self) -> Wait {
        match (self.requests.load(Relaxed), self.held.load(Relaxed)) {
            _ if self.stuck.load(Relaxed) => Wait::Other,
            (0, _) => Wait::Request(self.since()),
            (_, 0) => Wait::Other,
            _ => Wait::Taking,
        }
    }

    fn since(&self) -> Instant {
        self.opened + Duration::from_millis(self.since.load(Relaxed))
    }
}
