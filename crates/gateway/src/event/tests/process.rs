//! Other processes: some are killed, some have a full disk.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// What is run as a process of its own, and where it finds its log.
const VICTIM: &str = "event::tests::process::victim";
const PATH: &str = "OPENDCRE_TEST_EVENTS";

#[tokio::test]
async fn no_event_that_was_shown_is_lost_however_often_the_process_is_killed() {
    let room = Room::new();
    let mut shown: Vec<(u64, String)> = Vec::new();
    for round in 0..100_u64 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", VICTIM, "--ignored", "--nocapture"])
            .env(PATH, &room.path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut lines = lines.filter_map(|line| {
            let (sequence, message) = line.strip_prefix("shown ")?.split_once(' ')?;
            Some((sequence.parse().ok()?, message.to_owned()))
        });
        // A moment that no two runs have in common.
        shown.extend(lines.by_ref().take(1 + usize::try_from(round * 37 % 101).unwrap()));
        victim.kill().unwrap();
        // Whatever was said before the end counts, too.
        shown.extend(lines);
        victim.wait().unwrap();
        drop(room.open());
    }
    let log = room.open();
    let kept: Vec<(u64, String)> =
        read_all(&log).await.iter().map(|event| (event.sequence, event.message.clone())).collect();
    let known: std::collections::HashSet<&(u64, String)> = kept.iter().collect();
    let lost: Vec<_> = shown.iter().filter(|event| !known.contains(event)).collect();
    assert!(lost.is_empty() && shown.len() > 1_000, "{} of {}: {lost:?}", lost.len(), shown.len());
    assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
}

/// Publishes events and says which ones it was shown, until it is killed.
#[tokio::test]
#[ignore = "runs as a process of its own"]
async fn victim() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let limits = Limits { pause: Duration::from_millis(1), ..Limits::default() };
    let (log, _) =
        EventLog::open_with(Path::new(&path), EventSettings::default(), Arc::<TestClock>::default(), limits)
            .unwrap();
    let mut cursor = log.statistics().latest;
    for number in 0.. {
        publish(&log, number * 3..number * 3 + 3);
        log.wait(cursor).await;
        let (events, _, next) = read_from(&log, cursor).await;
        for event in events {
            println!("shown {} {}", event.sequence, event.message);
        }
        cursor = next;
    }
}

#[test]
fn a_disk_that_is_full_is_told_and_gets_the_events_when_it_has_room() {
    let room = Room::new();
    let program = std::env::current_exe().unwrap();
    // A limit of the size of files stands for a small disk; the signal that comes with it is left aside.
    let script = "trap '' XFSZ; ulimit -S -f 400; exec \"$0\" --exact event::tests::process::small_disk --ignored --nocapture";
    let output = Command::new("sh").args(["-c", script]).arg(program).env(PATH, &room.path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = room.open();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let events = runtime.block_on(read_all(&log));
    assert!(numbers(&events).is_sorted());
    assert_eq!(losses(&events), ["only_in_memory", "on_disk_again"]);
    assert_eq!(numbers(&events).last(), Some(&1_000_000));
    let count = events.iter().filter(|event| event.detail.contains_key("text")).count();
    assert_eq!(
        u64::try_from(count).unwrap(),
        *numbers(&events).iter().rev().nth(1).unwrap() + 1,
        "none is missing"
    );
}

/// Publishes events until the disk is full, and goes on when it is not any more.
#[tokio::test]
#[ignore = "runs as a process of its own"]
async fn small_disk() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Some(path) = std::env::var_os(PATH) else { return };
    let limits = Limits { retry: Duration::from_millis(1), ..Limits::default() };
    let (log, _) =
        EventLog::open_with(Path::new(&path), EventSettings::default(), Arc::<TestClock>::default(), limits)
            .unwrap();
    for number in 0.. {
        log.publish(event(number).with("text", "x".repeat(400)));
        if number % 50 == 49 && log.flush().await.is_err() {
            break;
        }
    }
    assert!(log.health().is_err());
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    eventually("it is tried again", || log.health().is_ok()).await;
    publish(&log, [1_000_000]);
    log.flush().await.unwrap();
}
