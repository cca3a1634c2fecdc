//! Who asks.

/// Whoever sent a command, as the audit log names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name by which they are known; `anonymous` where nobody had to say.
    pub name: String,
    /// Where the request came from, such as a remote address and port.
    pub remote: String,
    /// The id of the request, to find it again in the access log.
    pub request_id: String,
}
