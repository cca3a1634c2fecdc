//! Event logs that live through restarts, damage, full disks, wrong clocks and the sudden end of the process.

mod disk;
mod family;
mod memory;
mod outage;
mod process;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::time::timeout;

use super::memory::Room as Bounds;
use super::*;
use crate::testing::TestClock;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with the path of an event log in it.
struct Room {
    folder: TempDir,
    path: PathBuf,
    clock: Arc<TestClock>,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        Self { folder, path, clock: Arc::default() }
    }

    /// A room with a closed log of so many events.
    async fn with_events(count: u64) -> Self {
        let room = Self::new();
        let log = room.open();
        publish(&log, 1..=count);
        log.flush().await.unwrap();
        room
    }

    fn open(&self) -> EventLog {
        let (log, set_aside) = self.open_with(EventSettings::default(), Limits::default());
        assert_eq!(set_aside, None);
        log
    }

    fn open_with(&self, settings: EventSettings, limits: Limits) -> (EventLog, Option<SetAside>) {
        EventLog::open_with(&self.path, settings, Arc::<TestClock>::clone(&self.clock), limits).unwrap()
    }

    fn execute(&self, statement: &str) {
        rusqlite::Connection::open(&self.path).unwrap().execute_batch(statement).unwrap();
    }
}

/// An event that says which one it is.
fn event(number: u64) -> NewEvent {
    NewEvent::new(EventKind::ServiceStarted, Severity::Info, format!("event {number}")).with("number", number)
}

fn publish(log: &EventLog, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| log.publish(event(number)));
}

/// Which ones of these events are in a page.
fn numbers(events: &[Arc<Event>]) -> Vec<u64> {
    events.iter().filter_map(|event| event.detail.get("number")?.as_u64()).collect()
}

/// The codes of what was lost.
fn losses(events: &[Arc<Event>]) -> Vec<String> {
    let losses = events.iter().filter(|event| event.kind == EventKind::Loss);
    losses.map(|event| event.detail["code"].as_str().unwrap().to_owned()).collect()
}

/// Everything after `cursor` that is there now, and how much was missed.
async fn read_from(log: &EventLog, mut cursor: u64) -> (Vec<Arc<Event>>, u64, u64) {
    let (mut events, mut missed) = (Vec::new(), 0);
    loop {
        let page = log.after(cursor, 100, |_| true).await.unwrap();
        events.extend(page.events);
        missed += page.missed;
        cursor = page.next;
        if cursor >= page.latest {
            return (events, missed, cursor);
        }
    }
}

async fn read_all(log: &EventLog) -> Vec<Arc<Event>> {
    read_from(log, 0).await.0
}

/// Reads on until there are as many events of a test as that.
async fn follow(log: &EventLog, count: usize) -> Vec<Arc<Event>> {
    let (mut events, mut cursor) = (Vec::new(), 0);
    while numbers(&events).len() < count {
        timeout(PATIENCE, log.wait(cursor)).await.unwrap();
        let (more, _, next) = read_from(log, cursor).await;
        events.extend(more);
        cursor = next;
    }
    events
}

/// Waits for something that happens in another thread.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let reached = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what} never happened"));
}

/// Limits with so little memory.
fn small(waiting: usize, newest: usize) -> Limits {
    Limits { room: Bounds { waiting, newest }, ..Limits::default() }
}

#[tokio::test]
async fn events_are_counted_since_the_start() {
    let room = Room::with_events(3).await;
    let log = room.open();
    let before = log.counts();
    publish(&log, 4..=5);
    let warning = NewEvent::new(EventKind::SourceDown, Severity::Warning, "down".to_owned());
    log.publish(warning);
    let more = |kind, severity| {
        let count = |counts: &BTreeMap<(EventKind, Severity), u64>| {
            counts.get(&(kind, severity)).copied().unwrap_or_default()
        };
        count(&log.counts()) - count(&before)
    };
    assert_eq!(before.get(&(EventKind::ServiceStarted, Severity::Info)), None);
    assert_eq!(more(EventKind::ServiceStarted, Severity::Info), 2);
    assert_eq!(more(EventKind::SourceDown, Severity::Warning), 1);
    assert_eq!(more(EventKind::SourceDown, Severity::Info), 0);
}

#[tokio::test]
async fn events_come_in_order_and_stay_over_a_restart() {
    let room = Room::new();
    let log = room.open();
    publish(&log, 1..=300);
    let before = follow(&log, 300).await;
    assert_eq!(numbers(&before), (1..=300).collect::<Vec<_>>());
    assert_eq!(before[0].sequence, 1);
    assert!(before.is_sorted_by(|a, b| a.sequence < b.sequence));
    drop(log);
    assert_eq!(fs::metadata(&room.path).unwrap().permissions().mode() & 0o777, 0o600);

    let log = room.open();
    assert_eq!(read_all(&log).await, before);
    publish(&log, 301..=310);
    assert_eq!(numbers(&follow(&log, 310).await), (1..=310).collect::<Vec<_>>());
}

#[tokio::test]
async fn whoever_goes_on_after_a_restart_missed_nothing() {
    let room = Room::with_events(10).await;
    let log = room.open();
    let (_, _, cursor) = read_from(&log, 0).await;
    drop(log);
    let log = room.open();
    publish(&log, 11..=12);
    log.flush().await.unwrap();
    let (events, missed, _) = read_from(&log, cursor).await;
    assert_eq!((numbers(&events), missed), (vec![11, 12], 0));
    assert!(events[0].sequence > cursor + 1, "no number is given twice, whatever the disk lost");
}

#[tokio::test]
async fn events_that_memory_has_no_room_for_are_read_from_the_disk() {
    let room = Room::new();
    let (log, _) = room.open_with(EventSettings::default(), small(50, 50));
    for first in (0..1_000).step_by(50) {
        publish(&log, first..first + 50);
        log.flush().await.unwrap();
    }
    let (events, missed, _) = read_from(&log, 0).await;
    assert_eq!((numbers(&events), missed), ((0..1_000).collect::<Vec<_>>(), 0));
    let page = log.after(0, 5, |event| event.detail["number"].as_u64().unwrap() % 200 == 0).await.unwrap();
    assert_eq!(numbers(&page.events), [0, 200, 400, 600, 800]);
    assert_eq!((page.oldest, page.latest, page.next), (Some(1), 1_000, 801));
    let middle = log.after(500, 3, |_| true).await.unwrap();
    assert_eq!((numbers(&middle.events), middle.next), (vec![500, 501, 502], 503));
}

#[tokio::test]
async fn two_readers_see_the_same_and_a_slow_one_holds_nobody_up() {
    let room = Room::new();
    let (log, _) = room.open_with(EventSettings { most: 200, ..EventSettings::default() }, small(50, 50));
    publish(&log, 1..=10);
    log.flush().await.unwrap();
    let (_, _, slow) = read_from(&log, 0).await;
    let mut cursor = slow;
    let mut seen = Vec::new();
    for first in (11..1_011).step_by(50) {
        publish(&log, first..first + 50);
        log.flush().await.unwrap();
        let (events, missed, next) = read_from(&log, cursor).await;
        assert_eq!(missed, 0);
        seen.extend(numbers(&events));
        cursor = next;
    }
    assert_eq!(seen, (11..=1_010).collect::<Vec<_>>());
    let (events, missed, _) = read_from(&log, slow).await;
    assert_eq!(numbers(&events), (811..=1_010).collect::<Vec<_>>());
    assert_eq!(missed, 800);
    assert_eq!(log.statistics().saved, 200);
}

#[tokio::test]
async fn what_was_missed_is_counted_over_restarts() {
    let room = Room::with_events(10).await;
    let settings = EventSettings { most: 5, ..EventSettings::default() };
    for round in 0..3 {
        let (log, _) = room.open_with(settings, Limits::default());
        publish(&log, round * 4..round * 4 + 4);
        log.flush().await.unwrap();
    }
    let (log, _) = room.open_with(settings, small(10, 10));
    let page = log.after(3, 100, |_| true).await.unwrap();
    assert_eq!((numbers(&page.events), page.missed), (vec![7, 8, 9, 10, 11], 14));
}

#[tokio::test]
async fn of_many_at_once_as_many_stay_as_may() {
    let room = Room::with_events(2_000).await;
    let settings = EventSettings { most: 1_500, ..EventSettings::default() };
    let (log, _) = room.open_with(settings, small(1_000, 1_000));
    publish(&log, 2_001..=3_000);
    log.flush().await.unwrap();
    let (events, missed, _) = read_from(&log, 100).await;
    assert_eq!((numbers(&events), missed), ((1_501..=3_000).collect::<Vec<_>>(), 1_400));
    assert_eq!(log.statistics().saved, 1_500);
}

#[tokio::test]
async fn a_cursor_of_another_log_reads_from_the_beginning() {
    let room = Room::with_events(3).await;
    let log = room.open();
    let (events, missed, _) = read_from(&log, u64::MAX).await;
    assert_eq!((numbers(&events), missed), (vec![1, 2, 3], 0));
}

#[tokio::test]
async fn what_does_not_fit_is_told() {
    let room = Room::new();
    let (log, _) = room.open_with(EventSettings::default(), small(10, 10));
    publish(&log, 1..=25);
    log.flush().await.unwrap();
    publish(&log, 26..=26);
    log.flush().await.unwrap();
    let events = read_all(&log).await;
    let expected: Vec<u64> = (1..=10).chain([26]).collect();
    assert_eq!((numbers(&events), losses(&events)), (expected, vec!["too_many".to_owned()]));
    assert_eq!(events[10].detail["count"], 15);
    assert_eq!(log.statistics().refused, 15);
}

#[tokio::test]
async fn nobody_waits_for_a_log_that_is_closed() {
    let room = Room::with_events(3).await;
    let log = room.open();
    let (_, _, cursor) = read_from(&log, 0).await;
    let waiter = log.clone();
    let waiting = tokio::task::spawn_blocking(move || {
        tokio::runtime::Handle::current().block_on(waiter.wait(cursor));
        waiter.is_closed()
    });
    publish(&log, 4..=4);
    log.close();
    publish(&log, 5..=5);
    assert!(timeout(PATIENCE, waiting).await.is_ok());
    eventually("closing", || log.is_closed()).await;
    log.wait(u64::MAX).await;
    assert_eq!(log.flush().await, Err(EventError::Closed));
    // What is in memory can still be read.
    assert_eq!(numbers(&read_all(&log).await), [1, 2, 3, 4]);
}

#[tokio::test]
async fn the_number_and_the_size_are_bounded() {
    let room = Room::new();
    let settings = EventSettings { size: 1 << 20, ..EventSettings::default() };
    let (log, _) = room.open_with(settings, small(1_000, 1_000));
    for round in 0..20 {
        for number in 0..200 {
            log.publish(event(round * 200 + number).with("text", "x".repeat(500)));
        }
        log.flush().await.unwrap();
    }
    assert_eq!(log.health(), Ok(()));
    let (events, missed, _) = read_from(&log, 1).await;
    assert!(missed > 1_000 && events.len() > 500, "{missed} {}", events.len());
    assert_eq!(numbers(&events).last(), Some(&3_999));
    drop(log);
    assert!(fs::metadata(&room.path).unwrap().len() <= 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn events_grow_old_while_the_service_runs() {
    let room = Room::new();
    let settings = EventSettings { age: Duration::from_secs(3_600), ..EventSettings::default() };
    let (log, _) = room.open_with(settings, small(5, 5));
    for number in 1..=12 {
        publish(&log, [number]);
        log.flush().await.unwrap();
        tokio::time::advance(Duration::from_secs(600)).await;
        room.clock.advance(SignedDuration::from_secs(600));
    }
    assert_eq!(log.statistics().saved, 7);
    drop(log);
    // How long the service was not there does not matter, nor what the clock says.
    room.clock.advance(SignedDuration::from_hours(1_000));
    let (log, _) = room.open_with(settings, small(5, 5));
    publish(&log, [13]);
    log.flush().await.unwrap();
    assert_eq!(log.statistics().saved, 8);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_wrong_costs_no_event_and_is_told() {
    let room = Room::new();
    let log = room.open();
    let years = SignedDuration::from_hours(24 * 365 * 10);
    publish(&log, [1]);
    room.clock.advance(years);
    publish(&log, [2]);
    room.clock.advance(-years * 2);
    publish(&log, [3]);
    log.flush().await.unwrap();
    let events = read_all(&log).await;
    assert_eq!(numbers(&events), [1, 2, 3]);
    let clocks: Vec<&str> = events
        .iter()
        .filter(|event| event.kind == EventKind::ClockChanged)
        .map(|event| event.message.as_str())
        .collect();
    let expected = [
        "the clock of this machine was set forward by 87600h",
        "the clock of this machine was set back by 175200h",
    ];
    assert_eq!(clocks, expected);
    drop(log);
    assert_eq!(read_all(&room.open()).await, events);
}
