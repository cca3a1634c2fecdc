//! Files that cannot be used for a while, that hang, or that turn out to be damaged; samples that come too fast or are
//! asked for by too many.

use std::fs;
use std::os::unix::fs::FileExt;

use futures_util::FutureExt;

use super::super::table::Table;
use super::*;

/// A closed history with a chunk of each of many hours of two sensors.
async fn furnished() -> Room {
    let room = Room::new();
    let history = room.open();
    for hour in 0..200 {
        history.record([1, 2].map(|device| sample(device, hour * HOUR, hour as f64)));
    }
    history.writer.seal().await.unwrap();
    room
}

/// Overwrites everything but the first pages, as long as the file is open.
fn ruin(room: &Room) {
    let length = fs::metadata(&room.path).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&room.path).unwrap();
    for page in 5..length / database::PAGE {
        file.write_all_at(&[0x5a; 4096], page * database::PAGE).unwrap();
    }
    // Closing it would give up the locks of the database.
    std::mem::forget(file);
}

#[tokio::test]
async fn what_comes_before_the_file_can_be_opened_is_kept() {
    let room = Room::new();
    fs::create_dir(&room.path).unwrap();
    let (history, _) = room.try_open().unwrap();
    assert!(history.health().unwrap_err().contains("history.db"), "{:?}", history.health());
    history.record((0..100).map(|time| sample(1, time * 1_000, 1.0)));
    // What memory has is not all that there may be.
    let asked = history.query(question(&[1], 0..HOUR, Duration::ZERO)).await;
    assert!(matches!(asked, Err(HistoryError::Read { .. })), "{asked:?}");
    history.flush().await.unwrap_err();
    assert_eq!(history.statistics().lost, 0);

    fs::remove_dir(&room.path).unwrap();
    history.flush().await.unwrap();
    assert_eq!(history.health(), Ok(()));
    assert_eq!(raw(&history, 1, 0..HOUR).await.len(), 100);
    drop(history);
    assert_eq!(raw(&room.open(), 1, 0..HOUR).await.len(), 100);
}

#[tokio::test]
async fn what_comes_before_a_file_that_is_not_empty_is_added_to_it() {
    let mut room = Room::new();
    let first = room.open();
    first.record([sample(1, 0, 1.0), sample(2, 0, 2.0)]);
    first.flush().await.unwrap();
    room.limits.patience = Duration::ZERO;
    let (second, _) = room.try_open().unwrap();
    assert!(second.health().unwrap_err().contains("locked"), "{:?}", second.health());
    // Series that have other numbers in the file.
    second.record([sample(3, 5, 3.5), sample(2, 5, 2.5)]);
    drop(first);
    // A process that another test has just begun may hold the file for a moment, until it is another program.
    while second.flush().await.is_err() {}
    for _ in 0..2 {
        second.record([sample(1, 9, 1.9)]);
        assert_eq!(raw(&second, 1, 0..HOUR).await, [(0, 1.0), (9, 1.9)]);
        assert_eq!(raw(&second, 2, 0..HOUR).await, [(0, 2.0), (5, 2.5)]);
        assert_eq!(raw(&second, 3, 0..HOUR).await, [(5, 3.5)]);
        second.writer.seal().await.unwrap();
    }
    drop(second);
    room.limits.patience = PATIENCE;
    let history = room.open();
    assert_eq!(raw(&history, 3, 0..HOUR).await, [(5, 3.5)]);
    assert_eq!(history.series(BoardId(0x4000_0001)), [key(1), key(2), key(3)]);
}

#[tokio::test]
async fn a_disk_that_hangs_is_told_while_it_does() {
    let mut room = Room::new();
    room.limits.patience = PATIENCE;
    room.limits.hang = Duration::ZERO;
    let history = room.open();
    history.record([sample(1, 0, 1.0)]);
    history.flush().await.unwrap();
    let other = rusqlite::Connection::open(&room.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    history.record([sample(1, 1, 1.0)]);
    let mut flush = std::pin::pin!(history.flush());
    assert!(flush.as_mut().now_or_never().is_none());
    eventually("the word about the disk", || {
        history.health().is_err_and(|failure| failure.contains("does not answer"))
    })
    .await;
    // Nobody waits for it meanwhile.
    history.record([sample(1, 2, 1.0)]);
    assert_eq!(raw(&history, 1, 0..HOUR).await.len(), 3);
    other.execute_batch("ROLLBACK").unwrap();
    flush.await.unwrap();
    eventually("the end of it", || history.health() == Ok(())).await;
}

#[tokio::test]
async fn a_file_that_could_not_be_set_aside_at_first_costs_no_series() {
    let room = furnished().await;
    let names: Vec<PathBuf> =
        (1..=1_000).map(|number| room.folder.path().join(format!("history.db.set-aside-{number}"))).collect();
    names.iter().for_each(|name| fs::write(name, "").unwrap());
    let history = room.open();
    ruin(&room);
    history.record([sample(3, 300 * HOUR, 1.0), sample(1, 300 * HOUR, 1.0)]);
    // A reader finds the damage, whatever pages the thread that writes knows from before.
    history.query(question(&[1, 2], 0..200 * HOUR, Duration::ZERO)).await.unwrap_err();
    let has_failed = || history.health().is_err_and(|reason| reason.contains("set it aside"));
    eventually("an attempt to set it aside", has_failed).await;
    fs::remove_file(&names[6]).unwrap();
    let written = async { while history.writer.seal().await.is_err() {} };
    timeout(PATIENCE, written).await.unwrap();
    assert!(history.statistics().set_aside.is_some());
    assert!(fs::metadata(&names[6]).unwrap().len() > 0, "it was kept");
    drop(history);
    let history = room.open();
    assert_eq!(raw(&history, 1, 300 * HOUR..301 * HOUR).await, [(300 * HOUR, 1.0)]);
    assert_eq!(raw(&history, 3, 300 * HOUR..301 * HOUR).await, [(300 * HOUR, 1.0)]);
}

#[tokio::test]
async fn damage_that_a_reader_finds_sets_the_file_aside() {
    let room = furnished().await;
    let history = room.open();
    ruin(&room);
    let asked = history.query(question(&[1, 2], 0..200 * HOUR, Duration::ZERO)).await;
    assert!(matches!(asked, Err(HistoryError::Read { .. })), "{asked:?}");
    eventually("setting it aside", || history.statistics().set_aside.is_some()).await;
    history.record([sample(1, 0, 1.0)]);
    history.flush().await.unwrap();
    assert_eq!(raw(&history, 1, 0..200 * HOUR).await, [(0, 1.0)]);
}

#[tokio::test]
async fn damage_is_found_although_nobody_asks() {
    let room = furnished().await;
    let chunk = database::keys(rollup::Resolution::Raw, 50..51).start;
    room.execute(&format!("UPDATE chunk SET record = zeroblob(9) WHERE id = {chunk}"));
    let history = room.open();
    eventually("finding it", || history.statistics().damaged == 1).await;
    drop(history);

    let history = room.open();
    ruin(&room);
    drop(history);
    let (history, set_aside) = room.try_open().unwrap();
    assert_eq!(set_aside, None, "the start is fast: it does not read everything");
    eventually("setting it aside", || history.statistics().set_aside.is_some()).await;
}

#[tokio::test]
async fn those_who_do_not_wait_for_their_answer_hold_one_thread_at_most() {
    let room = Room::new();
    let history = room.open();
    let turns = || history.writer.shared.turn.available_permits();
    {
        // As good as a disk that hangs.
        let _reader = history.writer.shared.reader();
        for _ in 0..20 {
            assert!(
                history.query(question(&[1], 0..HOUR, Duration::ZERO)).now_or_never().is_none(),
                "nobody can be answered now"
            );
        }
        assert_eq!(turns(), 0);
    }
    eventually("the end of the first", || turns() == 1).await;
}

fn table() -> Table {
    Table::new(Limits::default())
}

#[tokio::test(start_paused = true)]
async fn the_chunks_of_a_period_are_made_together_when_it_is_over() {
    let mut table = table();
    let now = tokio::time::Instant::now();
    for device in 0..300 {
        table.record(sample(device, 0, 1.0), now);
        table.record(sample(device, 2 * HOUR, 1.0), now);
    }
    table.close_ended(now);
    assert!(!table.has_closed(), "others may still come");
    table.close_ended(now + Limits::default().grace);
    let sealing = table.begin_sealing(usize::MAX);
    assert_eq!(sealing.len(), 300);
    assert!(sealing.iter().all(|closed| closed.window.period == 0));
}

#[tokio::test(start_paused = true)]
async fn making_chunks_ends_however_fast_samples_come() {
    let mut table = table();
    let now = tokio::time::Instant::now();
    table.record(sample(1, 0, 1.0), now);
    table.close_all();
    let sealing = table.begin_sealing(10);
    for time in 1..1_000 {
        table.record(sample(1, time, 1.0), now);
    }
    assert!(!table.has_closed());
    // The disk fails: both parts are still there, and become chunks one after the other.
    table.unsealed(&sealing);
    assert_eq!(table.windows(0).iter().map(|window| window.count).collect::<Vec<_>>(), [1, 999]);
    table.close_all();
    let first = table.begin_sealing(10);
    assert_eq!(first[0].window.count, 1);
    table.sealed(&first);
    let second = table.begin_sealing(10);
    assert_eq!(second[0].window.count, 999);
    table.sealed(&second);
    assert!(!table.has_closed() && table.windows(0).is_empty());
    assert_eq!(table.statistics().memory, 0);
}

#[tokio::test]
async fn two_parts_of_a_period_in_memory_are_one_to_whoever_asks() {
    let room = Room::new();
    let history = room.open();
    history.record((0..60_u32).map(|minute| sample(1, i64::from(minute) * 60_000, f64::from(minute))));
    history.writer.seal().await.unwrap();
    history.record([sample(1, 1, 70.0)]);
    {
        let mut state = history.writer.shared.lock();
        state.table.close_all();
        assert_eq!(state.table.begin_sealing(10).len(), 1);
    }
    history.record([sample(1, 2, -70.0)]);
    let hours = ask(&history, 1, 0..HOUR, Duration::from_secs(3_600)).await;
    assert_eq!((hours[0].1, hours[0].2, hours[0].4), (-70.0, 70.0, 62));
    assert_eq!(raw(&history, 1, 0..HOUR).await.len(), 62);
}

/// Puts the second chunk before the first one.
fn disorder(room: &Room) {
    let connection = rusqlite::Connection::open(&room.path).unwrap();
    let statement = "SELECT rootpage FROM sqlite_master WHERE name = 'chunk'";
    let page: u64 = connection.query_row(statement, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    connection.close().unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(&room.path).unwrap();
    let (mut header, start) = ([0; 12], (page - 1) * database::PAGE);
    file.read_exact_at(&mut header, start).unwrap();
    assert_eq!(header[0], 13, "a page of rows, with no page below it");
    let [.., a, b, c, d] = header;
    file.write_all_at(&[c, d, a, b], start + 8).unwrap();
}

#[tokio::test]
async fn chunks_that_are_not_in_their_order_are_damage() {
    let room = Room::new();
    let history = room.open();
    history.record([sample(1, 0, 1.0), sample(2, 0, 2.0)]);
    history.writer.seal().await.unwrap();
    drop(history);
    disorder(&room);
    let history = room.open();
    eventually("setting it aside", || history.statistics().set_aside.is_some()).await;
    let set_aside = history.statistics().set_aside.unwrap();
    assert!(set_aside.message.contains("order"), "{set_aside:?}");
}

#[tokio::test]
async fn what_the_log_has_no_room_for_while_chunks_are_made_becomes_chunks_next() {
    let mut room = Room::new();
    room.limits.unlogged = 10;
    room.limits.patience = PATIENCE;
    let history = room.open();
    history.record([sample(1, 0, 0.0)]);
    history.flush().await.unwrap();
    let other = rusqlite::Connection::open(&room.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let too_many = |first: i64| (first..first + 11).map(|time| sample(1, time, 1.0));
    history.record(too_many(1));
    let mut flush = std::pin::pin!(history.flush());
    assert!(flush.as_mut().now_or_never().is_none());
    let is_sealing = || {
        let state = history.writer.shared.lock();
        state.table.windows(0).iter().any(|window| window.is_sealing)
    };
    eventually("making chunks", is_sealing).await;
    history.record(too_many(100));
    other.execute_batch("ROLLBACK").unwrap();
    flush.await.unwrap();
    history.flush().await.unwrap();
    // Of a power cut nothing but the file is left.
    drop(other);
    let cut = Room::new();
    for end in ["", "-wal"] {
        let name = |room: &Room| format!("{}{end}", room.path.display());
        fs::copy(name(&room), name(&cut)).unwrap();
    }
    assert_eq!(raw(&cut.open(), 1, 0..HOUR).await.len(), 1 + 2 * 11);
}
