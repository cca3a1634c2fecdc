//! Audit logs that live through restarts, damage, full disks, other processes and clocks that are set.

mod process;
mod reading;
mod tampering;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use opendcre_model::Login;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::testing::TestClock;

/// A folder with the path of an audit log in it.
struct Room {
    folder: TempDir,
    path: PathBuf,
    clock: Arc<TestClock>,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        Self { folder, path, clock: Arc::default() }
    }

    /// A room with a closed log of so many entries, the one that begins it included.
    async fn with_entries(count: u64) -> Self {
        let room = Self::new();
        let log = room.open();
        for number in 2..=count {
            log.append(&entry(number)).await.unwrap();
        }
        room
    }

    fn open(&self) -> AuditLog {
        self.open_with(Limits::default())
    }

    fn open_with(&self, limits: Limits) -> AuditLog {
        AuditLog::open_with(&self.path, Arc::<TestClock>::clone(&self.clock), limits).unwrap()
    }

    /// A log that is not patient.
    fn open_hurried(&self) -> AuditLog {
        let database = database::Limits { patience: Duration::ZERO, ..database::Limits::default() };
        self.open_with(Limits { database, pause: Duration::from_millis(1), ..Limits::default() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn verdict(&self) -> AuditVerdict {
        AuditFile::new(&self.path).verify(&[]).unwrap()
    }

    fn head(&self) -> AuditHead {
        self.verdict().head.unwrap()
    }

    fn connection(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(&self.path).unwrap()
    }
}

/// Something that happens to a closed log.
type Damage = fn(&Room);

/// All entries, from the first on, with their kinds.
fn entries(path: &Path) -> Vec<(u64, Value)> {
    let query = AuditQuery { limit: usize::MAX, ..AuditQuery::default() };
    let page = AuditFile::new(path).page(&query).unwrap();
    page.entries.iter().map(|entry| (entry.sequence, serde_json::from_str(&entry.text).unwrap())).collect()
}

fn kinds(path: &Path) -> Vec<String> {
    entries(path).into_iter().map(|(_, entry)| entry["kind"].as_str().unwrap().to_owned()).collect()
}

fn entry(number: u64) -> AuditEntry {
    AuditEntry {
        id: format!("id-{number}"),
        ..AuditEntry::new(AuditKind::Intent, TestClock::default().now()).saying(format!("entry {number}"))
    }
}

fn refused(name: &str, time: Timestamp) -> AuditEntry {
    let who = AuditWho { name: name.to_owned(), login: Some(Login::Ldap), provider: "corp".to_owned() };
    AuditEntry {
        who: Some(who),
        remote: "192.0.2.7:1".to_owned(),
        ..AuditEntry::new(AuditKind::LoginRefused, time)
    }
}

/// Waits for the thread that writes, which looks after the log every millisecond.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("did not happen: {what}");
}

#[tokio::test]
async fn entries_follow_entries_across_restarts() {
    let room = Room::with_entries(3).await;
    let log = room.open();
    log.append(&entry(4)).await.unwrap();
    assert_eq!(log.health(), Ok(()));
    let numbers: Vec<u64> = entries(&room.path).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(kinds(&room.path), ["created", "intent", "intent", "intent"]);
    let verdict = room.verdict();
    assert!(verdict.is_sound(), "{verdict:?}");
    assert_eq!((verdict.entries, verdict.head.unwrap().sequence), (4, 4));
}

#[tokio::test]
async fn only_the_service_and_its_group_may_read_the_file() {
    let room = Room::new();
    let log = room.open();
    log.append(&entry(2)).await.unwrap();
    for file in ["audit.db", "audit.db-wal"] {
        assert_eq!(fs::metadata(room.file(file)).unwrap().permissions().mode() & 0o137, 0, "{file}");
    }
}

#[tokio::test]
async fn that_of_a_user_is_for_this_user_alone() {
    let room = Room::new();
    let log = AuditLog::open_private(&room.path, Arc::<TestClock>::clone(&room.clock)).unwrap();
    log.append(&entry(2)).await.unwrap();
    assert_eq!(fs::metadata(&room.path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(log);
    assert_eq!(fs::read_dir(room.folder.path()).unwrap().count(), 1, "nothing is left of how it was begun");
}

#[tokio::test]
async fn a_clock_that_goes_backwards_changes_no_order() {
    let room = Room::new();
    let log = room.open();
    for step in [0, -1_000_000, 5] {
        room.clock.advance(SignedDuration::from_secs(step));
        log.append(&AuditEntry::new(AuditKind::Started, room.clock.now())).await.unwrap();
    }
    let found = entries(&room.path);
    let numbers: Vec<u64> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(found[2].1["time"].as_str() < found[1].1["time"].as_str());
    assert!(room.verdict().is_sound());
}

#[tokio::test]
async fn a_thousand_entries_that_wait_are_few_commits() {
    let room = Room::new();
    let log = room.open();
    log.append(&entry(2)).await.unwrap();
    let before = commits(&room);
    let lock = room.connection();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let many: Vec<AuditEntry> = (0..1_000).map(entry).collect();
    let appends = join_all(many.iter().map(|entry| log.append(entry)));
    let release = async {
        // The appends were all asked for once when this is.
        tokio::task::yield_now().await;
        lock.execute_batch("ROLLBACK").unwrap();
    };
    let (written, ()) = tokio::join!(appends, release);
    assert!(written.iter().all(Result::is_ok));
    assert!((1..=2).contains(&(commits(&room) - before)), "{}", commits(&room) - before);
    assert_eq!(room.verdict().entries, 1_002);
}

/// How many commits the log of writes holds: its frames that say how large the file is then
/// (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).
fn commits(room: &Room) -> usize {
    let log = fs::read(room.file("audit.db-wal")).unwrap();
    let frames = log[32..].chunks_exact(24 + 4096);
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let room = Room::new();
    let log = room.open_with(Limits { waiting: 2, ..Limits::default() });
    let lock = room.connection();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let many: Vec<AuditEntry> = (0..6).map(entry).collect();
    let appends = join_all(many.iter().map(|entry| log.append(entry)));
    let release = async {
        tokio::task::yield_now().await;
        lock.execute_batch("ROLLBACK").unwrap();
    };
    let (written, ()) = tokio::join!(appends, release);
    let (done, refused): (Vec<_>, Vec<_>) = written.into_iter().partition(Result::is_ok);
    // The thread may have taken some before the others came.
    assert!((2..=4).contains(&done.len()), "{done:?}");
    assert!(refused.iter().all(|refusal| *refusal == Err(AuditError::Overloaded)), "{refused:?}");
}

#[tokio::test]
async fn what_cannot_be_written_for_a_while_is_refused_and_that_is_recorded_later() {
    let room = Room::new();
    let log = room.open_hurried();
    let lock = room.connection();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = log.append(&entry(2)).await.unwrap_err();
    assert!(matches!(error, AuditError::Write { .. }), "{error}");
    assert_eq!(log.health(), Err(error));
    lock.execute_batch("ROLLBACK").unwrap();
    eventually("it is tried again", || log.health().is_ok()).await;
    log.append(&entry(3)).await.unwrap();
    assert_eq!(kinds(&room.path), ["created", "resumed", "intent"]);
    let resumed = entries(&room.path)[1].1["message"].as_str().unwrap().to_owned();
    assert!(
        resumed.starts_with("nothing could be recorded since 2026-12-01T10:00:00Z: cannot write"),
        "{resumed}"
    );
    assert!(room.verdict().is_sound());
}

#[test]
fn a_full_disk_refuses_entries_until_it_has_room() {
    let room = Room::new();
    let limits = database::Limits { pages: Some(20), ..database::Limits::default() };
    let text = format!("{:?}", "x".repeat(2_000));
    let mut database = database::Database::open(&room.path, limits, "{}").unwrap();
    let error = (0..100).find_map(|_| database.append(&[&text]).err()).unwrap();
    assert!(matches!(&error, AuditError::Write { reason, .. } if reason.contains("full")), "{error}");
    let full = database.head();
    assert_eq!(database.append(&[&text]).unwrap_err(), error);
    drop(database);
    assert_eq!(room.head(), full);
    let mut database = database::Database::open(&room.path, database::Limits::default(), "{}").unwrap();
    assert_eq!(database.append(&[&text]).unwrap().sequence, full.sequence + 1);
    drop(database);
    assert!(room.verdict().is_sound());
}

#[tokio::test]
async fn a_file_that_is_no_log_stays_as_it_is_until_somebody_moves_it_away() {
    let damages: [(&str, Damage); 5] = [
        ("its tables are not those", |room| fs::write(&room.path, "").unwrap()),
        ("not a database", |room| fs::write(&room.path, "not a database ".repeat(1_000)).unwrap()),
        ("\"cookie\" was added", |room| {
            room.connection().execute_batch("CREATE TABLE cookie (name TEXT)").unwrap();
        }),
        ("newer release", |room| room.connection().execute_batch("PRAGMA user_version = 99").unwrap()),
        ("not its last any more", |room| {
            room.connection().execute_batch("DROP TRIGGER entry_insert; DROP TRIGGER entry_delete").unwrap();
            let connection = room.connection();
            connection.execute_batch("DELETE FROM entry WHERE sequence = 3").unwrap();
            tampering::restore_triggers(&connection);
        }),
    ];
    for (reason, damage) in damages {
        let room = Room::with_entries(3).await;
        damage(&room);
        let before = fs::read(&room.path).unwrap();
        let log = room.open_hurried();
        let error = log.append(&entry(4)).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains("move"), "{error}");
        assert_eq!(log.health(), Err(error));
        assert_eq!(fs::read(&room.path).unwrap(), before, "{reason}");

        fs::rename(&room.path, room.file("broken.db")).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(room.file(&format!("audit.db{suffix}")));
        }
        eventually("a new one is begun", || log.health().is_ok()).await;
        log.append(&entry(5)).await.unwrap();
        assert_eq!(kinds(&room.path), ["created", "resumed", "intent"]);
        assert!(room.verdict().is_sound());
    }
}

#[tokio::test]
async fn a_file_that_must_not_be_written_is_read_and_tried_again() {
    let room = Room::with_entries(3).await;
    let mode = |mode| fs::set_permissions(&room.path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o440);
    // The bytes that say who may write it, in case that permissions do not count for this user.
    let allow = |version: u8| {
        mode(0o640);
        let mut bytes = fs::read(&room.path).unwrap();
        bytes[18] = version;
        fs::write(&room.path, bytes).unwrap();
    };
    if rustix::process::geteuid().is_root() {
        allow(3);
    }
    let log = room.open_hurried();
    let error = log.append(&entry(4)).await.unwrap_err();
    assert!(matches!(error, AuditError::Open { .. }), "{error}");
    assert_eq!(entries(&room.path).len(), 3);
    allow(2);
    eventually("it is tried again", || log.health().is_ok()).await;
    assert_eq!(kinds(&room.path), ["created", "intent", "intent", "resumed"]);
}

#[tokio::test]
async fn a_missing_directory_is_waited_for() {
    let room = Room::new();
    let path = room.file("missing").join("audit.db");
    let limits = Limits { pause: Duration::from_millis(1), ..Limits::default() };
    let log = AuditLog::open_with(&path, Arc::<TestClock>::clone(&room.clock), limits).unwrap();
    let error = log.append(&entry(1)).await.unwrap_err();
    assert!(
        error.to_string().contains("missing/audit.db") && error.to_string().contains("make it"),
        "{error}"
    );
    fs::create_dir(path.parent().unwrap()).unwrap();
    eventually("it is tried again", || log.health().is_ok()).await;
    assert_eq!(kinds(&path), ["created", "resumed"]);
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_complete_and_the_next_one_says_how_it_ended() {
    let room = Room::new();
    let log = room.open();
    log.append(&entry(2)).await.unwrap();
    let old = room.file("old.db");
    fs::rename(&room.path, &old).unwrap();
    log.append(&entry(3)).await.unwrap();
    let verdict = AuditFile::new(&old).verify(&[]).unwrap();
    assert!(verdict.is_sound() && verdict.entries == 2, "{verdict:?}");
    let found = entries(&room.path);
    let head = verdict.head.unwrap();
    assert_eq!(found[0].1["message"], format!("the one before ended with entry {head}"));
    assert_eq!(found.len(), 2);
    fs::remove_file(&room.path).unwrap();
    log.append(&entry(4)).await.unwrap();
    assert_eq!(kinds(&room.path), ["created", "intent"]);
}

#[tokio::test]
async fn another_log_in_its_place_is_not_continued() {
    let (room, other) = (Room::new(), Room::with_entries(5).await);
    let log = room.open_hurried();
    log.append(&entry(7)).await.unwrap();
    fs::rename(&other.path, &room.path).unwrap();
    let error = log.append(&entry(3)).await.unwrap_err();
    assert!(matches!(error, AuditError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("was written before, and is not in it"), "{error}");
    assert_eq!(entries(&room.path).len(), 5);
}

#[tokio::test]
async fn what_is_cut_off_or_rewritten_while_it_runs_is_noticed_before_the_next_entry() {
    for tampering in
        ["DELETE FROM entry WHERE sequence = 3", "UPDATE entry SET hash = zeroblob(32) WHERE sequence = 3"]
    {
        let room = Room::new();
        let log = room.open();
        log.append(&entry(2)).await.unwrap();
        log.append(&entry(3)).await.unwrap();
        tampering::tamper(&room.connection(), tampering);
        let error = log.append(&entry(4)).await.unwrap_err();
        assert!(matches!(error, AuditError::Damaged { .. }), "{error}");
        // It is not forgotten when it is opened again.
        assert!(log.append(&entry(4)).await.is_err());
    }
}

#[tokio::test]
async fn refusals_are_counted_and_written_when_their_minute_is_over() {
    let room = Room::new();
    let log = room.open_hurried();
    for second in 0..60 {
        log.note_refused(refused("eve", room.clock.now() + SignedDuration::from_secs(second)));
    }
    log.append(&entry(2)).await.unwrap();
    assert_eq!(kinds(&room.path), ["created", "intent"]);
    room.clock.advance(SignedDuration::from_mins(1));
    eventually("they are written", || kinds(&room.path).len() == 3).await;
    let found = entries(&room.path)[2].1.clone();
    assert_eq!(
        (&found["kind"], &found["count"], &found["who"]["name"]),
        (&"login_refused".into(), &60.into(), &"eve".into())
    );

    // The end of the service does not wait for the minute.
    log.note_refused(refused("mallory", room.clock.now()));
    drop(log);
    assert_eq!(entries(&room.path)[3].1["who"]["name"], "mallory");
    assert!(room.verdict().is_sound());
}

#[tokio::test]
async fn refusals_outlast_a_log_that_cannot_be_written() {
    let room = Room::new();
    let log = room.open_hurried();
    let lock = room.connection();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    log.append(&entry(2)).await.unwrap_err();
    for _ in 0..10_000 {
        log.note_refused(refused("eve", room.clock.now()));
    }
    room.clock.advance(SignedDuration::from_mins(2));
    lock.execute_batch("ROLLBACK").unwrap();
    eventually("they are written", || kinds(&room.path).len() == 3).await;
    assert_eq!(entries(&room.path)[2].1["count"], 10_000);
}

#[tokio::test]
async fn what_people_are_refused_is_written_however_many_strangers_there_are() {
    let room = Room::new();
    let log = room.open_hurried();
    for number in 0..1_000 {
        log.note_refused(refused(&format!("invented {number}"), room.clock.now()));
    }
    for board in ["db-01", "db-01", "db-02"] {
        log.note_refused(AuditEntry {
            kind: AuditKind::Refused,
            parameters: board.to_owned(),
            ..refused("ada", room.clock.now())
        });
    }
    room.clock.advance(SignedDuration::from_mins(1));
    let number = 1 + 16 + 1 + 2;
    eventually("they are written", || kinds(&room.path).len() == number).await;
    let found = entries(&room.path);
    let count = |kind: &str, parameters: Option<&str>| {
        let entry = found
            .iter()
            .find(|(_, entry)| entry["kind"] == kind && entry["parameters"].as_str() == parameters);
        entry.unwrap().1["count"].clone()
    };
    assert_eq!(count("refused", Some("db-01")), 2);
    assert_eq!(count("refused", Some("db-02")), 1);
    assert_eq!(count("more_refused", None), 1_000 - 16);
}
