//! What one client, or all of them together, may use up.

use std::time::Duration;

/// What one client, or all of them together, may use up, before anybody asks who they are. HTTP/1 and HTTP/2 have the same
/// limits; a request may also have at most [`HEADERS`](Self::HEADERS) header fields.
///
/// A client that is awaited is one that has not sent its request whole, or does not take its answer. When there are too
/// many connections, a new one takes the place of the one whose client has been awaited longest; so whoever is slow never
/// keeps others out, and whoever is answered at the moment stays.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; when every one of them is being answered, more wait in the kernel's queue. Default 1024.
    pub connections: usize,
    /// Open connections of one IPv4 address, or of one network of 64 bits in IPv6; when every one of them is being answered,
    /// more are closed at once. Unix sockets are not counted. Default 256.
    pub connections_per_address: usize,
    /// TLS handshakes at the same time; the oldest one gives way to a new one. Default 128.
    pub handshakes: usize,
    /// Requests that one HTTP/2 connection may have open at the same time. Default 32.
    pub streams: u32,
    /// How long a TLS handshake may take, then the header of a request, and how long a connection may stay idle. Default
    /// 10 s.
    pub header_timeout: Duration,
    /// Bytes of the request line and header fields together, at least 8192. More is answered with status 431.
    /// Default 16 KiB.
    pub header_bytes: usize,
    /// Bytes of a request body. More is answered with status 413. Default 64 KiB.
    pub body_bytes: usize,
    /// How long a request may take from the end of its header to its answer. Longer is answered with status 504.
    /// Default 60 s.
    pub request_timeout: Duration,
    /// How long a client may leave what was sent to it unacknowledged, and how much patience there is with one that does
    /// not take what waits for it: the time in which it takes nothing uses the patience up, and every KiB that it takes
    /// gives a second back. So the slowest client that is served takes about 1 KiB/s. Default 30 s.
    pub send_timeout: Duration,
    /// How long running requests may take to finish once the server stops. Default 30 s.
    pub drain_timeout: Duration,
}

impl Limits {
    /// The most header fields of a request. More is answered with status 431.
    pub const HEADERS: usize = 100;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 256,
            handshakes: 128,
            streams: 32,
            header_timeout: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            body_bytes: 64 * 1024,
            request_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
