//! What the owner of the service decides.

use std::time::Duration;

/// What the owner of the service wants: what may be done at all, and how long each class of command may take,
/// waiting in queues included.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For reading one value.
    pub read_timeout: Duration,
    /// For one change, recording it included.
    pub control_timeout: Duration,
    /// For finding out what is there.
    pub scan_timeout: Duration,
    /// Whether every change is refused.
    pub read_only: bool,
    /// How old the answer to [`crate::Command::List`] may be.
    pub cache: Duration,
}

impl Default for Settings {
    /// Changes are permitted. Reads 10 s, changes 30 s, scans 50 s: all less than clients and proxies usually wait, which
    /// is 60 s.
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(10),
            control_timeout: Duration::from_secs(30),
            scan_timeout: Duration::from_secs(50),
            read_only: false,
            cache: Duration::from_secs(600),
        }
    }
}
