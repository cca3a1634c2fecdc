//! The latest answer to every question, with its age. It asks nobody and forgets what it is told to forget.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{BoardId, DeviceAddress, Observation, Query};
use tokio::time::Instant;

use crate::hash::HashMap;
use crate::{Command, GatewayError, View};

/// The most answers that are kept of one board. There are as many boards as the inventory holds.
const CAPACITY: usize = 4096;

/// An answer, and when it was given.
#[derive(Debug, Clone)]
pub struct Latest {
    /// What the equipment said.
    pub observation: Arc<Observation>,
    /// When it said so.
    pub time: Timestamp,
    /// How long ago that is.
    pub age: Duration,
}

#[derive(Debug)]
struct Entry {
    observation: Arc<Observation>,
    time: Timestamp,
    at: Instant,
}

impl View {
    /// The latest answer to a question, if it is younger than `max_age` at `now`. The equipment is not asked.
    ///
    /// # Errors
    /// When whoever looks may not ask the question.
    pub fn recent(
        &self,
        query: Query,
        max_age: Duration,
        now: Instant,
    ) -> Result<Option<Latest>, GatewayError> {
        // What is known may be told to whoever may ask for it.
        self.authorise(&Command::Query(query))?;
        Ok(self.gateway.inner.latest.get(&query, max_age, now))
    }
}

/// All latest answers.
#[derive(Debug, Default)]
pub(crate) struct LatestTable {
    boards: RwLock<HashMap<BoardId, HashMap<Query, Entry>>>,
}

impl LatestTable {
    /// The answer to `query`, if it is younger than `max_age` at `now`.
    pub(crate) fn get(&self, query: &Query, max_age: Duration, now: Instant) -> Option<Latest> {
        let boards = self.boards.read().unwrap_or_else(PoisonError::into_inner);
        let entry = boards.get(&query.board())?.get(query)?;
        let age = now.saturating_duration_since(entry.at);
        (age < max_age).then(|| Latest { observation: Arc::clone(&entry.observation), time: entry.time, age })
    }

    /// The answers to `queries`, which are all to `board`, in their order.
    pub(crate) fn get_all(
        &self,
        board: BoardId,
        queries: impl Iterator<Item = Query>,
    ) -> Vec<Option<Latest>> {
        let now = Instant::now();
        let boards = self.boards.read().unwrap_or_else(PoisonError::into_inner);
        let entries = boards.get(&board);
        let latest = |entry: &Entry| Latest {
            observation: Arc::clone(&entry.observation),
            time: entry.time,
            age: now.saturating_duration_since(entry.at),
        };
        queries.map(|query| entries.and_then(|entries| entries.get(&query)).map(latest)).collect()
    }

    /// Keeps an answer that has just been given.
    pub(crate) fn put(&self, query: Query, observation: Observation, time: Timestamp) -> Latest {
        let observation = Arc::new(observation);
        let entry = Entry { observation: Arc::clone(&observation), time, at: Instant::now() };
        let mut boards = self.boards.write().unwrap_or_else(PoisonError::into_inner);
        let entries = boards.entry(query.board()).or_default();
        if entries.len() < CAPACITY || entries.contains_key(&query) {
            entries.insert(query, entry);
        }
        Latest { observation, time, age: Duration::ZERO }
    }

    /// Forgets every answer about a device, because it is being changed.
    pub(crate) fn forget_device(&self, device: DeviceAddress) {
        let mut boards = self.boards.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = boards.get_mut(&device.board) {
            entries.retain(|query, _| query.device() != Some(device));
        }
    }

    /// Forgets every answer about a board, because it is not there any more, or another one.
    pub(crate) fn forget_board(&self, board: BoardId) {
        self.boards.write().unwrap_or_else(PoisonError::into_inner).remove(&board);
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::DeviceId;

    use super::*;

    fn time() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_good_until_it_is_too_old_or_forgotten() {
        let table = LatestTable::default();
        let device = DeviceAddress { board: BoardId(1), device: DeviceId(2) };
        let (lamp, version) = (Query::Led(device), Query::Version(BoardId(1)));
        table.put(lamp, Observation::Led { on: true }, time());
        table.put(version, Observation::Version("1".to_owned()), time());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(table.get(&lamp, Duration::from_secs(5), Instant::now()).is_none());
        assert_eq!(
            table.get(&lamp, Duration::from_secs(6), Instant::now()).unwrap().age,
            Duration::from_secs(5)
        );
        table.forget_device(device);
        assert!(table.get(&lamp, Duration::MAX, Instant::now()).is_none());
        assert!(table.get(&version, Duration::MAX, Instant::now()).is_some());
        table.forget_board(BoardId(1));
        assert!(table.get(&version, Duration::MAX, Instant::now()).is_none());
    }
}
