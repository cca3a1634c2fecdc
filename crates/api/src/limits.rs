//! What one client, or all of them together, may use up.

use std::time::Duration;

/// What one client, or all of them together, may use up. A request may also have at most 100 header fields.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; more wait in the kernel's queue until one closes. Default 1024.
    pub connections: usize,
    /// How long the header of a request may take to arrive, which is also how long a connection may stay idle.
    /// Default 10 s.
    pub header_timeout: Duration,
    /// Bytes of the request line and header fields together, at least 8192. More is answered with status 431.
    /// Default 16 KiB.
    pub header_bytes: usize,
    /// Bytes of a request body. More is answered with status 413. Default 64 KiB.
    pub body_bytes: usize,
    /// How long a request may take from the end of its header to its answer. Longer is answered with status 504.
    /// Default 60 s.
    pub request_timeout: Duration,
    /// How long a client may leave what was sent to it unacknowledged before it is cut off. Default 30 s.
    pub send_timeout: Duration,
    /// How long running requests may take to finish once the server stops. Default 30 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_timeout: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            body_bytes: 64 * 1024,
            request_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
