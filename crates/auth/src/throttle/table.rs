//! A table that forgets what matters least when it is full. It does not know what is in it.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// When the table is full, one of so many entries is forgotten at once, so that this is rare.
const SHARE: usize = 16;

/// What can be in a table.
pub(super) trait Entry {
    /// How much it matters. Of those that matter equally, the one that was not used for longest is forgotten first.
    fn weight(&self) -> (bool, bool, u32);
}

/// A table of at most `capacity` entries, or one.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    entries: HashMap<K, (Instant, V)>,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V: Entry> Table<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), capacity }
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.forget(self.entries.len().saturating_sub(capacity));
    }

    /// The entry of `key`, which is used now. A new one may take the place of others.
    pub(super) fn entry(&mut self, key: K, now: Instant, new: impl FnOnce() -> V) -> &mut V {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.forget((self.capacity / SHARE).max(1));
        }
        let (used, entry) = self.entries.entry(key).or_insert_with(|| (now, new()));
        *used = now;
        entry
    }

    fn forget(&mut self, count: usize) {
        let mut ranking: Vec<_> =
            self.entries.iter().map(|(key, (used, entry))| (entry.weight(), *used, *key)).collect();
        if let Some(last) = count.checked_sub(1).filter(|last| *last < ranking.len()) {
            ranking.select_nth_unstable_by_key(last, |(weight, used, _)| (*weight, *used));
        }
        for (_, _, key) in ranking.into_iter().take(count) {
            self.entries.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
