//! Where every answer of the equipment goes, whoever asked for it: into the history, the health of devices, and the events.
//! It asks nobody and keeps nobody waiting.

mod power;
mod tail;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opendcre_model::{Action, DeviceAddress, Health, Observation, Query};

use crate::event::{self, EventLog, NewEvent};
use crate::health::{Condition, HealthTracker, Thresholds};
use crate::history::{History, Sample, SeriesKey};
use crate::inventory::Unsaved;
use crate::latest::Latest;
use crate::{AuditEntry, BoardRecord, Defect};
use power::PowerWatch;
use tail::Tails;

pub(crate) use tail::LogMark;

/// What follows from answers.
pub(crate) struct Intake {
    pub(crate) history: Option<History>,
    pub(crate) events: Option<EventLog>,
    health: Mutex<HealthTracker>,
    power: Mutex<PowerWatch>,
    pub(crate) tails: Tails,
}

impl Intake {
    /// An intake for `boards`.
    pub(crate) fn new<'a>(
        history: Option<History>,
        events: Option<EventLog>,
        thresholds: Thresholds,
        boards: impl Iterator<Item = &'a Arc<BoardRecord>>,
    ) -> Self {
        let mut health = HealthTracker::new(thresholds);
        boards.for_each(|board| health.learn(board));
        for (device, told) in events.as_ref().map(unwell).unwrap_or_default() {
            health.recall(device, told);
        }
        let (health, power) = (Mutex::new(health), Mutex::default());
        Self { history, events, health, power, tails: Tails::default() }
    }

    /// Takes an answer that `board` has just given.
    pub(crate) fn take(&self, board: &BoardRecord, query: &Query, latest: &Latest) {
        let Some(device) = query.device() else { return };
        let observation = &*latest.observation;
        self.keep(device, latest);
        let health = self.health().note(device, observation);
        if let Some(change) = health {
            self.publish(event::health::health_changed(board, &change));
        }
        if let Observation::Power(report) = observation {
            let change = self.power().note(device, report.state);
            if let Some(change) = change {
                self.publish(change.event(board));
            }
        }
    }

    /// Keeps the numbers of an answer.
    fn keep(&self, device: DeviceAddress, latest: &Latest) {
        let Some(history) = &self.history else { return };
        let measurements = latest.observation.measurements();
        let samples = measurements.iter().map(|measurement| Sample {
            key: SeriesKey {
                board: device.board,
                device: device.device,
                quantity: measurement.quantity.clone(),
            },
            time: latest.time,
            value: measurement.value,
        });
        history.record(samples);
    }

    /// Notes that somebody is about to change something.
    pub(crate) fn take_order(&self, action: &Action) {
        if let Action::Power { device, action, .. } = action {
            self.power().note_order(*device, *action);
        }
    }

    /// Tells what came of a change.
    pub(crate) fn take_outcome(&self, outcome: &AuditEntry) {
        if let Some(event) = event::audit::audited(outcome) {
            self.publish(event);
        }
    }

    /// Takes what is new in the inventory.
    pub(crate) fn take_news(&self, news: &Unsaved) {
        let mut health = self.health();
        for board in &news.boards {
            health.learn(board);
        }
        for board in &news.removed {
            health.forget(*board);
        }
        drop(health);
        for board in &news.replaced {
            self.power().forget(*board);
            self.tails.forget(*board);
        }
        for change in &news.changes {
            self.publish(event::inventory::inventory_changed(change));
        }
    }

    /// Tells an event to whoever listens.
    pub(crate) fn publish(&self, event: NewEvent) {
        if let Some(events) = &self.events {
            events.publish(event);
        }
    }

    /// What is kept in memory alone.
    pub(crate) fn defects(&self) -> Vec<Defect> {
        let history = self.history.as_ref().and_then(|history| history.health().err());
        let events = self.events.as_ref().and_then(|events| events.health().err());
        let defect = |name: &str, code, message| Defect { name: name.to_owned(), code, message };
        let history = history.map(|message| defect("history.file", "history_unavailable", message));
        history
            .into_iter()
            .chain(events.map(|message| defect("events.file", "events_unavailable", message)))
            .collect()
    }

    /// Takes nothing more, and returns when everything is on the disk, or cannot be.
    pub(crate) async fn close(&self) {
        if let Some(history) = &self.history
            && let Err(failure) = history.flush().await
        {
            tracing::warn!(%failure, "the newest values are not on the disk");
        }
        if let Some(events) = &self.events
            && let Err(failure) = events.flush().await
        {
            tracing::warn!(%failure, "the newest events are not on the disk");
        }
        if let Some(events) = &self.events {
            events.close();
        }
    }

    /// The health of a device; nothing before its first answer.
    pub(crate) fn device_health(&self, device: DeviceAddress) -> Option<Health> {
        self.health().device(device)
    }

    /// How a board is, as far as `board` shows it.
    pub(crate) fn condition(&self, board: &BoardRecord) -> Condition {
        self.health().condition(board)
    }

    fn health(&self) -> MutexGuard<'_, HealthTracker> {
        // Every change of the table is complete in itself, so a panic elsewhere cannot have broken it.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn power(&self) -> MutexGuard<'_, PowerWatch> {
        // As above.
        self.power.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The devices that were not well when the service ended.
fn unwell(events: &EventLog) -> Vec<(DeviceAddress, Health)> {
    events.unwell().unwrap_or_else(|failure| {
        tracing::warn!(%failure, "what was told of the health of devices is told again");
        Vec::new()
    })
}
