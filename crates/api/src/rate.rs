//! How many requests each sender may send: a bucket for each, from which every request takes a token.
//!
//! Senders that have a name are counted by it, all others by their address. The table is bounded: whoever has not sent
//! anything for as long as it takes to fill a bucket is forgotten, and if that does not make room, everybody is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opendcre_model::Subject;
use tokio::time::Instant;

use crate::sender::Sender;

/// Seconds for which a sender may save up.
const BURST: u32 = 10;

/// Senders that are counted at a time.
const CAPACITY: usize = 16_384;

/// Counts the requests of every sender.
pub(crate) struct Rate {
    /// The time for one request.
    interval: Duration,
    /// For each sender, when their bucket would be full.
    full_at: Mutex<HashMap<Sender, Instant>>,
}

impl Rate {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), full_at: Mutex::default() }
    }

    /// Takes a token; otherwise says when there will be one.
    pub(crate) fn admit(
        &self,
        subject: &Subject,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), Duration> {
        let depth = Duration::from_secs(BURST.into());
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= CAPACITY {
            full_at.retain(|_, full_at| *full_at > now);
            if full_at.len() >= CAPACITY {
                full_at.clear();
            }
        }
        let full = full_at.entry(Sender::of(subject, address)).or_insert(now);
        let next = (*full).max(now) + self.interval;
        let debt = next.saturating_duration_since(now);
        if debt > depth {
            return Err(debt - depth);
        }
        *full = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::Login;

    use super::*;

    const HOME: [&str; 2] = ["2001:db8::1", "2001:db8::2"];

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn user(name: &str) -> Subject {
        Subject { name: name.to_owned(), login: Login::Ldap, ..Subject::anonymous() }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_saved_up_may_hurry_and_then_keeps_the_pace() {
        let rate = Rate::new(2);
        let ada = user("ada");
        let now = Instant::now();
        for _ in 0..20 {
            rate.admit(&ada, None, now).unwrap();
        }
        assert_eq!(rate.admit(&ada, None, now), Err(Duration::from_millis(500)));
        rate.admit(&user("bob"), None, now).unwrap();
        rate.admit(&ada, None, now + Duration::from_millis(500)).unwrap();
        assert!(rate.admit(&ada, None, now + Duration::from_millis(500)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_name_is_counted_by_network() {
        let rate = Rate::new(1);
        let now = Instant::now();
        let nobody = Subject::anonymous();
        for turn in 0..10 {
            rate.admit(&nobody, address(HOME[turn % 2]), now).unwrap();
        }
        assert!(rate.admit(&nobody, address(HOME[0]), now).is_err());
        rate.admit(&nobody, address("2001:db8:0:1::1"), now).unwrap();
        rate.admit(&nobody, address("192.0.2.1"), now).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded() {
        let rate = Rate::new(1);
        let now = Instant::now();
        for number in 0..CAPACITY * 2 {
            rate.admit(&user(&number.to_string()), None, now).unwrap();
        }
        assert!(rate.full_at.lock().unwrap().len() <= CAPACITY);
    }
}
