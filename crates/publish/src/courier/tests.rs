//! Deliveries in virtual time: order, repetition, giving up, and what a crash costs.

use std::path::Path;

use jiff::Timestamp;
use opendcre_gateway::{DeliveryStatistics, EventKind, EventSettings, NewEvent, Part, Severity};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::*;
use crate::Deliveries;
use crate::testing::within;

const HOUR: Duration = Duration::from_secs(3600);

/// For how long something may not happen, in virtual time.
const LIMIT: Duration = Duration::from_secs(12 * 3600);

/// A clock that goes with the virtual time.
#[derive(Debug)]
struct VirtualClock(Instant);

impl WallClock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + self.0.elapsed()
    }
}

/// What a receiver was sent, by number or as `missed-…`, and when, in seconds since the start.
type Heard = Vec<(u64, String)>;

/// What a receiver says to a notice at a time since the start.
type Answer = dyn Fn(&str, Duration) -> Result<(), Failure> + Send + Sync;

/// A receiver that says what a test wants; everybody who has a copy sees what it hears.
#[derive(Clone)]
struct Receiver {
    started: Instant,
    heard: Arc<watch::Sender<Heard>>,
    answer: Arc<Answer>,
}

impl Receiver {
    /// One that answers to a notice at a time since the start.
    fn new(answer: impl Fn(&str, Duration) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        let heard = Arc::new(watch::Sender::new(Vec::new()));
        Self { started: Instant::now(), heard, answer: Arc::new(answer) }
    }

    /// One that takes everything.
    fn willing() -> Self {
        Self::new(|_, _| Ok(()))
    }

    /// Waits until so much was sent to it.
    async fn has_heard(&self, count: usize) {
        self.hears(&format!("{count} notices"), |heard| heard.len() >= count).await;
    }

    /// Waits until the event with this number was sent to it.
    async fn has_heard_of(&self, number: &str) {
        self.hears(&format!("event {number}"), |heard| heard.iter().any(|(_, id)| id == number)).await;
    }

    async fn hears(&self, what: &str, is_enough: impl Fn(&Heard) -> bool) {
        let mut heard = self.heard.subscribe();
        let waited = heard.wait_for(|heard| is_enough(heard));
        within(LIMIT, &format!("a receiver hears {what}"), waited).await.unwrap();
    }

    fn ids(&self) -> Vec<String> {
        self.heard.borrow().iter().map(|(_, id)| id.clone()).collect()
    }
}

impl Destination for Receiver {
    async fn deliver(&mut self, notice: &Notice) -> Result<(), Failure> {
        let since = self.started.elapsed();
        self.heard.send_modify(|heard| heard.push((since.as_secs(), notice.id())));
        (self.answer)(&notice.id(), since)
    }
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    within(LIMIT, what, wait).await;
}

fn later() -> Failure {
    Failure::Later("no route".to_owned(), None)
}

/// An event log with a spool beside it.
struct Room {
    folder: tempfile::TempDir,
    log: EventLog,
    clock: Arc<dyn WallClock>,
    status: Arc<Status>,
}

impl Room {
    /// One with so many events in it.
    async fn with(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn WallClock> = Arc::new(VirtualClock(Instant::now()));
        let log = open(folder.path(), EventSettings::default(), &clock);
        let room = Self { folder, log, clock, status: Arc::new(Status::new("webhook.noc")) };
        room.publish(count).await;
        room
    }

    async fn publish(&self, count: usize) {
        for _ in 0..count {
            self.log.publish(NewEvent {
                kind: EventKind::HealthChanged,
                severity: Severity::Warning,
                rack: None,
                board: None,
                name: None,
                device: None,
                message: "warm".to_owned(),
                detail: serde_json::Map::new(),
            });
        }
        self.log.flush().await.unwrap();
    }

    fn spool(&self) -> (Spool, Option<u64>) {
        Spool::open(&self.folder.path().join("publish"), "webhook-noc").unwrap()
    }

    /// What goes on where the last one has stopped.
    fn courier(&self, receiver: &Receiver, patience: Option<Duration>) -> Courier<Receiver> {
        let (spool, cursor) = self.spool();
        let back_off = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
        let rules = Rules { filter: Filter::default(), back_off, patience, jitter: || 0 };
        let (log, status, clock) = (self.log.clone(), Arc::clone(&self.status), Arc::clone(&self.clock));
        let spool = Some(Arc::new(spool));
        Courier::new(log, receiver.clone(), rules, status, clock, spool, cursor.unwrap_or(0))
    }

    /// Delivers until so much was sent to the receiver, and stops in order.
    async fn deliver(&self, receiver: &Receiver, patience: Option<Duration>, count: usize) {
        let stop = CancellationToken::new();
        let courier = self.courier(receiver, patience);
        tokio::join!(courier.run(stop.clone()), async {
            receiver.has_heard(count).await;
            stop.cancel();
        });
    }

    fn deliveries(&self) -> Deliveries {
        Deliveries::new(Some(self.log.clone()), vec![Arc::clone(&self.status)])
    }

    fn dead(&self) -> Vec<String> {
        let (spool, _) = self.spool();
        let text = std::fs::read_to_string(spool.dead_letters()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str::<DeadLetter>(line).unwrap().notice.id()).collect()
    }
}

fn open(folder: &Path, settings: EventSettings, clock: &Arc<dyn WallClock>) -> EventLog {
    EventLog::open(folder.join("events.db"), settings, Arc::clone(clock)).unwrap().0
}

fn numbers(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_and_go_on_after_a_restart() {
    let room = Room::with(250).await;
    let receiver = Receiver::willing();
    room.deliver(&receiver, None, 250).await;
    assert_eq!(receiver.ids(), numbers(1..=250));
    assert_eq!(room.spool().1, Some(250));
    room.publish(3).await;
    let receiver = Receiver::willing();
    room.deliver(&receiver, None, 3).await;
    assert_eq!(receiver.ids(), numbers(251..=253));
}

#[tokio::test(start_paused = true)]
async fn the_same_event_is_tried_again_after_longer_and_longer_pauses() {
    let room = Room::with(2).await;
    let receiver =
        Receiver::new(|_, since| if since < Duration::from_secs(8) { Err(later()) } else { Ok(()) });
    room.deliver(&receiver, None, 6).await;
    let expected = [(0, "1"), (1, "1"), (3, "1"), (7, "1"), (15, "1"), (15, "2")];
    assert_eq!(*receiver.heard.borrow(), expected.map(|(since, id)| (since, id.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_is_left_alone_for_as_long_as_it_wants_but_not_for_ever() {
    let room = Room::with(1).await;
    let receiver = Receiver::new(|_, since| match since.as_secs() {
        0 => Err(Failure::Later("busy".to_owned(), Some(Duration::from_secs(100)))),
        100 => Err(Failure::Later("busy".to_owned(), Some(Duration::MAX))),
        _ => Ok(()),
    });
    room.deliver(&receiver, None, 3).await;
    let times: Vec<u64> = receiver.heard.borrow().iter().map(|(since, _)| *since).collect();
    assert_eq!(times, [0, 100, 100 + LONGEST_WISH.as_secs()]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_becomes_a_dead_letter_and_the_next_is_delivered_at_once() {
    let room = Room::with(3).await;
    let refuse = |id: &str, _| if id == "2" { Err(Failure::Never("status 422".to_owned())) } else { Ok(()) };
    let receiver = Receiver::new(refuse);
    room.deliver(&receiver, Some(HOUR), 3).await;
    assert_eq!(receiver.ids(), numbers(1..=3));
    assert_eq!(receiver.started.elapsed(), Duration::ZERO);
    assert_eq!(room.dead(), ["2"]);
    assert_eq!(room.spool().1, Some(3));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_for_too_long_is_given_up_but_not_what_is_newer() {
    let room = Room::with(3).await;
    // It answers again ninety minutes after the start, half an hour after the last event.
    let receiver = Receiver::new(|_, since| if since < HOUR * 3 / 2 { Err(later()) } else { Ok(()) });
    let stop = CancellationToken::new();
    let courier = room.courier(&receiver, Some(HOUR));
    tokio::join!(courier.run(stop.clone()), async {
        sleep(HOUR - Duration::from_secs(1)).await;
        room.publish(1).await;
        receiver.has_heard_of("4").await;
        until("event 4 is dealt with", || room.spool().1 == Some(4)).await;
        stop.cancel();
    });
    assert_eq!(room.dead(), numbers(1..=3));
    let ids = receiver.ids();
    assert!(!ids.contains(&"2".to_owned()), "what is too old is not tried while nobody answers: {ids:?}");
    assert_eq!(ids.last().unwrap(), "4");
}

#[tokio::test(start_paused = true)]
async fn after_a_start_old_events_are_tried_for_a_while_however_old_the_clock_says_they_are() {
    let room = Room::with(2).await;
    tokio::time::advance(HOUR * 100).await;
    let receiver = Receiver::new(|_, since| if since < HOUR / 2 { Err(later()) } else { Ok(()) });
    let stop = CancellationToken::new();
    let courier = room.courier(&receiver, Some(HOUR));
    tokio::join!(courier.run(stop.clone()), async {
        receiver.has_heard_of("2").await;
        stop.cancel();
    });
    assert_eq!(room.dead(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_nothing_and_repeats_only_what_came_last() {
    let room = Room::with(30).await;
    // One event in 300 milliseconds, so that the position is kept after every fourth.
    struct Slow(Receiver);
    impl Destination for Slow {
        async fn deliver(&mut self, notice: &Notice) -> Result<(), Failure> {
            sleep(Duration::from_millis(300)).await;
            self.0.deliver(notice).await
        }
    }
    let receiver = Receiver::willing();
    for crash in [4, 9, 17] {
        let Courier { log, rules, status, clock, spool, cursor, .. } = room.courier(&receiver, None);
        let courier = Courier::new(log, Slow(receiver.clone()), rules, status, clock, spool, cursor);
        let mut process = JoinSet::new();
        process.spawn(courier.run(CancellationToken::new()));
        receiver.has_heard(crash).await;
        process.shutdown().await;
        let kept = room.spool().1.unwrap_or(0);
        let last: u64 = receiver.ids().last().unwrap().parse().unwrap();
        assert!(kept <= last && last - kept <= 4, "{kept} is kept of {last}");
    }
    // A position was on its way to the disk at each crash, and may have arrived or not: what counts is where it goes on.
    let courier = room.courier(&receiver, None);
    let expected = receiver.ids().len() + 30 - usize::try_from(courier.cursor).unwrap();
    let stop = CancellationToken::new();
    tokio::join!(courier.run(stop.clone()), async {
        receiver.has_heard(expected).await;
        stop.cancel();
    });
    let ids = receiver.ids();
    for number in 1..=30 {
        assert!(ids.contains(&number.to_string()), "{number} is missing in {ids:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_orderly_stop_repeats_nothing() {
    let room = Room::with(7).await;
    let receiver = Receiver::willing();
    for count in [7, 10, 12] {
        room.publish(count - receiver.ids().len().max(7)).await;
        room.deliver(&receiver, None, count).await;
    }
    assert_eq!(receiver.ids(), numbers(1..=12));
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_late_is_told_how_much_is_missing() {
    let Room { folder, log, clock, status } = Room::with(50).await;
    log.close();
    drop(log);
    let settings = EventSettings { most: 10, ..EventSettings::default() };
    let log = open(folder.path(), settings, &clock);
    let room = Room { folder, log, clock, status };
    room.publish(1).await;
    // Opened once more, because the newest events are also in memory.
    let Room { folder, log, clock, status } = room;
    log.close();
    drop(log);
    let log = open(folder.path(), settings, &clock);
    let room = Room { folder, log, clock, status };
    let receiver = Receiver::willing();
    room.spool().0.save(5).unwrap();
    room.deliver(&receiver, None, 11).await;
    let ids = receiver.ids();
    assert_eq!(ids[..2], ["missed-5", "42"]);
    assert_eq!(ids[1..10], numbers(42..=50));
    let [statistics] = room.deliveries().deliveries().try_into().unwrap();
    let DeliveryStatistics { missed, delivered, waiting, last_success, .. } = statistics;
    assert_eq!((missed, delivered, waiting), (36, 11, 0));
    assert_eq!(last_success, Some(room.clock.now()));
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_delivered_again_when_somebody_says_so() {
    let room = Room::with(2).await;
    let receiver = Receiver::new(|_, _| Err(Failure::Never("status 404".to_owned())));
    room.deliver(&receiver, Some(HOUR), 2).await;
    assert_eq!(room.dead(), ["1", "2"]);
    let (spool, _) = room.spool();
    std::fs::rename(spool.dead_letters(), spool.letters_again()).unwrap();
    let receiver = Receiver::willing();
    let stop = CancellationToken::new();
    tokio::join!(room.courier(&receiver, Some(HOUR)).run(stop.clone()), async {
        until("all letters are delivered", || !spool.letters_again().exists()).await;
        stop.cancel();
    });
    assert_eq!(receiver.ids(), ["1", "2"]);
    assert!(room.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_is_on_its_way_but_not_for_long() {
    struct Silent(Arc<Notify>);
    impl Destination for Silent {
        async fn deliver(&mut self, _: &Notice) -> Result<(), Failure> {
            self.0.notify_one();
            std::future::pending().await
        }
    }
    let room = Room::with(1).await;
    let Courier { log, rules, status, clock, spool, cursor, .. } = room.courier(&Receiver::willing(), None);
    let asked = Arc::new(Notify::new());
    let courier = Courier::new(log, Silent(Arc::clone(&asked)), rules, status, clock, spool, cursor);
    let (begun, stop) = (Instant::now(), CancellationToken::new());
    tokio::join!(courier.run(stop.clone()), async {
        within(LIMIT, "the receiver is asked", asked.notified()).await;
        stop.cancel();
    });
    assert_eq!(begun.elapsed(), GRACE);
    assert_eq!(room.spool().1, None);
}

#[tokio::test(start_paused = true)]
async fn a_position_that_cannot_be_kept_is_told_and_holds_up_nothing() {
    let room = Room::with(3).await;
    let receiver = Receiver::willing();
    let courier = room.courier(&receiver, None);
    std::fs::remove_dir(room.folder.path().join("publish")).unwrap();
    let stop = CancellationToken::new();
    tokio::join!(courier.run(stop.clone()), async {
        receiver.has_heard(3).await;
        stop.cancel();
    });
    let codes: Vec<_> = room.deliveries().defects().iter().map(|defect| defect.code).collect();
    assert_eq!(codes, ["publish_disk"]);
}

#[tokio::test]
async fn positions_come_to_the_disk_one_after_the_other_also_when_nobody_waits_for_the_first() {
    let room = Room::with(0).await;
    let mut courier = room.courier(&Receiver::willing(), None);
    for cursor in (1..100).step_by(2) {
        courier.advance(cursor).await;
        tokio::select! {
            biased;
            () = courier.save() => panic!("nobody waits for it"),
            () = std::future::ready(()) => {}
        }
        courier.advance(cursor + 1).await;
        courier.save().await;
        assert_eq!(room.spool().1, Some(cursor + 1));
    }
    assert_eq!(room.deliveries().defects(), []);
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_was_not_told_is_counted_while_it_takes_nothing() {
    let room = Room::with(3).await;
    let receiver = Receiver::new(|id, _| if id == "1" { Ok(()) } else { Err(later()) });
    room.deliver(&receiver, None, 4).await;
    let [statistics] = room.deliveries().deliveries().try_into().unwrap();
    let DeliveryStatistics { delivered, failed, waiting, is_failing, .. } = statistics;
    assert_eq!((delivered, failed, waiting, is_failing), (1, 3, 2, true));
}
