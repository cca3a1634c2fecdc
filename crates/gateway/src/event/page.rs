//! Reading events: the newest from memory, older ones from the disk.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::database::{Rows, Unread};
use super::memory::Next;
use super::{Event, EventError, EventLog};

/// How many events are looked at with one question.
const CHUNK: usize = 256;

/// How many events are looked at for one page. Whoever wants few of them gets pages that are not full.
const MOST_LOOKED_AT: usize = 8_192;

/// A part of the stream of events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    /// Events that were wanted, oldest first.
    pub events: Vec<Arc<Event>>,
    /// The oldest event that can be read. Nothing if there is none.
    pub oldest: Option<u64>,
    /// The newest event that can be read; zero before the first.
    pub latest: u64,
    /// How many events are not kept any more that came after the cursor, whether they would have been wanted or not.
    pub missed: u64,
    /// The cursor to go on with. There is nothing more for now if it is not below `latest`.
    pub next: u64,
}

/// A few events on the way to a page.
struct Chunk {
    events: Vec<Arc<Event>>,
    missed: u64,
    /// The number up to which there is nothing but these.
    end: u64,
}

impl EventLog {
    /// The events after the one with the number `cursor` that are wanted, at most `limit`; from the beginning if `cursor` is
    /// zero, or no number of this log. A page may end early, so it does not tell that there is nothing more: `next` does.
    ///
    /// # Errors
    /// [`EventError::Read`] if older events cannot be read. Newer ones are in memory.
    pub async fn after(
        &self,
        cursor: u64,
        limit: usize,
        is_wanted: impl Fn(&Event) -> bool,
    ) -> Result<EventPage, EventError> {
        let mut page =
            EventPage { next: self.writer.shared.lock().memory.begin(cursor), ..EventPage::default() };
        let mut looked_at = 0;
        while page.events.len() < limit && looked_at < MOST_LOOKED_AT {
            let chunk = self.chunk(page.next).await?;
            if chunk.end <= page.next {
                break;
            }
            page.missed += chunk.missed;
            looked_at += chunk.events.len();
            page.add(chunk, limit, &is_wanted);
        }
        let state = self.writer.shared.lock();
        (page.oldest, page.latest) = (state.memory.oldest(), state.memory.shown());
        Ok(page)
    }

    async fn chunk(&self, cursor: u64) -> Result<Chunk, EventError> {
        let next = self.writer.shared.lock().memory.next(cursor, CHUNK);
        let (after, before) = match next {
            Next::Events(events, missed) => {
                let end = events.last().map_or(cursor, |event| event.sequence);
                return Ok(Chunk { events, missed, end });
            }
            Next::Disk(after, before) => (after, before),
        };
        let Rows { events, oldest, last, damaged } = self.read_file(after, before).await?;
        self.writer.note_damaged(damaged);
        let oldest = oldest.unwrap_or(before);
        let missed = self.writer.shared.lock().memory.given_between(after, oldest);
        Ok(Chunk { events, missed, end: last.unwrap_or(before - 1) })
    }
}

impl EventLog {
    /// Reads what memory does not have. One at a time, so that a disk that hangs holds up a single thread.
    async fn read_file(&self, after: u64, before: u64) -> Result<Rows, EventError> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let reader = Arc::clone(&self.reader);
        let read = spawn_blocking(move || {
            let _turn = turn;
            reader.read(after, before, CHUNK)
        });
        let failed = |reason| EventError::Read { path: self.path.clone(), reason };
        let read = read.await.map_err(|error| failed(error.to_string()))?;
        read.map_err(|Unread { reason, is_damage }| {
            let failure = failed(reason);
            if is_damage {
                self.writer.suspect(failure.clone());
            }
            failure
        })
    }
}

impl EventPage {
    /// Adds what is wanted until the page is full.
    fn add(&mut self, chunk: Chunk, limit: usize, is_wanted: impl Fn(&Event) -> bool) {
        for event in chunk.events {
            if self.events.len() >= limit {
                return;
            }
            self.next = event.sequence;
            if is_wanted(&event) {
                self.events.push(event);
            }
        }
        self.next = chunk.end;
    }
}
