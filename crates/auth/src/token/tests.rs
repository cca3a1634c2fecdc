//! Tokens as the service and the command line see them, in one process and in two.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use jiff::SignedDuration;
use opendcre_model::Extent;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

const REVOKER: &str = "token::tests::revoker";
const REVOKER_PATH: &str = "OPENDCRE_TEST_TOKENS";
const REMOTE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7)));

/// A state folder.
struct Room {
    folder: TempDir,
}

impl Room {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tokens.db")
    }

    fn store(&self) -> TokenStore {
        TokenStore::open(self.path()).unwrap()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn grant(role: &str) -> Grant {
    Grant { role: role.to_owned(), extent: Extent { racks: vec!["rack_1*".to_owned()], ..Extent::default() } }
}

fn token(name: &str) -> NewToken {
    NewToken {
        name: name.to_owned(),
        grants: vec![grant("operator")],
        created_by: "root".to_owned(),
        expires: Some(at(1_000)),
    }
}

/// Makes a token at second 0.
fn make(store: &TokenStore, name: &str) -> String {
    store.create(&token(name), at(0)).unwrap().1.expose_secret().to_owned()
}

fn reason(result: Result<Subject, Failure>) -> String {
    match result.unwrap_err() {
        Failure::Rejected { reason } => reason,
        unavailable @ Failure::Unavailable { .. } => panic!("{unavailable}"),
    }
}

#[tokio::test]
async fn whoever_has_a_token_may_what_it_says_until_it_ends() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    let record = store.list().unwrap().remove(0);
    let expected = Subject {
        name: "ci".to_owned(),
        login: Login::Token,
        provider: record.id.clone(),
        groups: Vec::new(),
        grants: vec![grant("operator")],
    };
    assert_eq!(store.authenticate(&text, REMOTE, at(999)).await, Ok(expected));
    assert_eq!(
        reason(store.authenticate(&text, REMOTE, at(1_000)).await),
        format!("the token \"ci\" ({}) has expired", record.id)
    );
    let other = format!("{PREFIX}{}", "A".repeat(43));
    assert_eq!(reason(store.authenticate(&other, REMOTE, at(0)).await), "no such token is known");
    assert!(reason(store.authenticate("odcre_short", REMOTE, at(0)).await).contains("is none"));
}

#[tokio::test]
async fn a_clock_in_the_past_does_not_bring_back_what_has_expired() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    assert!(store.authenticate(&text, REMOTE, at(-299)).await.is_ok());
    assert!(reason(store.authenticate(&text, REMOTE, Timestamp::UNIX_EPOCH).await).contains("clock"));
    let endless = NewToken { expires: None, ..token("endless") };
    let (_, endless) = store.create(&endless, at(0)).unwrap();
    let found = store.authenticate(endless.expose_secret(), None, Timestamp::UNIX_EPOCH).await;
    assert_eq!(found.unwrap().name, "endless");
}

#[tokio::test]
async fn a_token_is_revoked_at_once_by_name_or_id() {
    let room = Room::new();
    let store = room.store();
    let (first, second) = (make(&store, "first"), make(&store, "second"));
    let id = store.list().unwrap()[1].id.clone();
    assert_eq!(store.revoke("first", at(5)).unwrap().revoked, Some(at(5)));
    assert_eq!(store.revoke(&id, at(6)).unwrap().name, "second");
    for text in [&first, &second] {
        assert!(reason(store.authenticate(text, REMOTE, at(7)).await).ends_with("was revoked"));
    }
    for gone in ["first", &id, "", "never"] {
        assert_eq!(store.revoke(gone, at(8)).unwrap_err(), TokenError::Unknown { wanted: gone.to_owned() });
    }
}

#[tokio::test]
async fn a_token_is_looked_up_without_being_used() {
    let room = Room::new();
    let store = room.store();
    make(&store, "ci");
    let first = store.list().unwrap()[0].id.clone();
    for known in ["ci", &first] {
        let bearer = store.bearer(known, at(1)).await.unwrap();
        assert_eq!((bearer.name.as_str(), &bearer.provider), ("ci", &first));
        assert_eq!(bearer.grants, [grant("operator")]);
    }
    assert_eq!(store.list().unwrap()[0].last_used, None);
    assert!(reason(store.bearer("ci", at(1_000)).await).ends_with("has expired"));
    store.revoke("ci", at(2)).unwrap();
    assert!(reason(store.bearer("ci", at(3)).await).ends_with("was revoked"));

    store.create(&token("ci"), at(4)).unwrap();
    assert_ne!(store.bearer("ci", at(5)).await.unwrap().provider, first, "the one that is valid");
    assert!(reason(store.bearer(&first, at(5)).await).ends_with("was revoked"), "that one only");
    for unknown in ["", "never", "%"] {
        assert_eq!(reason(store.bearer(unknown, at(5)).await), "no such token is known");
    }
}

#[tokio::test]
async fn another_process_revokes_at_once() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    for _ in 0..3 {
        assert!(store.authenticate(&text, REMOTE, at(1)).await.is_ok());
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", REVOKER, "--ignored"])
        .env(REVOKER_PATH, room.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(reason(store.authenticate(&text, REMOTE, at(1)).await).ends_with("was revoked"));
    assert_eq!(store.list().unwrap()[0].revoked, Some(at(1)));
}

#[test]
#[ignore = "runs as a process of its own"]
fn revoker() {
    let Some(path) = std::env::var_os(REVOKER_PATH) else { return };
    TokenStore::open(path).unwrap().revoke("ci", at(1)).unwrap();
}

#[test]
fn names_are_unique_among_what_is_valid() {
    let room = Room::new();
    let store = room.store();
    make(&store, "ci");
    let again = |seconds| store.create(&token("ci"), at(seconds)).map(|(record, _)| record.name);
    assert_eq!(again(1), Err(TokenError::NameTaken { name: "ci".to_owned() }));
    store.revoke("ci", at(2)).unwrap();
    assert_eq!(again(3), Ok("ci".to_owned()));
    let late = NewToken { expires: None, ..token("ci") };
    assert!(store.create(&late, at(1_001)).is_ok(), "the one before has expired");
    let states: Vec<TokenState> = store.list().unwrap().iter().map(|token| token.state(at(1_001))).collect();
    assert_eq!(states, [TokenState::Revoked, TokenState::Expired, TokenState::Valid]);
}

#[test]
fn what_ended_long_ago_is_forgotten() {
    let room = Room::new();
    let store = room.store();
    make(&store, "ci");
    let later = at(1_000) + SignedDuration::from_hours(24 * 90 + 1);
    let next = NewToken { expires: None, ..token("next") };
    store.create(&next, later).unwrap();
    let names: Vec<String> = store.list().unwrap().into_iter().map(|token| token.name).collect();
    assert_eq!(names, ["next"]);
}

#[test]
fn nonsense_is_no_token() {
    let room = Room::new();
    let store = room.store();
    let long = "x".repeat(65);
    for name in ["", "a b", "ci/1", "*", "gerät", "0123456789ab", "a\n", &long] {
        let error = store.create(&token(name), at(0)).unwrap_err();
        assert!(matches!(error, TokenError::Invalid { .. }), "{name:?}: {error}");
    }
    for token in [
        NewToken { grants: Vec::new(), ..token("ci") },
        NewToken { grants: vec![grant("viewer"); 65], ..token("ci") },
        NewToken { created_by: "x".repeat(129), ..token("ci") },
        NewToken { expires: Some(at(0)), ..token("ci") },
    ] {
        assert!(store.create(&token, at(0)).is_err(), "{token:?}");
    }
    assert!(store.list().unwrap().is_empty());
}

#[tokio::test]
async fn the_use_of_a_token_is_noted_once_a_minute() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    let noted = || {
        let record = store.list().unwrap().remove(0);
        (record.last_used, record.last_used_from.map(|origin| origin.to_string()))
    };
    assert_eq!(noted(), (None, None));
    let mapped: IpAddr = "::ffff:10.0.0.7".parse().unwrap();
    store.authenticate(&text, Some(mapped), at(1)).await.unwrap();
    assert_eq!(noted(), (Some(at(1)), Some("10.0.0.7".to_owned())));
    store.authenticate(&text, None, at(60)).await.unwrap();
    assert_eq!(noted().0, Some(at(1)));
    store.authenticate(&text, None, at(61)).await.unwrap();
    assert_eq!(noted(), (Some(at(61)), Some("unix".to_owned())));
    store.authenticate(&text, None, at(2_000)).await.unwrap_err();
    assert_eq!(noted().0, Some(at(61)), "a failure is no use");
}

#[tokio::test]
async fn what_cannot_be_noted_does_not_keep_anybody_out() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    let busy = rusqlite::Connection::open(room.path()).unwrap();
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(store.authenticate(&text, REMOTE, at(1)).await.is_ok());
    assert!(store.authenticate(&text, REMOTE, at(2)).await.is_ok(), "without another try to write");
    assert_eq!(store.list().unwrap()[0].last_used, None);
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (store, text) = (store.clone(), text.clone());
        requests.spawn(async move { store.authenticate(&text, REMOTE, at(1)).await });
    }
    assert!(requests.join_all().await.iter().all(Result::is_ok));
}

#[test]
fn several_processes_may_make_the_file_at_the_same_time() {
    for _ in 0..20 {
        let room = Room::new();
        std::thread::scope(|scope| {
            let opened: Vec<_> =
                (0..8).map(|index| (index, scope.spawn(|| TokenStore::open(room.path())))).collect();
            for (index, thread) in opened {
                let store = thread.join().unwrap().unwrap();
                make(&store, &format!("token-{index}"));
            }
        });
        assert_eq!(room.store().list().unwrap().len(), 8);
    }
}

#[test]
fn the_file_is_for_its_owner_alone_and_holds_no_token() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    for entry in fs::read_dir(room.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        let bytes = fs::read(&path).unwrap();
        let secret = text.strip_prefix(PREFIX).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{path:?}");
    }
    assert!(!format!("{store:?} {:?}", store.list().unwrap()).contains(&text));
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let room = Room::new();
    drop(room.store());
    fs::set_permissions(room.path(), fs::Permissions::from_mode(0o660)).unwrap();
    let error = TokenStore::open(room.path()).unwrap_err().to_string();
    assert!(error.contains("others may write it") && error.contains("tokens.db"), "{error}");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let room = Room::new();
    let elsewhere = room.folder.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, room.path()).unwrap();
    assert!(TokenStore::open(room.path()).unwrap_err().to_string().contains("no regular file"));
    assert!(TokenStore::open(room.folder.path()).is_err());
    assert!(TokenStore::open("/").is_err());
    let missing = TokenStore::open(room.folder.path().join("missing/tokens.db")).unwrap_err();
    assert!(matches!(missing, TokenError::Inaccessible { .. }), "{missing}");
    assert!(
        missing.to_string().contains("missing is missing; make it, for the user of the service"),
        "{missing}"
    );
}

#[test]
fn a_folder_behind_a_link_is_no_hindrance() {
    let room = Room::new();
    let link = room.folder.path().join("link");
    symlink(room.folder.path(), &link).unwrap();
    make(&TokenStore::open(link.join("tokens.db")).unwrap(), "ci");
    assert_eq!(room.store().list().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_gone_or_broken_lets_nobody_in() {
    let room = Room::new();
    let store = room.store();
    let text = make(&store, "ci");
    fs::remove_file(room.path()).unwrap();
    let failure = store.authenticate(&text, REMOTE, at(1)).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable { .. }), "{failure}");

    // Another file in its place is the one that counts from then on.
    let error = TokenStore::open(room.path()).unwrap_err().to_string();
    assert!(error.contains("tokens.db-wal is left"), "{error}");
    fs::remove_file(room.folder.path().join("tokens.db-wal")).unwrap();
    fs::remove_file(room.folder.path().join("tokens.db-shm")).unwrap();
    let next = make(&room.store(), "next");
    assert_eq!(reason(store.authenticate(&text, REMOTE, at(1)).await), "no such token is known");
    assert_eq!(store.authenticate(&next, REMOTE, at(1)).await.unwrap().name, "next");

    fs::remove_file(room.path()).unwrap();
    fs::write(room.path(), "what is this?").unwrap();
    let failure = store.authenticate(&next, REMOTE, at(1)).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable { .. }), "{failure}");
}

#[test]
fn a_foreign_or_newer_file_is_refused_and_left_alone() {
    for (statement, expected) in [
        ("CREATE TABLE other (x)", "its tables are others"),
        ("PRAGMA user_version = 99", "newer release"),
        ("PRAGMA user_version = 1", "its tables are others"),
        ("PRAGMA user_version = -1", "newer release"),
    ] {
        let room = Room::new();
        rusqlite::Connection::open(room.path()).unwrap().execute_batch(statement).unwrap();
        let before = fs::read(room.path()).unwrap();
        let error = TokenStore::open(room.path()).unwrap_err();
        assert!(matches!(error, TokenError::Unfit { .. }), "{statement}: {error}");
        assert!(error.to_string().contains(expected), "{statement}: {error}");
        assert_eq!(fs::read(room.path()).unwrap(), before);
    }
}

#[test]
fn a_trigger_that_somebody_has_planted_is_found() {
    let room = Room::new();
    drop(room.store());
    let planted = "CREATE TRIGGER t AFTER UPDATE ON token BEGIN DELETE FROM token; END";
    rusqlite::Connection::open(room.path()).unwrap().execute_batch(planted).unwrap();
    assert!(TokenStore::open(room.path()).unwrap_err().to_string().contains("its tables are others"));
}

#[tokio::test]
async fn damage_is_an_error_and_never_lets_anybody_in_by_chance() {
    let room = Room::new();
    let text = make(&room.store(), "ci");
    let whole = fs::read(room.path()).unwrap();
    let expected = TokenStore::open(room.path()).unwrap().list().unwrap();
    for position in (0..whole.len()).step_by(37).chain(0..100) {
        let copy = Room::new();
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(copy.path(), &flipped).unwrap();
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o600)).unwrap();
        let Ok(store) = TokenStore::open(copy.path()) else { continue };
        if let Ok(subject) = store.authenticate(&text, REMOTE, at(1)).await {
            assert!(expected[0].name.len() == subject.name.len(), "{position}");
        }
    }
    for length in (0..whole.len()).step_by(509) {
        let copy = Room::new();
        fs::write(copy.path(), &whole[..length]).unwrap();
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o600)).unwrap();
        if let Ok(store) = TokenStore::open(copy.path()) {
            assert!(store.authenticate(&text, REMOTE, at(1)).await.is_err(), "{length}");
        }
    }
}
