//! Where every answer of the equipment goes, whoever asked for it: into the history, the health of devices, and the events.
//! It asks nobody and keeps nobody waiting.

mod power;
mod tail;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opendcre_model::{Action, DeviceAddress, Health, Observation, Query};

use crate::event::{self, EventLog, NewEvent};
use crate::health::{Condition, HealthTracker, Thresholds};
use crate::history::{History, HistoryStatistics, Sample, SeriesKey};
use crate::inventory::Unsaved;
use crate::latest::Latest;
use crate::{AuditEntry, BoardRecord, Defect, SetAside};
use power::PowerWatch;
use tail::Tails;
use tokio::time::Instant;
use watch::HistoryWatch;

pub(crate) use tail::LogMark;

/// What follows from answers.
pub(crate) struct Intake {
    pub(crate) history: Option<History>,
    pub(crate) events: Option<EventLog>,
    health: Mutex<HealthTracker>,
    power: Mutex<PowerWatch>,
    watch: Mutex<HistoryWatch>,
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
        Self {
            history,
            events,
            health: Mutex::new(health),
            power: Mutex::default(),
            watch: Mutex::default(),
            tails: Tails::default(),
        }
    }

    /// Takes an answer that `board` has just given.
    pub(crate) fn take(&self, board: &BoardRecord, query: &Query, latest: &Latest) {
        let Some(device) = query.device() else { return };
        let observation = &*latest.observation;
        self.keep(device, latest);
        // Told within the locks, in the order in which they were noted: the last one that is told is what holds.
        let mut health = self.health();
        if let Some(change) = health.note(device, observation) {
            self.publish(event::health::health_changed(board, &change));
        }
        drop(health);
        if let Observation::Power(report) = observation {
            let mut power = self.power();
            if let Some(change) = power.note(device, report.state) {
                self.publish(change.event(board));
            }
        }
    }

    /// Tells what has become of the history and the events. To be called every second or so.
    pub(crate) fn watch(&self) {
        if let Some(events) = &self.events {
            events.look();
        }
        let Some(history) = &self.history else { return };
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let news = watch.look(history.health(), history.statistics(), Instant::now());
        news.into_iter().for_each(|event| self.publish(event));
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

    /// What is kept in memory alone, and what was lost since the start.
    pub(crate) fn defects(&self) -> Vec<Defect> {
        let history = self.history.as_ref().map(|history| {
            let HistoryStatistics { damaged, set_aside, .. } = history.statistics();
            defects(&HISTORY, history.health(), set_aside, damaged)
        });
        let events = self
            .events
            .as_ref()
            .map(|events| defects(&EVENTS, events.health(), events.set_aside(), events.statistics().damaged));
        history.into_iter().chain(events).flatten().collect()
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

/// The words for a file in defects: the key that names it, and the codes.
struct FileWords {
    name: &'static str,
    unavailable: &'static str,
    damaged: &'static str,
}

const HISTORY: FileWords =
    FileWords { name: "history.file", unavailable: "history_unavailable", damaged: "history_damaged" };
const EVENTS: FileWords =
    FileWords { name: "events.file", unavailable: "events_unavailable", damaged: "events_damaged" };

/// What is wrong with a file, which has so many parts that are damaged.
fn defects(
    words: &FileWords,
    health: Result<(), String>,
    set_aside: Option<SetAside>,
    damaged: u64,
) -> Vec<Defect> {
    let defect = |code, message| Defect { name: words.name.to_owned(), code, message };
    let unavailable = health.err().map(|message| defect(words.unavailable, message));
    let set_aside = set_aside.map(|SetAside { code, message, .. }| defect(code, message));
    let damage = (damaged > 0).then(|| {
        let message = format!(
            "parts of it were found damaged and left out, {damaged} times since the start; check the health of the disk"
        );
        defect(words.damaged, message)
    });
    unavailable.into_iter().chain(set_aside).chain(damage).collect()
}

/// The devices that were not well when the service ended.
fn unwell(events: &EventLog) -> Vec<(DeviceAddress, Health)> {
    events.unwell().unwrap_or_else(|failure| {
        tracing::warn!(%failure, "what was told of the health of devices is told again");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use opendcre_model::{BoardId, DeviceId, DeviceKind, PowerReport, PowerState};

    use super::*;
    use crate::event::EventSettings;
    use crate::testing::{self, TestClock};

    const SWITCH: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(2) };

    /// What a power supply says in turn.
    fn answer(number: u32) -> (Query, Latest) {
        let state = if number.is_multiple_of(2) { PowerState::On } else { PowerState::Off };
        let observation = Observation::Power(PowerReport {
            state,
            power_ok: true,
            over_current: false,
            under_voltage: false,
            electrical: None,
            measured_at: Timestamp::UNIX_EPOCH,
            source: "hat".into(),
        });
        let latest =
            Latest { observation: Arc::new(observation), time: Timestamp::UNIX_EPOCH, age: Duration::ZERO };
        (Query::Power { device: SWITCH, kind: DeviceKind::Power }, latest)
    }

    #[tokio::test]
    async fn of_answers_at_the_same_time_the_last_one_that_is_told_holds() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::<TestClock>::default();
        let (events, _) =
            EventLog::open(folder.path().join("events.db"), EventSettings::default(), clock).unwrap();
        let board = Arc::new(testing::board(1, "web-1"));
        let intake = Intake::new(None, Some(events.clone()), Thresholds::default(), [&board].into_iter());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (intake, board) = (&intake, &board);
                scope.spawn(move || {
                    for number in 0..500 {
                        let (query, latest) = answer(number + thread);
                        intake.take(board, &query, &latest);
                    }
                });
            }
        });
        events.flush().await.unwrap();
        let page = events.after(0, usize::MAX, |_| true).await.unwrap();
        let told: Vec<_> =
            page.events.iter().map(|event| (&event.detail["from"], &event.detail["to"])).collect();
        assert!(told.len() > 100, "{}", told.len());
        assert!(
            told.windows(2).all(|pair| pair[0].1 == pair[1].0),
            "each goes on where the one before ended"
        );
    }
}
