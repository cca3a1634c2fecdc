//! What a client has seen, in numbers.

/// Why a datagram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    Undecodable,
    Foreign,
    NotAuthentic,
    Repeated,
    Unmatched,
}

/// What a client has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were accepted.
    pub requests: u64,
    /// Datagrams that were sent once more because no answer came.
    pub retries: u64,
    /// Times that a BMC counted as silent after the last try.
    pub timeouts: u64,
    /// Sessions that were opened.
    pub sessions: u64,
    /// Datagrams that were dropped.
    pub dropped: Dropped,
}

/// Datagrams that were dropped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// They cannot be taken apart.
    pub undecodable: u64,
    /// They belong to no session of this client.
    pub foreign: u64,
    /// Their proof is wrong or missing.
    pub not_authentic: u64,
    /// They have arrived before.
    pub repeated: u64,
    /// They answer something that is not asked, or not any more.
    pub unmatched: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        let Self { undecodable, foreign, not_authentic, repeated, unmatched } = *self;
        undecodable + foreign + not_authentic + repeated + unmatched
    }

    pub(super) const fn count(&mut self, stray: Stray) {
        let counter = match stray {
            Stray::Undecodable => &mut self.undecodable,
            Stray::Foreign => &mut self.foreign,
            Stray::NotAuthentic => &mut self.not_authentic,
            Stray::Repeated => &mut self.repeated,
            Stray::Unmatched => &mut self.unmatched,
        };
        *counter += 1;
    }
}
