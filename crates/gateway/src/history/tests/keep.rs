//! What is forgotten, when, and what is not.

use std::sync::atomic::AtomicU64;

use super::super::chunk::Datum;
use super::super::database::{Database, Opened, PAGE};
use super::super::retention::{has_ahead, step};
use super::super::rollup::Resolution;
use super::super::table::Closed;
use super::super::window::Window;
use super::*;

const DAY: i64 = 24 * HOUR;

fn open(room: &Room) -> Database {
    Opened::new(&room.path, room.settings, room.limits, &Arc::new(AtomicU64::new(0))).unwrap().database
}

/// A file of twenty days of one sensor.
fn furnished(room: &Room) -> Database {
    let mut database = open(room);
    for period in 0..20 * 12 {
        let mut window = Window::new(period, 0, Arc::default());
        for index in 0..240 {
            let time = Resolution::Raw.start(period) + index * 30_000;
            window.push(Datum { time, value: (time as f64).sin() });
        }
        database.seal(&[Closed { series: 0, window }]).unwrap();
    }
    database
}

fn forget(database: &mut Database, room: &Room, time: Option<i64>) {
    let time = time.map(|time| Timestamp::from_millisecond(time).unwrap());
    while step(database, &room.settings, time, Some(239)).unwrap() {}
}

/// The first day of which each resolution still has something.
fn first_days(database: &Database) -> [Option<i64>; 3] {
    Resolution::ALL.map(|resolution| {
        let first = database.next_period(resolution, i64::MIN..i64::MAX).unwrap();
        first.map(|period| (period * resolution.period()).div_euclid(DAY))
    })
}

#[test]
fn what_is_too_old_is_forgotten_by_a_clock_that_can_be_trusted() {
    let mut room = Room::new();
    room.settings.raw = Duration::from_secs(3 * 86_400);
    room.settings.minute = Duration::from_secs(10 * 86_400);
    let mut database = furnished(&room);
    forget(&mut database, &room, None);
    assert_eq!(first_days(&database), [Some(0), Some(0), Some(0)]);
    forget(&mut database, &room, Some(20 * DAY));
    assert_eq!(first_days(&database), [Some(17), Some(10), Some(0)]);
    // A clock that went back forgets nothing, and brings nothing back.
    forget(&mut database, &room, Some(-20 * DAY));
    assert_eq!(first_days(&database), [Some(17), Some(10), Some(0)]);
}

#[test]
fn the_oldest_samples_make_room_before_any_minute_does() {
    let mut room = Room::new();
    let mut database = furnished(&room);
    let (pages, _) = database.pages().unwrap();
    room.settings.size = pages * PAGE;
    forget(&mut database, &room, None);
    let [raw, minute, hour] = first_days(&database);
    assert!(raw > Some(0) && minute == Some(0) && hour == Some(0), "{raw:?} {minute:?} {hour:?}");
    // In a file that is far too small, the newest samples and everything by the hour stay longest.
    room.settings.size = 24 * PAGE;
    forget(&mut database, &room, None);
    let [raw, minute, hour] = first_days(&database);
    assert!(raw == Some(19) && minute.is_none() && hour == Some(0), "{raw:?} {minute:?} {hour:?}");
}

#[test]
fn what_a_clock_that_was_ahead_gave_a_time_makes_room_first() {
    let mut room = Room::new();
    room.settings.raw = Duration::from_secs(100 * 86_400);
    let mut database = furnished(&room);
    let raw_periods = |database: &Database, days: Range<i64>| {
        let periods = days.start * 12..days.end * 12;
        database.next_period(Resolution::Raw, periods).unwrap()
    };
    let at = |day: i64| Timestamp::from_millisecond(day * DAY).unwrap();
    assert!(has_ahead(&database, at(10)).unwrap() && !has_ahead(&database, at(19)).unwrap());
    // As long as there is room, it stays.
    forget(&mut database, &room, Some(10 * DAY));
    assert!(raw_periods(&database, 19..20).is_some());
    room.settings.size = database.pages().unwrap().0 * PAGE;
    forget(&mut database, &room, Some(10 * DAY));
    assert_eq!(raw_periods(&database, 0..1), Some(0));
    assert!(raw_periods(&database, 12..13).is_none(), "what is ahead went first");
    assert!(raw_periods(&database, 10..11).is_some(), "and nothing of today");
}

#[test]
fn the_file_becomes_smaller_when_much_is_forgotten() {
    let mut room = Room::new();
    let mut database = furnished(&room);
    let before = database.pages().unwrap().0;
    room.settings.raw = Duration::from_secs(86_400);
    room.settings.minute = Duration::from_secs(86_400);
    forget(&mut database, &room, Some(20 * DAY));
    let (pages, empty) = database.pages().unwrap();
    assert!(pages < before / 2 && empty <= 128.max(pages / 4), "{before} {pages} {empty}");
}

#[tokio::test]
async fn a_clock_that_jumped_far_ahead_costs_nothing() {
    let room = Room::new();
    let clock = Arc::new(StillClock("2300-01-01T00:00:00Z".parse().unwrap()));
    let (history, _) = History::open_with(&room.path, room.settings, clock, room.limits).unwrap();
    history.record((0..100).map(|hour| sample(1, hour * HOUR, 1.0)));
    history.record([sample(1, 10_000_000 * HOUR, 2.0), sample(1, 100 * HOUR, 3.0)]);
    history.writer.seal().await.unwrap();
    let found = raw(&history, 1, 0..11_000_000 * HOUR).await;
    assert_eq!(found.len(), 102);
    assert!(found.is_sorted_by_key(|(time, _)| *time));
}
