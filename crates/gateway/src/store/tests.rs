//! Databases that live through restarts, damage, full disks and the sudden end of the process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use opendcre_model::{LogCursor, Login};
use tempfile::TempDir;

use super::*;
use crate::ChangeKind;
use crate::job::{JobKind, JobRecord, JobState};
use crate::testing;

/// The test that is run as a process of its own, to be killed, and where it finds its database.
const VICTIM: &str = "store::tests::victim";
const VICTIM_PATH: &str = "OPENDCRE_TEST_STORE";

pub(super) fn board(id: u32) -> BoardRecord {
    BoardRecord {
        firmware: Some("1.3".to_owned()),
        hostnames: vec![format!("host-{id}")],
        labels: BTreeMap::from([("role".to_owned(), "db".to_owned())]),
        ..testing::board(id, &format!("board-{id}"))
    }
}

fn change(sequence: u64) -> InventoryChange {
    InventoryChange {
        sequence,
        time: Timestamp::UNIX_EPOCH,
        kind: ChangeKind::Appeared,
        board: BoardId(1),
        name: "board-1".to_owned(),
        rack: "rack_1".to_owned(),
        detail: "it appeared".to_owned(),
    }
}

/// A job whose request has so many bytes.
fn job(id: u64, size: usize) -> StoredJob {
    let record = JobRecord {
        id: JobId(id),
        kind: JobKind::Power,
        request: "x".repeat(size).into(),
        principal: "anonymous".to_owned(),
        login: Login::Anonymous,
        provider: String::new(),
        state: JobState::Running,
        created: Timestamp::UNIX_EPOCH,
        finished: None,
        results: Vec::new(),
        condensed: None,
    };
    StoredJob { record, key: None }
}

/// A folder with the path of a database in it.
struct Room {
    folder: TempDir,
    path: PathBuf,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory.db");
        Self { folder, path }
    }

    /// A room with a closed database of three boards, two changes and a job.
    async fn furnished() -> Self {
        let room = Self::new();
        let (store, _, _) = Store::open(&room.path).unwrap();
        store.save_boards((1..=3).map(|id| Arc::new(board(id))));
        store.append_changes(vec![change(1), change(2)]);
        store.save_log_mark(LogMark { board: BoardId(1), cursor: LogCursor::default() });
        store.save_job(job(7, 10)).await.unwrap();
        room
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens a database that must be in order.
    fn open(&self) -> (Store, Stored) {
        let (store, stored, set_aside) = Store::open(&self.path).unwrap();
        assert_eq!(set_aside, None);
        (store, stored)
    }

    /// Writes to a closed database.
    fn execute(&self, statement: &str) {
        rusqlite::Connection::open(&self.path).unwrap().execute_batch(statement).unwrap();
    }
}

fn ids(stored: &Stored) -> Vec<u32> {
    stored.boards.iter().map(|board| board.id.0).collect()
}

fn sequences(stored: &Stored) -> Vec<u64> {
    stored.changes.iter().map(|change| change.sequence).collect()
}

fn jobs(stored: &Stored) -> Vec<u64> {
    stored.jobs.iter().map(|job| job.record.id.0).collect()
}

/// Whatever is there is what was furnished, and nothing else.
fn assert_genuine(stored: &Stored) {
    assert!(stored.boards.iter().all(|found| *found == board(found.id.0)));
    assert!(stored.changes.iter().all(|found| *found == change(found.sequence)));
    assert!(stored.jobs.iter().all(|found| *found == job(7, 10)));
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let room = Room::furnished().await;
    let (store, stored) = room.open();
    assert_eq!(stored.boards, [board(1), board(2), board(3)]);
    assert_eq!(stored.changes, [change(1), change(2)]);
    assert_eq!(stored.jobs, [job(7, 10)]);

    store.remove_boards([BoardId(2), BoardId(99)]);
    store.remove_jobs([JobId(7)]);
    store.append_changes(vec![change(3)]);
    store.flush().await.unwrap();
    assert_eq!(store.health(), Ok(()));
    drop(store);
    let (_, stored) = room.open();
    assert_eq!((ids(&stored), sequences(&stored), jobs(&stored)), (vec![1, 3], vec![1, 2, 3], vec![]));
}

#[tokio::test]
async fn only_the_service_may_read_the_file_and_its_log() {
    let room = Room::new();
    let (store, _) = room.open();
    store.save_job(job(1, 1)).await.unwrap();
    for file in ["inventory.db", "inventory.db-wal"] {
        assert_eq!(fs::metadata(room.file(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn only_the_newest_record_of_each_board_waits_for_the_disk() {
    let room = Room::new();
    let limits = Limits { pause: Duration::from_secs(3_600), ..Limits::default() };
    let (store, _, _) = Store::open_with(&room.path, limits).unwrap();
    for round in 0..3 {
        let renamed = |id| Arc::new(BoardRecord { name: format!("round {round}"), ..board(id) });
        store.save_boards((0..10_000).map(renamed));
    }
    store.writer.add(|pending| assert_eq!(pending.boards.len(), 10_000));
    store.flush().await.unwrap();
    drop(store);
    let (_, stored) = room.open();
    assert_eq!(stored.boards.len(), 10_000);
    assert!(stored.boards.iter().all(|board| board.name == "round 2"));
}

#[tokio::test]
async fn only_the_newest_changes_are_kept() {
    let room = Room::new();
    let limits = Limits { changes: 5, ..Limits::default() };
    let (store, _, _) = Store::open_with(&room.path, limits).unwrap();
    store.append_changes((1..=4).map(change).collect());
    store.flush().await.unwrap();
    store.append_changes((5..=8).map(change).collect());
    store.flush().await.unwrap();
    drop(store);
    assert_eq!(sequences(&room.open().1), [4, 5, 6, 7, 8]);

    let (store, _, _) = Store::open_with(&room.path, limits).unwrap();
    store.append_changes((9..=90).map(change).collect());
    store.writer.add(|pending| assert!(pending.changes().len() <= 5));
    drop(store);
    assert_eq!(sequences(&room.open().1), [86, 87, 88, 89, 90]);
}

#[tokio::test]
async fn a_damaged_row_costs_that_row_until_it_is_written_again() {
    let room = Room::furnished().await;
    room.execute(
        "UPDATE board SET record = replace(record, 'board-1', 'board-9') WHERE id = 1;
         UPDATE board SET record = x'00ff' WHERE id = 2;
         UPDATE change SET checksum = NULL WHERE id = 1;
         UPDATE job SET record = NULL;",
    );
    let (store, stored) = room.open();
    assert_eq!((ids(&stored), sequences(&stored), jobs(&stored)), (vec![3], vec![2], vec![]));
    store.save_boards([Arc::new(board(1))]);
    drop(store);
    assert_eq!(ids(&room.open().1), [1, 3]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside_and_another_one_begun() {
    let room = Room::new();
    for number in 1..=2 {
        fs::write(&room.path, "not a database ".repeat(1_000)).unwrap();
        let (store, stored, set_aside) = Store::open(&room.path).unwrap();
        let set_aside = set_aside.unwrap();
        assert_eq!(set_aside.code, "store_damaged");
        assert_eq!(set_aside.path, room.file(&format!("inventory.db.set-aside-{number}")));
        assert!(set_aside.message.contains("set-aside"), "{}", set_aside.message);
        assert_eq!(fs::read_to_string(&set_aside.path).unwrap(), "not a database ".repeat(1_000));
        assert!(stored.boards.is_empty());
        store.save_boards([Arc::new(board(5))]);
        drop(store);
        assert_eq!(ids(&room.open().1), [5]);
    }
}

#[tokio::test]
async fn a_database_with_other_tables_is_set_aside() {
    for statement in ["DROP TABLE change", "CREATE TABLE cookie (name TEXT)", "PRAGMA user_version = 0"] {
        let room = Room::furnished().await;
        room.execute(statement);
        let (_, _, set_aside) = Store::open(&room.path).unwrap();
        assert_eq!(set_aside.unwrap().code, "store_damaged");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_set_aside_as_it_is() {
    let room = Room::furnished().await;
    room.execute("PRAGMA user_version = 99");
    let before = fs::read(&room.path).unwrap();
    let (_store, stored, set_aside) = Store::open(&room.path).unwrap();
    let set_aside = set_aside.unwrap();
    assert_eq!(set_aside.code, "store_too_new");
    assert!(set_aside.message.contains("version 99"), "{}", set_aside.message);
    assert_eq!(fs::read(&set_aside.path).unwrap(), before);
    assert!(stored.boards.is_empty());
}

#[tokio::test]
async fn what_is_set_aside_takes_its_log_of_writes_along() {
    let room = Room::furnished().await;
    {
        let newer = rusqlite::Connection::open(&room.path).unwrap();
        newer.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        newer.execute_batch("PRAGMA user_version = 99; DELETE FROM board WHERE id = 1").unwrap();
    }
    let log = fs::read(room.file("inventory.db-wal")).unwrap();
    let (_store, _, set_aside) = Store::open(&room.path).unwrap();
    assert_eq!(set_aside.unwrap().code, "store_too_new");
    assert_eq!(fs::read(room.file("inventory.db.set-aside-1-wal")).unwrap(), log);
    let aside = rusqlite::Connection::open(room.file("inventory.db.set-aside-1")).unwrap();
    let boards: u32 = aside.query_row("SELECT count(*) FROM board", [], |row| row.get(0)).unwrap();
    assert_eq!(boards, 2);
}

#[tokio::test]
async fn a_truncated_file_never_yields_anything_false() {
    let room = Room::furnished().await;
    let whole = fs::read(&room.path).unwrap();
    for length in (0..whole.len()).step_by(509) {
        let copy = Room::new();
        fs::write(&copy.path, &whole[..length]).unwrap();
        let (_, stored, set_aside) = Store::open(&copy.path).unwrap();
        assert_genuine(&stored);
        let complete = stored.boards.len() == 3 && stored.jobs.len() == 1 && stored.log_marks.len() == 1;
        assert!(set_aside.is_some() || !complete, "{length} of {} bytes", whole.len());
    }
}

#[tokio::test]
async fn a_flipped_bit_never_yields_anything_false() {
    let room = Room::furnished().await;
    let whole = fs::read(&room.path).unwrap();
    for position in (0..whole.len()).step_by(41).chain(0..100) {
        let copy = Room::new();
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&copy.path, flipped).unwrap();
        let (store, stored, _) = Store::open(&copy.path).unwrap();
        assert_genuine(&stored);
        store.save_boards([Arc::new(board(1))]);
        store.flush().await.unwrap();
    }
}

#[tokio::test]
async fn jobs_are_on_the_disk_when_it_is_said_so() {
    let room = Room::new();
    let (store, _) = room.open();
    for id in 1..=20 {
        store.save_job(job(id, 500)).await.unwrap();
    }
    // What a power cut would leave, with any part of the log of writes.
    let (file, log) = (fs::read(&room.path).unwrap(), fs::read(room.file("inventory.db-wal")).unwrap());
    for length in (0..=log.len()).rev().step_by(1_999) {
        let copy = Room::new();
        fs::write(&copy.path, &file).unwrap();
        fs::write(copy.file("inventory.db-wal"), &log[..length]).unwrap();
        let (_, stored) = copy.open();
        let found = jobs(&stored);
        assert_eq!(found, (1..=20).take(found.len()).collect::<Vec<_>>());
        assert!(length < log.len() || found.len() == 20);
    }
}

#[test]
fn jobs_survive_the_sudden_end_of_the_process() {
    let room = Room::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", VICTIM, "--ignored", "--nocapture"])
        .env(VICTIM_PATH, &room.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let saved = lines.filter_map(|line| line.strip_prefix("saved ")?.parse::<u64>().ok()).nth(29).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    let (_, stored) = room.open();
    assert_eq!(saved, 30);
    assert!(jobs(&stored).starts_with(&(1..=saved).collect::<Vec<_>>()), "{:?}", jobs(&stored));
    assert!(stored.boards.iter().all(|found| *found == board(found.id.0)));
}

/// Saves jobs and boards until it is killed.
#[tokio::test]
#[ignore = "runs as a process of its own"]
async fn victim() {
    let Some(path) = std::env::var_os(VICTIM_PATH) else { return };
    let (store, _, _) = Store::open(path).unwrap();
    for id in 1.. {
        store.save_boards((0..50).map(|id| Arc::new(board(id))));
        store.save_job(job(id, 2_000)).await.unwrap();
        println!("saved {id}");
    }
}

#[tokio::test]
async fn what_a_full_disk_refuses_is_written_when_there_is_room() {
    let room = Room::new();
    let limits = Limits { pages: 12, ..Limits::default() };
    let (store, _, _) = Store::open_with(&room.path, limits).unwrap();
    store.save_job(job(1, 20_000)).await.unwrap();

    let error = store.save_job(job(2, 20_000)).await.unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "{error}");
    assert!(error.to_string().contains("inventory.db"), "{error}");
    assert!(store.health().unwrap_err().contains("full"), "{:?}", store.health());
    store.save_boards([Arc::new(board(1))]);
    store.append_changes(vec![change(1)]);
    store.flush().await.unwrap_err();

    store.remove_jobs([JobId(1)]);
    store.flush().await.unwrap();
    assert_eq!(store.health(), Ok(()));
    drop(store);
    let (_, stored) = room.open();
    assert_eq!((ids(&stored), sequences(&stored), jobs(&stored)), (vec![1], vec![1], vec![2]));
}

#[tokio::test]
async fn an_inventory_that_does_not_fit_costs_no_job() {
    let room = Room::new();
    let limits = Limits { pages: 12, ..Limits::default() };
    let (store, _, _) = Store::open_with(&room.path, limits).unwrap();
    store.save_boards((0..1_000).map(|id| Arc::new(board(id))));
    store.save_job(job(1, 10)).await.unwrap();
    store.flush().await.unwrap_err();
    assert!(store.health().is_err());

    // Newer records and removals in the meantime count, not those that failed.
    store.remove_boards((1..1_000).map(BoardId));
    store.save_boards([Arc::new(BoardRecord { name: "newer".to_owned(), ..board(0) })]);
    store.flush().await.unwrap();
    drop(store);
    let (_, stored) = room.open();
    assert_eq!((ids(&stored), jobs(&stored)), (vec![0], vec![1]));
    assert_eq!(stored.boards[0].name, "newer");
}

#[test]
fn a_database_in_use_is_left_alone() {
    let room = Room::new();
    let (_store, _) = room.open();
    let limits = Limits { patience: Duration::ZERO, ..Limits::default() };
    let error = Store::open_with(&room.path, limits).unwrap_err();
    assert!(error.to_string().contains("locked"), "{error}");
    assert_eq!(
        fs::read_dir(room.folder.path()).unwrap().count(),
        1 + usize::from(room.file("inventory.db-wal").exists())
    );
}

#[test]
fn a_missing_directory_is_an_error_that_names_the_file() {
    let room = Room::new();
    let error = Store::open(room.file("missing").join("inventory.db")).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
    assert!(error.to_string().contains("missing/inventory.db"), "{error}");
}

#[test]
fn a_directory_in_its_place_is_an_error() {
    let room = Room::new();
    fs::create_dir(&room.path).unwrap();
    let error = Store::open(&room.path).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
}
