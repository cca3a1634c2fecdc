//! Disks that are full, read-only or damaged.

use super::*;
use crate::sqlite;

#[tokio::test]
async fn a_flipped_bit_never_yields_anything_false() {
    let room = Room::with_events(60).await;
    let genuine = read_all(&room.open()).await;
    let whole = fs::read(&room.path).unwrap();
    for position in (0..whole.len()).step_by(331).chain(0..100) {
        let copy = Room::new();
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&copy.path, flipped).unwrap();
        let (log, _) = copy.open_with(EventSettings::default(), Limits::default());
        let first = log.after(0, 100, |_| true).await.unwrap();
        let is_genuine = |event: &&Arc<Event>| event.kind != EventKind::Loss;
        assert!(first.events.iter().filter(is_genuine).all(|event| genuine.contains(event)), "{position}");
        publish(&log, [61]);
        // The damage may be where nobody has looked yet: then it is found now, and another file is begun.
        if log.flush().await.is_err() {
            log.flush().await.unwrap();
        }
        assert!(numbers(&read_all(&log).await).contains(&61), "{position}");
    }
}

#[tokio::test]
async fn a_log_that_is_no_use_is_set_aside_and_told() {
    for statement in ["PRAGMA user_version = 99", "DROP TABLE gap"] {
        let room = Room::with_events(5).await;
        room.execute(statement);
        let before = fs::read(&room.path).unwrap();
        let (log, set_aside) = room.open_with(EventSettings::default(), Limits::default());
        let set_aside = set_aside.unwrap();
        assert_eq!(fs::read(&set_aside.path).unwrap(), before);
        publish(&log, [6]);
        log.flush().await.unwrap();
        // Whoever knew the old log has not missed events that never were, but is told that some are gone.
        let (events, missed, _) = read_from(&log, 5).await;
        assert_eq!((numbers(&events), losses(&events)), (vec![6], vec![set_aside.code.to_owned()]));
        assert_eq!(missed, 0);
    }
}

#[tokio::test]
async fn damage_that_is_found_later_costs_nothing_that_is_in_memory() {
    let room = Room::with_events(2_000).await;
    let (log, _) = room.open_with(EventSettings { most: 1_000, ..EventSettings::default() }, small(100, 100));
    // All but the beginning, which the log has looked at.
    let length = fs::metadata(&room.path).unwrap().len();
    let rubbish = vec![0xa5; usize::try_from(length - 8_192).unwrap()];
    let file = fs::OpenOptions::new().write(true).open(&room.path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &rubbish, 8_192).unwrap();
    // The oldest events have to be looked for now, to forget them.
    publish(&log, 2_001..=2_003);
    let failure = log.flush().await.unwrap_err();
    assert!(failure.to_string().contains("malformed"), "{failure}");
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    let events = read_all(&log).await;
    assert_eq!(numbers(&events).last(), Some(&2_003));
    assert!(losses(&events).contains(&"events_damaged".to_owned()), "{:?}", losses(&events));
    assert!(room.folder.path().join("events.db.set-aside-1").exists());
    drop(log);
    assert_eq!(read_all(&room.open()).await, events);
}

#[tokio::test]
async fn events_go_on_in_memory_while_the_disk_cannot_be_written_and_are_written_later() {
    let room = Room::with_events(5).await;
    let log = room.open();
    // Somebody who locks the file is as good as a disk that fails.
    let other = rusqlite::Connection::open(&room.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    publish(&log, 6..=8);
    let failure = log.flush().await.unwrap_err();
    assert!(matches!(failure, EventError::Write { .. }), "{failure}");
    assert!(log.health().unwrap_err().contains("events.db"), "{:?}", log.health());
    let events = read_all(&log).await;
    assert_eq!((numbers(&events), losses(&events)), ((1..=8).collect(), vec!["only_in_memory".to_owned()]));
    assert_eq!(log.statistics().unsaved, 4);
    // Nobody has to wait for the disk.
    publish(&log, [9]);
    assert_eq!(numbers(&follow(&log, 9).await), (1..=9).collect::<Vec<_>>());

    other.execute_batch("ROLLBACK").unwrap();
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    assert_eq!((log.health(), log.statistics().unsaved), (Ok(()), 0));
    let events = read_all(&log).await;
    drop(log);
    assert_eq!(read_all(&room.open()).await, events);
    assert_eq!(losses(&events), ["only_in_memory", "on_disk_again"]);
}

#[tokio::test]
async fn what_memory_could_not_hold_until_the_disk_was_better_is_counted() {
    let room = Room::with_events(1).await;
    let (log, _) = room.open_with(EventSettings::default(), small(10, 10));
    let other = rusqlite::Connection::open(&room.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for first in (10..40).step_by(10) {
        publish(&log, first..first + 10);
        log.flush().await.unwrap_err();
    }
    let lost = log.statistics().lost;
    assert_eq!(lost, 21, "all but the newest ten, with the one that tells of the disk");
    publish(&log, 40..=51);
    log.flush().await.unwrap_err();
    let (lost, refused) = (log.statistics().lost, log.statistics().refused);
    assert_eq!((lost, refused), (32, 2), "and the one that tells of those that did not fit");
    other.execute_batch("ROLLBACK").unwrap();
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    let events = read_all(&log).await;
    let told = events
        .iter()
        .find(|event| event.detail.get("code").is_some_and(|code| code == "on_disk_again"))
        .unwrap();
    assert_eq!(told.detail["count"], lost);
    drop(log);
    assert_eq!(numbers(&read_all(&room.open()).await), [&[1][..], &(41..50).collect::<Vec<_>>()].concat());
}

#[tokio::test]
async fn rows_that_are_not_ours_are_left_out() {
    let room = Room::with_events(5).await;
    room.execute("UPDATE event SET record = replace(record, 'event 2', 'event 9') WHERE id = 2");
    room.execute("UPDATE event SET lived = 9999999999 WHERE id = 3");
    let text = "{}";
    let sum = sqlite::checksum(4, text.as_bytes());
    room.execute(&format!("UPDATE event SET record = '{text}', checksum = {sum} WHERE id = 4"));
    for id in [i64::MIN, -1, i64::MAX] {
        room.execute(&format!("INSERT INTO event VALUES ({id}, {id}, {id}, x'00')"));
        room.execute(&format!("INSERT INTO gap VALUES ({id}, {})", i64::MAX));
        room.execute(&format!("INSERT INTO told VALUES ({id}, 'ok?')"));
    }
    let log = room.open();
    assert_eq!(numbers(&read_all(&log).await), [1, 5]);
    assert_eq!(log.unwell().unwrap(), []);
    publish(&log, [6]);
    log.flush().await.unwrap();
    assert_eq!(numbers(&read_all(&log).await), [1, 5, 6]);
}
