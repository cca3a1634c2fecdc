//! How deliveries are doing: what can be counted, and what is amiss. It does no I/O.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use opendcre_gateway::{Defect, DeliveryStatistics, EventLog, Part};
use tokio::time::Instant;

/// How long a destination may fail before that is amiss: receivers are restarted now and then.
const TOLERANCE: Duration = Duration::from_secs(60);

/// How deliveries to all destinations are doing.
#[derive(Debug)]
pub struct Deliveries {
    log: Option<EventLog>,
    destinations: Vec<Arc<Status>>,
}

/// How deliveries to one destination are doing.
#[derive(Debug)]
pub(crate) struct Status {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last event that is dealt with.
    position: u64,
    delivered: u64,
    failed: u64,
    dead: u64,
    missed: u64,
    last_success: Option<Timestamp>,
    behind_since: Option<Instant>,
    outage: Option<Outage>,
    /// What is wrong on the disk, and with what.
    troubles: BTreeMap<Matter, String>,
    /// Where dead letters are, if there are any.
    dead_letters: Option<PathBuf>,
}

/// What on the disk can be out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Matter {
    /// The event log.
    Log,
    /// How far deliveries have come.
    Position,
    /// Writing dead letters.
    DeadLetters,
    /// Letters that are to be delivered again.
    LettersAgain,
}

/// A destination takes nothing.
#[derive(Debug)]
struct Outage {
    since: Instant,
    reason: String,
}

impl Deliveries {
    /// How deliveries to these are doing, which there is one of for each receiver: of the events of `log`, or of readings,
    /// of which only the newest are delivered.
    pub(crate) const fn new(log: Option<EventLog>, destinations: Vec<Arc<Status>>) -> Self {
        Self { log, destinations }
    }
}

impl Part for Deliveries {
    fn defects(&self) -> Vec<Defect> {
        self.destinations.iter().flat_map(|status| status.defects()).collect()
    }

    fn deliveries(&self) -> Vec<DeliveryStatistics> {
        let count_after = |position| self.log.as_ref().map_or(0, |log| log.count_after(position));
        self.destinations.iter().map(|status| status.statistics(count_after)).collect()
    }
}

impl Status {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), state: Mutex::default() }
    }

    /// Its key in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Everything up to this event is dealt with.
    pub(crate) fn on_position(&self, sequence: u64) {
        self.lock().position = sequence;
    }

    /// There is something to deliver.
    pub(crate) fn on_behind(&self) {
        self.lock().behind_since.get_or_insert_with(Instant::now);
    }

    /// There is nothing to deliver any more.
    pub(crate) fn on_caught_up(&self) {
        self.lock().behind_since = None;
    }

    /// Something was delivered.
    pub(crate) fn on_delivered(&self, time: Timestamp) {
        {
            let mut state = self.lock();
            state.delivered += 1;
            state.last_success = Some(time);
        }
        self.on_recovered();
    }

    /// Nothing is wrong with the destination any more.
    pub(crate) fn on_recovered(&self) {
        let mut state = self.lock();
        if let Some(outage) = state.outage.take() {
            let lasted = outage.since.elapsed();
            tracing::info!(destination = self.name, ?lasted, "it takes everything again");
        }
    }

    /// So many readings were taken.
    #[cfg(feature = "otlp")]
    pub(crate) fn on_taken(&self, count: u64, time: Timestamp) {
        let mut state = self.lock();
        state.delivered += count;
        state.last_success = Some(time);
    }

    /// So many readings were rejected for good, which is amiss for as long as it goes on.
    #[cfg(feature = "otlp")]
    pub(crate) fn on_rejected(&self, count: u64, reason: &str) {
        self.lock().dead += count;
        self.on_failed(reason);
    }

    /// An attempt failed, and will be made again.
    pub(crate) fn on_failed(&self, reason: &str) {
        let mut state = self.lock();
        state.failed += 1;
        let since = match state.outage.take() {
            Some(outage) => outage.since,
            None => {
                tracing::warn!(destination = self.name, reason, "what is sent is not taken; trying again");
                Instant::now()
            }
        };
        state.outage = Some(Outage { since, reason: reason.to_owned() });
    }

    /// The destination has refused a notice for good: it answers.
    pub(crate) fn on_refused(&self) {
        let mut state = self.lock();
        state.failed += 1;
        state.outage = None;
    }

    /// A notice was given up.
    pub(crate) fn on_dead(&self, id: &str, reason: &str) {
        self.lock().dead += 1;
        tracing::warn!(destination = self.name, id, reason, "an event was given up");
    }

    /// So many events were given up by the log.
    pub(crate) fn on_missed(&self, count: u64) {
        self.lock().missed += count;
    }

    /// Whether something on the disk can be used, and if not, what is wrong with it.
    pub(crate) fn on_disk(&self, matter: Matter, used: Result<(), String>) {
        let mut state = self.lock();
        let Err(trouble) = used else {
            state.troubles.remove(&matter);
            return;
        };
        if state.troubles.get(&matter) != Some(&trouble) {
            tracing::error!(destination = self.name, "{trouble}");
            state.troubles.insert(matter, trouble);
        }
    }

    /// Where dead letters are, if there are any.
    pub(crate) fn on_dead_letters(&self, path: Option<PathBuf>) {
        self.lock().dead_letters = path;
    }

    /// What can be counted, where `count_after` tells how many events there are after a position.
    fn statistics(&self, count_after: impl Fn(u64) -> u64) -> DeliveryStatistics {
        let state = self.lock();
        DeliveryStatistics {
            receiver: self.name.clone(),
            delivered: state.delivered,
            failed: state.failed,
            dead: state.dead,
            missed: state.missed,
            waiting: count_after(state.position),
            lag: state.behind_since.map_or(Duration::ZERO, |since| since.elapsed()),
            last_success: state.last_success,
            is_failing: state.outage.is_some(),
        }
    }

    fn defects(&self) -> Vec<Defect> {
        let state = self.lock();
        let outage = state.outage.as_ref().filter(|outage| outage.since.elapsed() >= TOLERANCE);
        let outage = outage.map(|Outage { since, reason }| {
            let minutes = since.elapsed().as_secs() / 60;
            let message = format!(
                "for {minutes} minutes, nothing could be delivered: {reason}; what waits is delivered when it can be"
            );
            ("publish_failing", message)
        });
        let dead = state.dead_letters.as_ref().map(|path| {
            let message = format!(
                "some events could not be delivered and are kept in {}; have them delivered again, or remove the file",
                path.display()
            );
            ("dead_letters", message)
        });
        let troubles = state.troubles.values().map(|trouble| ("publish_disk", trouble.clone()));
        let all = outage.into_iter().chain(dead).chain(troubles);
        all.map(|(code, message)| Defect { name: self.name.clone(), code, message }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Numbers and texts: whatever a panic broke off has left them usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(status: &Status) -> Vec<&'static str> {
        status.defects().iter().map(|defect| defect.code).collect()
    }

    /// What is counted, where there are ten events.
    fn statistics(status: &Status) -> DeliveryStatistics {
        status.statistics(|position| 10 - position)
    }

    #[test]
    fn what_becomes_of_notices_is_counted() {
        let status = Status::new("webhook.noc");
        status.on_position(7);
        for second in [1, 2] {
            status.on_delivered(Timestamp::from_second(second).unwrap());
        }
        status.on_refused();
        status.on_dead("8", "status 422");
        status.on_missed(3);
        let expected = DeliveryStatistics {
            receiver: "webhook.noc".to_owned(),
            delivered: 2,
            failed: 1,
            dead: 1,
            missed: 3,
            waiting: 3,
            last_success: Timestamp::from_second(2).ok(),
            ..DeliveryStatistics::default()
        };
        assert_eq!(statistics(&status), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_outage_is_not_amiss() {
        let status = Status::new("webhook.noc");
        status.on_failed("no route");
        assert!(statistics(&status).is_failing && codes(&status).is_empty());
        tokio::time::advance(TOLERANCE).await;
        status.on_failed("still no route");
        let [defect] = status.defects().try_into().unwrap();
        assert_eq!((defect.name.as_str(), defect.code), ("webhook.noc", "publish_failing"));
        assert!(defect.message.contains("still no route"), "{}", defect.message);
        status.on_delivered(Timestamp::UNIX_EPOCH);
        assert!(!statistics(&status).is_failing && codes(&status).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_lag_counts_from_when_there_was_something_to_deliver() {
        let status = Status::new("webhook.noc");
        assert_eq!(statistics(&status).lag, Duration::ZERO);
        for _ in 0..2 {
            status.on_behind();
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        assert_eq!(statistics(&status).lag, Duration::from_secs(10));
        status.on_caught_up();
        assert_eq!(statistics(&status).lag, Duration::ZERO);
    }

    #[test]
    fn dead_letters_are_amiss_until_they_are_gone() {
        let status = Status::new("webhook.noc");
        status.on_dead_letters(Some("/x/webhook-noc.dead.jsonl".into()));
        status.on_disk(Matter::Position, Err("no space".to_owned()));
        status.on_disk(Matter::Log, Ok(()));
        assert_eq!(codes(&status), ["dead_letters", "publish_disk"]);
        status.on_dead_letters(None);
        status.on_disk(Matter::Position, Ok(()));
        assert!(codes(&status).is_empty());
    }
}
