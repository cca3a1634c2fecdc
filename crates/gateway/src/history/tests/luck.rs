//! Bad luck: full and broken disks, damage, and the sudden end of the process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::*;

/// The test that is run as a process of its own, to be killed, and where it finds its history.
const VICTIM: &str = "history::tests::luck::victim";
const VICTIM_PATH: &str = "OPENDCRE_TEST_HISTORY";

/// How often it is killed.
const DEATHS: u64 = 100;

/// The value of a sample that follows from its time, so that nothing false goes unnoticed.
fn value_at(time: i64) -> f64 {
    f64::from(i32::try_from(time / 1_000 % 613).unwrap()) / 10.0
}

/// A closed history of two sensors over five hours, one in chunks up to the last of them.
async fn furnished() -> Room {
    let room = Room::new();
    let history = room.open();
    for time in (0..5 * HOUR).step_by(10_000) {
        history.record([1, 2].map(|device| sample(device, time, value_at(time))));
        if time == 4 * HOUR {
            history.writer.seal().await.unwrap();
        }
    }
    room
}

/// Whatever is there is what was recorded, in its order.
fn assert_genuine(samples: &[(i64, f64)]) {
    assert!(samples.iter().all(|(time, value)| *value == value_at(*time)));
    assert!(samples.is_sorted_by_key(|(time, _)| *time));
}

#[tokio::test]
async fn only_the_service_may_read_the_files() {
    let room = Room::new();
    let history = room.open();
    history.record([sample(1, 0, 1.0)]);
    history.flush().await.unwrap();
    for file in fs::read_dir(room.folder.path()).unwrap().map(Result::unwrap) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_history_is_set_aside() {
    let room = Room::new();
    fs::write(&room.path, "no database ".repeat(1_000)).unwrap();
    let (history, set_aside) = room.try_open().unwrap();
    let set_aside = set_aside.unwrap();
    assert_eq!(set_aside.code, "history_damaged");
    assert_eq!(fs::read_to_string(&set_aside.path).unwrap(), "no database ".repeat(1_000));
    history.record([sample(1, 0, 1.0)]);
    history.flush().await.unwrap();
    drop(history);
    assert_eq!(raw(&room.open(), 1, 0..HOUR).await, [(0, 1.0)]);
}

#[tokio::test]
async fn damaged_rows_cost_only_themselves() {
    let room = furnished().await;
    let chunk = database::keys(rollup::Resolution::Raw, 0..1).start;
    room.execute(&format!(
        "UPDATE chunk SET record = zeroblob(9) WHERE id = {chunk}; UPDATE log SET checksum = 1"
    ));
    let history = room.open();
    let all = 0..5 * HOUR;
    // Minutes are still there for the time of the chunk that is not.
    let found = raw(&history, 1, all.clone()).await;
    assert_eq!(found.len(), 120 + 2 * 360 + 1);
    assert_eq!(raw(&history, 2, all).await.len(), 4 * 360 + 1);
    assert!(history.statistics().damaged >= 2);
}

#[tokio::test]
async fn a_flipped_bit_never_yields_anything_false() {
    let room = furnished().await;
    let whole = fs::read(&room.path).unwrap();
    for position in (0..whole.len()).step_by(331).chain(0..100) {
        let copy = Room::new();
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&copy.path, flipped).unwrap();
        let (history, _) = copy.try_open().unwrap();
        if let Ok(tracks) = history.query(question(&[1, 2], 0..5 * HOUR, Duration::ZERO)).await {
            for track in tracks {
                let exact = track.points.iter().filter(|point| point.count == 1);
                assert_genuine(
                    &exact.map(|point| (point.time.as_millisecond(), point.avg)).collect::<Vec<_>>(),
                );
            }
        }
        // It goes on, if need be with another file. Damage that SQLite does not notice may hide a chunk, also a new one.
        let newest = (6 * HOUR, 1.0);
        history.record([sample(3, newest.0, newest.1)]);
        let found = history.query(question(&[3], 0..7 * HOUR, Duration::ZERO)).await;
        assert!(found.is_err() || found.is_ok_and(|tracks| tracks[0].points.len() == 1));
        let _ = history.writer.seal().await;
        history.writer.seal().await.unwrap();
        // While a file makes way for another, there is none to ask.
        let asked = async {
            loop {
                if let Ok(tracks) = history.query(question(&[3], 0..7 * HOUR, Duration::ZERO)).await {
                    break tracks;
                }
            }
        };
        let points = timeout(PATIENCE, asked).await.unwrap().remove(0).points;
        let found: Vec<_> = points.iter().map(|point| (point.time.as_millisecond(), point.avg)).collect();
        assert!(found.is_empty() || found == [newest], "{found:?}");
    }
}

#[tokio::test]
async fn a_file_that_breaks_while_it_is_used_makes_way_for_another() {
    let mut room = furnished().await;
    room.limits.retry = Duration::from_millis(1);
    let history = room.open();
    let length = fs::metadata(&room.path).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&room.path).unwrap();
    for page in 1..length / database::PAGE {
        std::os::unix::fs::FileExt::write_all_at(&file, &[0x5a; 4096], page * database::PAGE).unwrap();
    }
    // Closing it would give up the locks of the database.
    std::mem::forget(file);
    history.record([sample(3, 6 * HOUR, 1.0)]);
    // Who notices is who reads it first: this, or the thread by itself, unless it still knows what it needs.
    if let Err(failure) = history.query(question(&[1, 2], 0..5 * HOUR, Duration::ZERO)).await {
        assert!(failure.to_string().contains("history.db"), "{failure}");
    }
    eventually("setting it aside", || history.statistics().set_aside.is_some()).await;
    history.writer.seal().await.unwrap();
    eventually("the end of it", || history.health() == Ok(())).await;
    assert_eq!(history.statistics().set_aside.unwrap().code, "history_damaged");
    drop(history);
    let history = room.open();
    assert_eq!(raw(&history, 3, 0..7 * HOUR).await, [(6 * HOUR, 1.0)]);
    // What was in memory is still known, too.
    assert_eq!(raw(&history, 1, 4 * HOUR + 1..5 * HOUR).await.len(), 359);
}

#[tokio::test]
async fn a_power_cut_costs_only_what_came_last() {
    let mut room = Room::new();
    // Nothing is written but what is asked for, so that the file and its log belong together.
    room.settings.commit = Duration::from_secs(24 * 3_600);
    let history = room.open();
    // How long the log of writes was after each commit.
    let mut written = Vec::new();
    let wal = room.folder.path().join("history.db-wal");
    for commit in 0..20 {
        let times = (commit * 50..(commit + 1) * 50).map(|step| step * 20_000);
        history.record(times.map(|time| sample(1, time, value_at(time))));
        history.flush().await.unwrap();
        written.push(fs::metadata(&wal).unwrap().len());
        if commit % 6 == 5 {
            history.writer.seal().await.unwrap();
        }
    }
    // What a power cut would leave, with any part of the log of writes.
    let log = fs::read(wal).unwrap();
    for length in (0..=log.len()).rev().step_by(2_999) {
        let copy = Room::new();
        fs::copy(&room.path, &copy.path).unwrap();
        fs::write(copy.folder.path().join("history.db-wal"), &log[..length]).unwrap();
        let history = copy.open();
        let found = raw(&history, 1, 0..10 * HOUR).await;
        assert_genuine(&found);
        let committed = written.iter().filter(|end| **end <= length as u64).count();
        // What became chunks before it was committed may be there as well.
        assert!(found.len() >= committed * 50, "{} {committed}", found.len());
        let times: Vec<i64> = found.iter().map(|(time, _)| time / 20_000).collect();
        assert_eq!(times, (0..found.len() as i64).collect::<Vec<_>>());
        let hours = ask(&history, 1, 0..10 * HOUR, Duration::from_secs(3_600)).await;
        assert_eq!(hours.iter().map(|hour| hour.4).sum::<u32>() as usize, found.len());
    }
}

#[tokio::test]
async fn a_full_disk_costs_the_oldest_and_nothing_else_stops() {
    let mut room = Room::new();
    room.settings.size = 64 * database::PAGE;
    let history = room.open();
    let noise = |time: i64| (time as f64).sin();
    for time in (0..400 * HOUR).step_by(60_000) {
        history.record([sample(1, time, noise(time))]);
        if time % (2 * HOUR) == 0 {
            // It may fail, until something is forgotten.
            let _ = history.writer.seal().await;
        }
    }
    while history.writer.seal().await.is_err() {}
    let points = ask(&history, 1, 0..400 * HOUR, Duration::ZERO).await;
    assert!(points.last().unwrap().0 == 400 * HOUR - 60_000 && points.len() > 1_000, "{}", points.len());
    assert!(points.iter().filter(|point| point.4 == 1).all(|point| point.3 == noise(point.0)));
    assert_eq!(history.statistics().lost, 0);
    drop(history);
    assert!(fs::metadata(&room.path).unwrap().len() <= room.settings.size);
}

#[tokio::test]
async fn without_a_disk_memory_is_bounded_and_what_is_lost_is_counted() {
    let mut room = Room::new();
    room.settings.size = 5 * database::PAGE;
    room.limits.memory = 20_000;
    room.limits.most_memory = 40_000;
    room.limits.unlogged = 500;
    let history = room.open();
    let all: i64 = 50_000;
    for time in 0..all {
        history.record([sample(1, time * 60_000, (time as f64).sin())]);
    }
    history.flush().await.unwrap_err();
    assert!(history.health().unwrap_err().contains("full"), "{:?}", history.health());
    let statistics = history.statistics();
    assert!(statistics.memory <= 40_000 && statistics.lost > 0, "{statistics:?}");
    let kept = raw(&history, 1, 0..all * 60_000).await;
    // Of the rest, a little may have fitted onto the disk and have been forgotten there again.
    assert!(kept.len() > 1_000, "{} {statistics:?}", kept.len());
    assert!(kept.len() as u64 + statistics.lost <= statistics.recorded, "{} {statistics:?}", kept.len());
    assert_eq!(kept.last().unwrap().0, (all - 1) * 60_000);
}

#[test]
fn samples_survive_the_sudden_end_of_the_process() {
    let room = Room::new();
    for death in 0..DEATHS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", VICTIM, "--ignored", "--nocapture"])
            .env(VICTIM_PATH, &room.path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
        let number = |line: String| line.split_once("flushed ")?.1.parse::<i64>().ok();
        // At a moment that differs each time: while the next samples are written.
        let flushed = lines.filter_map(number).nth((death * 7 % 23) as usize).unwrap();
        victim.kill().unwrap();
        victim.wait().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let history = room.open();
            let found = raw(&history, 1, 0..i64::MAX / 1_000_000).await;
            assert_genuine(&found);
            let expected: Vec<i64> = (0..=flushed).collect();
            let times: Vec<i64> = found.iter().map(|(time, _)| *time / STRIDE).collect();
            assert!(times.starts_with(&expected), "death {death}, flushed {flushed}: {:?}", times.last());
            let hours = ask(&history, 1, 0..i64::MAX / 1_000_000, Duration::from_secs(3_600)).await;
            assert_eq!(hours.iter().map(|hour| hour.4).sum::<u32>() as usize, found.len());
        });
    }
}

/// The time between two samples of the victim, in milliseconds.
const STRIDE: i64 = 300_000;

/// Records where the last one has ended until it is killed.
#[tokio::test]
#[ignore = "runs as a process of its own"]
async fn victim() {
    let Some(path) = std::env::var_os(VICTIM_PATH) else { return };
    let clock = Arc::new(StillClock(Timestamp::UNIX_EPOCH));
    let (history, set_aside) = History::open(path, HistorySettings::default(), clock).unwrap();
    assert_eq!(set_aside, None);
    let recorded = raw(&history, 1, 0..i64::MAX / 1_000_000).await;
    let first = recorded.last().map_or(0, |(time, _)| time / STRIDE + 1);
    for number in first.. {
        let time = number * STRIDE;
        history.record([1, 2, 3].map(|device| sample(device, time, value_at(time))));
        if number % 7 == 0 {
            history.flush().await.unwrap();
            println!("flushed {number}");
        }
    }
}
