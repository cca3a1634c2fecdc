//! Looking at what was observed: the latest values, the history of values, and the events. Nobody is shown what they may
//! not read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_model::{BoardId, Device, DeviceAddress, Query};
use tokio::time::Instant;

use crate::event::{Event, EventKind, EventLog, EventPage, EventStatistics, Severity};
use crate::history::{History, HistoryQuery, HistoryStatistics, SeriesKey, Track};
use crate::policy::Verb;
use crate::{BoardRecord, Gateway, GatewayError, Latest, Principal, View};

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The kinds; every one if it is empty.
    pub kinds: Vec<EventKind>,
    /// The least severity.
    pub least: Severity,
    /// The boards; without it, also what is about no board.
    pub boards: Option<BTreeSet<BoardId>>,
}

impl EventFilter {
    fn lets_through(&self, event: &Event) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&event.kind);
        let of_board = |boards: &BTreeSet<BoardId>| event.board.is_some_and(|board| boards.contains(&board));
        of_kind && event.severity >= self.least && self.boards.as_ref().is_none_or(of_board)
    }
}

/// What is known of a value of a device.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// The device.
    pub device: &'a Device,
    /// The latest answer, however old it is; nothing before the first.
    pub latest: Option<Latest>,
}

/// Why the metrics of the service are refused.
const NOT_EVERYTHING: &str = "only a role that includes read and holds everywhere permits it";

impl View {
    /// The latest answer to a question, however old it is, if whoever looks may read it. The equipment is not asked.
    #[must_use]
    pub fn latest(&self, query: &Query) -> Option<Latest> {
        let is_shown = match query.device() {
            Some(device) => self.reach.has_device(device),
            None => self.reach.has_whole(query.board()),
        };
        is_shown.then(|| self.gateway.inner.latest.get(query, Duration::MAX, Instant::now())).flatten()
    }

    /// What is known of the values of the devices of a board that a view has shown, by the ids of the devices, each of
    /// which stands there once. The equipment is not asked.
    #[must_use]
    pub fn known<'a>(&self, board: &'a BoardRecord) -> Vec<Known<'a>> {
        let mut devices: Vec<&Device> = board.devices.iter().collect();
        devices.sort_by_key(|device| device.id);
        devices.dedup_by_key(|device| device.id);
        let questions: Vec<(&Device, Query)> = devices
            .into_iter()
            .flat_map(|device| device.questions(board.id).map(move |query| (device, query)))
            .collect();
        let answers = self.gateway.inner.latest.get_all(board.id, questions.iter().map(|(_, query)| *query));
        questions.iter().zip(answers).map(|((device, _), latest)| Known { device, latest }).collect()
    }

    /// The events after the one with the number `after` that are wanted, at most `limit`. There is more unless
    /// [`EventPage::next`] has reached [`EventPage::latest`].
    ///
    /// # Errors
    /// [`GatewayError::NotKept`] without an event log, [`GatewayError::EventsUnreadable`] if it cannot be read.
    pub async fn events(
        &self,
        after: u64,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<EventPage, GatewayError> {
        // As for the audit itself, which is not divided by what it is about.
        let may_audit = self.gateway.reach(&self.principal.subject, Verb::Audit).is_everything();
        let sees_everything = self.is_complete();
        let is_shown = |event: &Event| {
            let readable = |board| match event.device {
                Some(device) => self.reach.has_device(DeviceAddress { board, device }),
                None => self.reach.has(board),
            };
            event.is_visible(readable, may_audit, sees_everything) && filter.lets_through(event)
        };
        let page = self.gateway.event_log()?.after(after, limit, is_shown).await;
        page.map_err(GatewayError::EventsUnreadable)
    }

    /// The number of the newest event.
    ///
    /// # Errors
    /// [`GatewayError::NotKept`] without an event log.
    pub fn latest_event(&self) -> Result<u64, GatewayError> {
        Ok(self.gateway.event_log()?.statistics().latest)
    }

    /// The number to read on from for the newest `count` events of all, or fewer if there are not so many.
    ///
    /// # Errors
    /// [`GatewayError::NotKept`] without an event log.
    pub fn events_back(&self, count: u64) -> Result<u64, GatewayError> {
        Ok(self.gateway.event_log()?.back(count))
    }

    /// What the history has of the devices of a board that a view has shown.
    ///
    /// # Errors
    /// [`GatewayError::NotKept`] without a history.
    pub fn series(&self, board: &BoardRecord) -> Result<Vec<SeriesKey>, GatewayError> {
        let mut series = self.gateway.history()?.series(board.id);
        series.retain(|key| board.device(key.device).is_some());
        Ok(series)
    }

    /// What sensors said. Whoever asks names only [series](Self::series) that were shown to them.
    ///
    /// # Errors
    /// [`GatewayError::NotKept`] without a history, [`GatewayError::HistoryUnreadable`] if it cannot be read or would be too
    /// much.
    pub async fn history(&self, mut query: HistoryQuery) -> Result<Vec<Track>, GatewayError> {
        let is_shown =
            |key: &SeriesKey| self.reach.has_device(DeviceAddress { board: key.board, device: key.device });
        query.series.retain(is_shown);
        self.gateway.history()?.query(query).await.map_err(GatewayError::HistoryUnreadable)
    }
}

impl Gateway {
    /// A view of everything, for whoever may look at everything: what the service counts is not divided by what it is about.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`].
    pub fn overview(&self, principal: Principal) -> Result<View, GatewayError> {
        let reach = self.reach(&principal.subject, Verb::Read);
        if reach.is_everything() {
            return Ok(View::new(self.clone(), principal, reach));
        }
        Err(self.refuse(&principal, Verb::Read, "the metrics of the service", NOT_EVERYTHING))
    }

    /// Whether changes can be recorded; if not, they are refused.
    #[must_use]
    pub fn can_audit(&self) -> bool {
        self.inner.audit.health().is_ok()
    }

    /// How many events of each kind and severity there were since the start; nothing if they are not kept.
    #[must_use]
    pub fn event_counts(&self) -> BTreeMap<(EventKind, Severity), u64> {
        self.inner.intake.events.as_ref().map(EventLog::counts).unwrap_or_default()
    }

    /// The time of the day, by the clock that everything is recorded by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Returns when there is an event after the one with the number `after`, or the service stops.
    ///
    /// # Errors
    /// [`GatewayError::NotKept`] without an event log.
    pub async fn wait_for_event(&self, after: u64) -> Result<(), GatewayError> {
        self.event_log()?.wait(after).await;
        Ok(())
    }

    /// What can be counted about the events, if they are kept.
    #[must_use]
    pub fn event_statistics(&self) -> Option<EventStatistics> {
        self.inner.intake.events.as_ref().map(EventLog::statistics)
    }

    /// What can be counted about the history, if it is kept.
    #[must_use]
    pub fn history_statistics(&self) -> Option<HistoryStatistics> {
        self.inner.intake.history.as_ref().map(History::statistics)
    }

    fn event_log(&self) -> Result<&EventLog, GatewayError> {
        self.inner.intake.events.as_ref().ok_or(GatewayError::NotKept("events"))
    }

    fn history(&self) -> Result<&History, GatewayError> {
        self.inner.intake.history.as_ref().ok_or(GatewayError::NotKept("history"))
    }
}
