//! One round: all questions to one board that have the same interval, one after the other, so that there is always room
//! for whoever is in a hurry.

use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{Context, DeviceAddress, EventLogPage, Fault, Observation, Priority, Query, Scope};
use tokio::time::{Instant, timeout};

use super::schedule::Key;
use crate::intake::LogMark;
use crate::inventory::{BoardFailure, BoardState};
use crate::{BoardRecord, Gateway, GatewayError};

/// How many questions in a row a board may leave unanswered until the rest of the round is left out.
const MOST_SILENCE: u32 = 2;

/// The most pages of an event log in one round.
const MOST_PAGES: usize = 8;

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// How many questions were answered.
    pub(super) answered: u32,
    /// The questions that were not, and why.
    pub(super) failures: Vec<(Query, BoardFailure)>,
    /// The questions that the equipment cannot answer at all.
    pub(super) unsupported: Vec<Query>,
    /// Whether the rest was left out because too much else waits for the wire.
    pub(super) is_crowded_out: bool,
    /// How long it took.
    pub(super) took: Duration,
    /// When it ended.
    pub(super) time: Timestamp,
    /// How many questions in a row, up to the last one, brought no answer.
    pub(super) silence: u32,
}

impl Gateway {
    /// Asks `queries`.
    pub(super) async fn poll_board(&self, key: Key, queries: Vec<Query>) -> Report {
        let begun = Instant::now();
        let mut report = Report::default();
        let was_there = self.make_sure_of(key).await;
        if let Err(error) = &was_there {
            report.fail_all(&queries, error);
        }
        for query in queries {
            if report.is_over() {
                break;
            }
            match self.poll(query).await {
                Ok(()) => report.answer(),
                Err(error) => report.fail(query, &error),
            }
        }
        if was_there.is_ok() && report.is_silent() {
            self.look_again(key).await;
        }
        Report { took: begun.elapsed(), time: self.inner.clock.now(), ..report }
    }

    async fn poll(&self, query: Query) -> Result<(), GatewayError> {
        match query {
            Query::EventLog { device, .. } => self.tail(device).await,
            _ => self.ask(query, self.poll_context()).await.map(drop),
        }
    }

    /// Reads on in the event log of a server.
    async fn tail(&self, device: DeviceAddress) -> Result<(), GatewayError> {
        for _ in 0..MOST_PAGES {
            let after = self.inner.intake.tails.cursor(device.board);
            let query = Query::EventLog { device, after };
            let answer = self.ask_equipment(query, self.poll_context()).await;
            let (observation, record) = answer
                .inspect_err(|error| self.inner.intake.tails.note_failure(device.board, error.fault()))?;
            let (Observation::EventLog(page), Some(record)) = (observation, record) else { return Ok(()) };
            let mark = self.tell_page(&record, device, &page)?;
            self.keep_mark(mark).await;
            if !page.more {
                break;
            }
        }
        Ok(())
    }

    /// Tells what is new in an event log, and how far that has been read then.
    fn tell_page(
        &self,
        before: &BoardRecord,
        device: DeviceAddress,
        page: &EventLogPage,
    ) -> Result<Option<LogMark>, GatewayError> {
        // Within one lock, so that what another machine said is not told after it has been forgotten.
        let inventory = self.inventory();
        if inventory.board(device.board).is_some_and(|now| !before.is_same_machine(now)) {
            return Err(GatewayError::Displaced(device.board));
        }
        let (news, mark) = self.inner.intake.tails.take(before, device, page);
        news.into_iter().for_each(|event| self.inner.intake.publish(event));
        Ok(mark)
    }

    /// Keeps how far an event log has been read, once its entries are on the disk: after a power cut they are better told
    /// twice than not at all. If they do not get there in time, a later mark is kept instead.
    async fn keep_mark(&self, mark: Option<LogMark>) {
        let (Some(store), Some(mark)) = (&self.inner.store, mark) else { return };
        let flushed = async {
            match &self.inner.intake.events {
                Some(events) => events.flush().await.is_ok(),
                None => true,
            }
        };
        if timeout(self.inner.settings.read_timeout, flushed).await == Ok(true) {
            store.save_log_mark(mark);
        }
    }

    /// A board that was not there when it was looked for last must be there before its values count.
    async fn make_sure_of(&self, Key { board, .. }: Key) -> Result<(), GatewayError> {
        if self.record(board).is_none_or(|record| record.state == BoardState::Present) {
            return Ok(());
        }
        let (driver, place) = self.resolve(board, self.poll_context()).await?;
        let found = driver.discover(Scope::Board(place), self.poll_context()).await;
        let known = self.inventory().place(board);
        if let Some(known) = known {
            self.note(known, &found);
        }
        found.map(drop).map_err(GatewayError::from)
    }

    /// Finds out whether a board that has answered nothing is still there.
    async fn look_again(&self, Key { board, .. }: Key) {
        let place = self.inventory().place(board);
        let Some((place, mount)) = place.and_then(|at| Some((at, self.inner.mounts.get(at.mount)?))) else {
            return;
        };
        let found = mount.driver.discover(Scope::Board(place.board), self.poll_context()).await;
        self.note(place, &found);
    }

    fn poll_context(&self) -> Context {
        let deadline = Instant::now() + self.inner.settings.read_timeout;
        Context { deadline: deadline.into_std(), priority: Priority::Poll }
    }
}

impl Report {
    /// A round in which nothing could be asked.
    pub(super) fn failed(queries: &[Query], error: &GatewayError, time: Timestamp) -> Self {
        let mut report = Self { time, ..Self::default() };
        report.fail_all(queries, error);
        report
    }

    const fn answer(&mut self) {
        self.answered += 1;
        self.silence = 0;
    }

    fn fail(&mut self, query: Query, error: &GatewayError) {
        match error.fault() {
            Some(Fault::Unsupported | Fault::Invalid) => self.unsupported.push(query),
            Some(Fault::Busy { .. }) => {
                self.is_crowded_out = true;
                return;
            }
            Some(Fault::Timeout) => self.silence += 1,
            // No other question would be answered, either.
            Some(Fault::Gone | Fault::NotPermitted) | None => self.silence = MOST_SILENCE,
            Some(Fault::Corrupt | Fault::Refused | Fault::Malformed | Fault::Uncertain) => self.silence = 0,
        }
        self.failures.push((query, failure(error)));
    }

    fn fail_all(&mut self, queries: &[Query], error: &GatewayError) {
        self.failures.extend(queries.iter().map(|query| (*query, failure(error))));
        self.silence = MOST_SILENCE;
    }

    const fn is_over(&self) -> bool {
        self.is_crowded_out || self.silence >= MOST_SILENCE
    }

    /// Whether the board does not seem to be there.
    const fn is_silent(&self) -> bool {
        self.answered == 0 && self.silence > 0
    }
}

fn failure(error: &GatewayError) -> BoardFailure {
    BoardFailure { code: error.code().to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests;
