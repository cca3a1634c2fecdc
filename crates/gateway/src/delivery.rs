//! What can be counted of what the service brings to others by itself: events, readings, metrics. It does not know to whom,
//! nor how.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;

use crate::Gateway;

/// What can be counted of a receiver since the start. What is counted are notices, each of which the receiver takes or
/// does not take as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryStatistics {
    /// What the configuration calls the receiver, such as `webhook.noc`.
    pub receiver: String,
    /// How many notices were delivered, as far as the protocol tells.
    pub delivered: u64,
    /// How many attempts failed. Each is followed by another one, unless the notice was given up.
    pub failed: u64,
    /// How many notices were given up. Those of webhooks are dead letters now.
    pub dead: u64,
    /// How many notices there is nothing left of, because they were too old before they could be delivered.
    pub missed: u64,
    /// How many notices wait, of which the receiver may not want all.
    pub waiting: u64,
    /// For how long there has been something to deliver; zero if there is nothing.
    pub lag: Duration,
    /// When something was delivered last.
    pub last_success: Option<Timestamp>,
    /// Whether the last attempt failed.
    pub is_failing: bool,
}

impl Gateway {
    /// What can be counted of every receiver, in the order in which the parts of the service came. Does no I/O.
    #[must_use]
    pub fn deliveries(&self) -> Vec<DeliveryStatistics> {
        let parts = self.inner.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.iter().flat_map(|part| part.deliveries()).collect()
    }
}
