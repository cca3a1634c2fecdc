//! Files that cannot be used for a while, that hang, or of which somebody who reads finds that they are damaged.

use super::*;

/// A log whose disk hangs for some seconds at a time, as long as the other connection lives.
fn hanging(room: &Room, bounds: Limits) -> (EventLog, rusqlite::Connection) {
    let (log, _) = room.open_with(EventSettings::default(), Limits { hang: Duration::ZERO, ..bounds });
    let other = rusqlite::Connection::open(&room.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    (log, other)
}

#[tokio::test]
async fn what_happens_before_the_file_can_be_opened_is_told_and_kept() {
    let room = Room::new();
    fs::create_dir(&room.path).unwrap();
    let (log, _) = room.open_with(EventSettings::default(), Limits::default());
    assert!(log.health().unwrap_err().contains("events.db"), "{:?}", log.health());
    publish(&log, 1..=3);
    let events = follow(&log, 3).await;
    assert_eq!((numbers(&events), losses(&events)), (vec![1, 2, 3], vec!["only_in_memory".to_owned()]));

    fs::remove_dir(&room.path).unwrap();
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    assert_eq!((log.health(), log.statistics().unsaved), (Ok(()), 0));
    let events = read_all(&log).await;
    assert_eq!(losses(&events), ["only_in_memory", "on_disk_again"]);
    drop(log);
    assert_eq!(read_all(&room.open()).await, events);
}

#[tokio::test]
async fn what_happens_before_a_file_that_is_not_empty_comes_behind_it() {
    let room = Room::with_events(5).await;
    let holder = room.open();
    let (log, _) = room.open_with(EventSettings::default(), Limits::default());
    assert!(log.health().unwrap_err().contains("locked"), "{:?}", log.health());
    publish(&log, 6..=7);
    follow(&log, 2).await;
    drop(holder);
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    let (events, missed, _) = read_from(&log, 3).await;
    assert_eq!((numbers(&events), missed), (vec![4, 5, 6, 7], 0));
    assert_eq!((log.statistics().oldest, log.statistics().saved), (Some(1), 9));
    drop(log);
    assert_eq!(numbers(&read_all(&room.open()).await), (1..=7).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_with_greater_numbers_is_left_alone_until_the_next_start() {
    let room = Room::new();
    // The clock was ahead when the file was begun in place of another one.
    room.clock.advance(SignedDuration::from_hours(1_000));
    fs::write(&room.path, "no database ".repeat(1_000)).unwrap();
    let (holder, set_aside) = room.open_with(EventSettings::default(), Limits::default());
    assert!(set_aside.is_some());
    publish(&holder, [1]);
    holder.flush().await.unwrap();
    room.clock.advance(-SignedDuration::from_hours(1_000));
    let (log, _) = room.open_with(EventSettings::default(), Limits::default());
    publish(&log, [2]);
    drop(holder);
    for _ in 0..2 {
        log.flush().await.unwrap_err();
    }
    assert!(log.health().unwrap_err().contains("start the service again"), "{:?}", log.health());
    assert_eq!(numbers(&read_all(&log).await), [2]);
    drop(log);
    assert_eq!(numbers(&read_all(&room.open()).await), [1]);
}

#[tokio::test]
async fn events_are_shown_while_the_disk_hangs() {
    let room = Room::with_events(2).await;
    let (log, other) = hanging(&room, Limits::default());
    publish(&log, 3..=4);
    eventually("the word about the disk", || {
        log.health().is_err_and(|failure| failure.contains("does not answer"))
    })
    .await;
    let events = read_all(&log).await;
    assert_eq!((numbers(&events), losses(&events)), ((1..=4).collect(), vec!["only_in_memory".to_owned()]));
    publish(&log, [5]);
    assert_eq!(numbers(&follow(&log, 5).await), (1..=5).collect::<Vec<_>>());
    other.execute_batch("ROLLBACK").unwrap();
    eventually("the end of it", || log.flush().now_or_never().is_some() || log.health() == Ok(())).await;
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    assert_eq!((log.health(), log.statistics().unsaved), (Ok(()), 0));
    let events = read_all(&log).await;
    drop(log);
    assert_eq!(numbers(&read_all(&room.open()).await), numbers(&events));
}

#[tokio::test]
async fn a_disk_that_hangs_costs_no_more_memory_than_there_is_and_what_is_lost_is_counted() {
    let room = Room::with_events(1).await;
    let (log, other) = hanging(&room, small(10, 20));
    publish(&log, [1_000]);
    eventually("the word about the disk", || log.health().is_err()).await;
    publish(&log, 0..1_000);
    let statistics = log.statistics();
    assert!(statistics.waiting <= 10 && statistics.unsaved <= 31, "{statistics:?}");
    assert!(statistics.lost + statistics.refused >= 960, "{statistics:?}");
    assert_eq!(numbers(&read_all(&log).await).last(), Some(&999));
    other.execute_batch("ROLLBACK").unwrap();
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    assert_eq!(losses(&read_all(&log).await).last().unwrap(), "on_disk_again");
}

#[tokio::test]
async fn damage_that_a_reader_finds_is_told_and_sets_the_file_aside() {
    let room = Room::with_events(2_000).await;
    let (log, _) = room.open_with(EventSettings::default(), small(100, 100));
    let length = fs::metadata(&room.path).unwrap().len();
    let rubbish = vec![0xa5; usize::try_from(length - 8_192).unwrap()];
    let file = fs::OpenOptions::new().write(true).open(&room.path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &rubbish, 8_192).unwrap();
    let failure = log.after(0, 10, |_| true).await.unwrap_err();
    assert!(matches!(failure, EventError::Read { .. }), "{failure}");
    eventually("setting it aside", || log.set_aside().is_some()).await;
    assert_eq!(log.set_aside().unwrap().code, "events_damaged");
    log.flush().await.unwrap();
    let events = read_all(&log).await;
    assert_eq!(
        numbers(&events),
        (1_901..=2_000).skip(numbers(&events).len().abs_diff(100)).collect::<Vec<_>>()
    );
    assert!(losses(&events).contains(&"events_damaged".to_owned()), "{:?}", losses(&events));
    drop(log);
    assert_eq!(read_all(&room.open()).await, events);
}

#[tokio::test]
async fn events_that_are_damaged_are_counted() {
    let room = Room::with_events(50).await;
    room.execute("UPDATE event SET record = replace(record, 'event 2', 'event 9') WHERE id IN (2, 3, 20)");
    let (log, _) = room.open_with(EventSettings::default(), small(10, 10));
    assert_eq!(log.statistics().damaged, 0, "nobody has looked at them yet");
    assert_eq!(numbers(&read_all(&log).await).len(), 48);
    assert_eq!(log.statistics().damaged, 2);
}
