//! What is known about tokens that were presented before, for a while and up to a number.
//!
//! It keeps hashes, never tokens.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// The most tokens that are remembered at a time.
const CAPACITY: usize = 4096;

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

struct Entry<V> {
    value: V,
    until: Instant,
}

/// What is known about tokens.
pub(super) struct TokenCache<V> {
    entries: Mutex<HashMap<TokenHash, Entry<V>>>,
}

impl<V> Default for TokenCache<V> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<V> fmt::Debug for TokenCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("entries", &self.lock().len()).finish()
    }
}

impl<V: Clone> TokenCache<V> {
    /// What is known about a token, unless its time is over.
    pub(super) fn get(&self, token: TokenHash) -> Option<V> {
        let entries = self.lock();
        let entry = entries.get(&token)?;
        (Instant::now() < entry.until).then(|| entry.value.clone())
    }

    /// Remembers something about a token. If there is no room, what would be forgotten first is forgotten now.
    pub(super) fn put(&self, token: TokenHash, value: V, lifetime: Duration) {
        let now = Instant::now();
        let Some(until) = now.checked_add(lifetime) else { return };
        let mut entries = self.lock();
        if entries.len() >= CAPACITY && !entries.contains_key(&token) {
            entries.retain(|_, entry| now < entry.until);
        }
        if entries.len() >= CAPACITY
            && let Some(first) = entries.iter().min_by_key(|(_, entry)| entry.until).map(|(token, _)| *token)
        {
            entries.remove(&first);
        }
        entries.insert(token, Entry { value, until });
    }
}

impl<V> TokenCache<V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_forgotten_in_time() {
        let cache = TokenCache::default();
        cache.put(TokenHash::of("a"), 1, MINUTE);
        assert_eq!(cache.get(TokenHash::of("a")), Some(1));
        assert_eq!(cache.get(TokenHash::of("b")), None);
        tokio::time::advance(MINUTE).await;
        assert_eq!(cache.get(TokenHash::of("a")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_room_for_so_many_and_no_more() {
        let cache = TokenCache::default();
        cache.put(TokenHash::of("short"), 0, MINUTE / 2);
        for number in 0..CAPACITY {
            cache.put(TokenHash::of(&number.to_string()), number, MINUTE);
        }
        assert_eq!(cache.get(TokenHash::of("short")), None, "what ends first makes room");
        assert_eq!(cache.lock().len(), CAPACITY);
        tokio::time::advance(MINUTE).await;
        cache.put(TokenHash::of("new"), 1, MINUTE);
        assert_eq!(cache.lock().len(), 1);
    }
}
