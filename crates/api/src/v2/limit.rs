//! How much of a feed one answer has, and how far its numbers go.

use serde::{Deserialize, Serialize};

/// The last number that every program can read (RFC 8259 §6).
pub(super) const LAST_NUMBER: u64 = (1 << 53) - 1;

/// How many entries one answer has: 1 to 1000.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub(super) struct Limit(pub(super) u16);

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u16> for Limit {
    type Error = &'static str;

    fn try_from(limit: u16) -> Result<Self, Self::Error> {
        if (1..=1000).contains(&limit) { Ok(Self(limit)) } else { Err("one answer has 1 to 1000 entries") }
    }
}
