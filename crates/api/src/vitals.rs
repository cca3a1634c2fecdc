//! What a server that runs can tell of itself.

use std::sync::Arc;

use jiff::Timestamp;

use crate::server::Places;
use crate::tls::Tls;

/// A server that runs.
pub(crate) struct Vitals {
    pub(crate) places: Places,
    pub(crate) tls: Option<Arc<Tls>>,
}

impl Vitals {
    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.places.taken()
    }

    /// When the certificate of the server expires; nothing without TLS.
    pub(crate) fn certificate_expires(&self) -> Option<Timestamp> {
        self.tls.as_ref().map(|tls| tls.expires())
    }
}
