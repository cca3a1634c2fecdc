//! Other processes: some are killed, some write at the same time, some have a full disk.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

/// What is run as a process of its own, and where it finds its log and what to do.
const WRITER: &str = "audit::tests::process::writer";
const PATH: &str = "OPENDCRE_TEST_AUDIT";
const COUNT: &str = "OPENDCRE_TEST_AUDIT_COUNT";

/// Runs this test as a process that writes so many entries and says so.
fn start_writer(path: &Path, count: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", WRITER, "--ignored", "--nocapture"]);
    command.env(PATH, path).env(COUNT, count.to_string()).stdout(Stdio::piped()).spawn().unwrap()
}

fn acknowledged(writer: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("written ").map(ToOwned::to_owned))
}

#[test]
fn nothing_that_was_acknowledged_is_lost_however_often_the_process_is_killed() {
    let room = Room::new();
    let mut written: Vec<String> = Vec::new();
    for round in 0..100 {
        let mut writer = start_writer(&room.path, u64::MAX);
        let mut lines = acknowledged(&mut writer);
        written.extend(lines.by_ref().take(1 + round % 5));
        writer.kill().unwrap();
        // Whatever was said before the end counts, too.
        written.extend(lines);
        writer.wait().unwrap();
        let verdict = room.verdict();
        assert!(verdict.is_sound(), "{verdict:?}");
    }
    let found: std::collections::HashSet<String> =
        entries(&room.path).iter().filter_map(|(_, entry)| Some(entry["id"].as_str()?.to_owned())).collect();
    let lost: Vec<&String> = written.iter().filter(|id| !found.contains(*id)).collect();
    assert!(lost.is_empty() && written.len() >= 100, "{lost:?}");
}

#[test]
fn processes_that_write_at_the_same_time_make_one_chain() {
    let room = Room::new();
    let mut writers: Vec<Child> = (0..3).map(|_| start_writer(&room.path, 100)).collect();
    for writer in &mut writers {
        assert_eq!(acknowledged(writer).count(), 100);
        assert!(writer.wait().unwrap().success());
    }
    let verdict = room.verdict();
    assert!(verdict.is_sound(), "{verdict:?}");
    assert_eq!(verdict.entries, 301);
}

/// Writes entries until it has written enough, or is killed.
#[tokio::test]
#[ignore = "runs as a process of its own"]
async fn writer() {
    let (Some(path), Ok(count)) = (std::env::var_os(PATH), std::env::var(COUNT)) else { return };
    let log = AuditLog::open(path, Arc::<TestClock>::default()).unwrap();
    for number in 0..count.parse().unwrap() {
        let id = format!("{}-{number}", std::process::id());
        log.append(&AuditEntry { id: id.clone(), ..entry(number) }).await.unwrap();
        println!("written {id}");
    }
}

#[test]
fn a_disk_that_is_full_refuses_entries_until_it_has_room() {
    let room = Room::new();
    let program = std::env::current_exe().unwrap();
    // A limit of the size of files stands for a small disk; the signal that comes with it is left aside.
    let script =
        "trap '' XFSZ; ulimit -S -f 400; exec \"$0\" --exact audit::tests::process::small_disk --ignored";
    let status = Command::new("sh").args(["-c", script]).arg(program).env(PATH, &room.path).status().unwrap();
    assert!(status.success());
    let verdict = room.verdict();
    assert!(verdict.is_sound(), "{verdict:?}");
    let kinds = kinds(&room.path);
    // What is small may have found room in between.
    assert!(kinds.iter().any(|kind| kind == "resumed"), "{kinds:?}");
    assert_eq!(kinds.last().unwrap(), "intent");
}

/// Writes entries until the disk is full, and goes on when it is not any more.
#[tokio::test]
#[ignore = "runs as a process of its own"]
async fn small_disk() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Some(path) = std::env::var_os(PATH) else { return };
    let limits = Limits { pause: Duration::from_millis(1), ..Limits::default() };
    let log = AuditLog::open_with(Path::new(&path), Arc::<TestClock>::default(), limits).unwrap();
    let large = AuditEntry { text: Some("x".repeat(10_000)), ..entry(1) };
    let error = loop {
        if let Err(error) = log.append(&large).await {
            break error;
        }
    };
    assert!(matches!(error, AuditError::Write { .. }), "{error}");
    log.append(&large).await.unwrap_err();

    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    eventually("it is tried again", || log.health().is_ok()).await;
    log.append(&large).await.unwrap();
}
