//! Several buses behind one door: which driver is asked for which board.

use crate::support::{Call, Room, board, failure, power_off, somebody};
use opendcre_gateway::{Command, GatewayError, Outcome, Policy, PolicySettings, Principal, Rule, ScanReport};
use opendcre_model::{BoardId, Extent, Fault, Login, Observation, Query, Scope, Subject};

async fn run(room: &Room, command: Command) -> Result<Outcome, GatewayError> {
    room.gateway.execute(&somebody(), command).await
}

async fn scan(room: &Room) -> Result<ScanReport, GatewayError> {
    match run(room, Command::Scan(Scope::All)).await? {
        Outcome::Scan(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

/// The name of the driver that answers a query for `board`.
async fn who_answers(room: &Room, board: u32) -> Result<String, GatewayError> {
    match run(room, Command::Query(Query::Version(BoardId(board)))).await? {
        Outcome::Observation(Observation::Version(name)) => Ok(name),
        other => panic!("{other:?}"),
    }
}

/// The ids of the boards of a report.
fn ids(report: &ScanReport) -> Vec<u32> {
    report.boards.iter().map(|board| board.id.0).collect()
}

fn was_scanned(room: &Room, driver: usize) -> bool {
    let calls = room.drivers[driver].calls();
    calls.iter().any(|call| matches!(call, Call::Discover(_)))
}

#[tokio::test]
async fn a_scan_merges_the_buses_in_their_order_and_names_those_that_failed() {
    let room = Room::with_drivers(3);
    *room.drivers[0].scan.lock().unwrap() = Ok(vec![board(2), board(1)]);
    room.drivers[1].fail_scans(Fault::Gone);
    *room.drivers[2].scan.lock().unwrap() = Ok(vec![board(3)]);
    let report = scan(&room).await.unwrap();
    assert_eq!(ids(&report), [2, 1, 3]);
    assert_eq!(report.failures, [("b".to_owned(), failure("b", Fault::Gone))]);
}

#[tokio::test]
async fn a_scan_fails_only_when_every_bus_failed() {
    let room = Room::with_drivers(2);
    room.drivers[0].fail_scans(Fault::Timeout);
    room.drivers[1].fail_scans(Fault::Gone);
    let error = scan(&room).await.unwrap_err();
    assert_eq!(error.code(), "timeout");
    assert_eq!(error.to_string(), "bus a failed: timeout");
}

#[tokio::test]
async fn nobody_is_told_of_the_failure_of_a_bus_that_holds_nothing_of_theirs() {
    let room = Room::with_ranges(&[1..=1, 2..=2, 3..=3]);
    *room.drivers[1].scan.lock().unwrap() = Ok(vec![board(2)]);
    *room.drivers[2].scan.lock().unwrap() = Ok(vec![board(3)]);
    scan(&room).await.unwrap();
    let viewer = |user: &str, boards: &[&str]| Rule {
        role: "viewer".to_owned(),
        users: vec![user.to_owned()],
        extent: Extent { boards: boards.iter().map(ToString::to_string).collect(), ..Extent::default() },
        ..Rule::default()
    };
    let rules =
        vec![viewer("ada", &["00000002", "00000003"]), viewer("eve", &["00000009"]), viewer("root", &["*"])];
    room.gateway.replace_policy(Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap());
    for driver in &room.drivers {
        driver.fail_scans(Fault::Gone);
    }
    let told = async |name: &str, command: Command| {
        let subject = Subject { name: name.to_owned(), login: Login::Ldap, ..Subject::anonymous() };
        let principal = Principal { subject: subject.into(), ..somebody() };
        room.gateway.execute(&principal, command).await.map_err(|error| error.to_string())
    };
    for command in [Command::Scan(Scope::All), Command::Refresh(Scope::All)] {
        assert_eq!(told("root", command.clone()).await, Err("bus a failed: gone".to_owned()));
        assert_eq!(told("ada", command.clone()).await, Err("bus b failed: gone".to_owned()));
        assert_eq!(told("eve", command).await, Ok(Outcome::Scan(ScanReport::default())));
    }
}

#[tokio::test]
async fn without_buses_a_scan_finds_nothing_and_every_board_is_unknown() {
    let room = Room::with_drivers(0);
    assert_eq!(scan(&room).await.unwrap(), ScanReport::default());
    assert_eq!(who_answers(&room, 1).await.unwrap_err().code(), "unknown_board");
}

#[tokio::test]
async fn a_board_outside_every_range_is_unknown_and_nothing_is_sent() {
    let room = Room::with_drivers(2);
    for command in [
        Command::Query(Query::Version(BoardId(0x100))),
        Command::Scan(Scope::Board(BoardId(0))),
        Command::Action(power_off(0x100)),
    ] {
        assert_eq!(run(&room, command).await.unwrap_err().code(), "unknown_board");
    }
    assert!(room.drivers.iter().all(|driver| driver.calls().is_empty()));
    assert!(room.audited().is_empty());
}

#[tokio::test]
async fn the_only_candidate_is_asked_without_a_scan() {
    let room = Room::with_drivers(1);
    assert_eq!(who_answers(&room, 9).await.unwrap(), "a");
    assert_eq!(room.drivers[0].calls(), [Call::Read(Query::Version(BoardId(9)))]);
}

#[tokio::test]
async fn an_earlier_scan_says_which_bus_holds_a_board() {
    let room = Room::with_drivers(2);
    *room.drivers[1].scan.lock().unwrap() = Ok(vec![board(2)]);
    scan(&room).await.unwrap();
    for driver in &room.drivers {
        driver.calls.lock().unwrap().clear();
    }
    assert_eq!(who_answers(&room, 1).await.unwrap(), "a");
    assert_eq!(who_answers(&room, 2).await.unwrap(), "b");
    assert!(!was_scanned(&room, 0) && !was_scanned(&room, 1));
}

#[tokio::test]
async fn a_board_that_two_buses_reported_is_ambiguous() {
    let room = Room::with_drivers(2);
    scan(&room).await.unwrap();
    let error = run(&room, Command::Action(power_off(1))).await.unwrap_err();
    assert_eq!(error.code(), "ambiguous_board");
    assert!(error.to_string().contains("(a, b)"), "{error}");
    let calls = room.drivers[0].calls();
    assert_eq!(calls, [Call::Discover(Scope::All)]);
}

#[tokio::test]
async fn an_unseen_board_is_looked_for_once_on_every_candidate() {
    let room = Room::with_drivers(3);
    room.drivers[0].fail_scans(Fault::Timeout);
    room.drivers[2].fail_scans(Fault::Gone);
    assert_eq!(who_answers(&room, 1).await.unwrap(), "b");
    assert_eq!(who_answers(&room, 1).await.unwrap(), "b");
    for driver in [0, 2] {
        let calls = room.drivers[driver].calls();
        assert_eq!(calls, [Call::Discover(Scope::Board(BoardId(1)))]);
    }
}

#[tokio::test]
async fn an_unseen_board_that_answers_twice_is_ambiguous_and_nothing_is_changed() {
    let room = Room::with_drivers(2);
    for _ in 0..2 {
        let error = run(&room, Command::Action(power_off(1))).await.unwrap_err();
        assert_eq!(error.code(), "ambiguous_board");
    }
    let calls = room.drivers[0].calls();
    assert_eq!(calls, [Call::Discover(Scope::Board(BoardId(1)))], "asked once");
    assert!(room.audited().is_empty());
}

#[tokio::test]
async fn doubt_about_a_second_board_of_the_name_stops_a_change() {
    for fault in [Fault::Corrupt, Fault::Malformed] {
        let room = Room::with_drivers(2);
        room.drivers[1].fail_scans(fault);
        let error = run(&room, Command::Action(power_off(1))).await.unwrap_err();
        assert_eq!(error.code(), fault.code());
        let calls = room.drivers[0].calls();
        assert!(matches!(calls.as_slice(), [Call::Discover(_)]), "{calls:?}");
    }
}

#[tokio::test]
async fn a_board_that_nobody_has_gives_the_error_of_the_first_bus() {
    let room = Room::with_drivers(2);
    room.drivers[0].fail_scans(Fault::Timeout);
    room.drivers[1].fail_scans(Fault::Timeout);
    let error = who_answers(&room, 1).await.unwrap_err();
    assert_eq!(error.to_string(), "bus a failed: timeout");
    let command = Command::Scan(Scope::Board(BoardId(1)));
    assert_eq!(run(&room, command).await.unwrap_err().code(), "timeout");
}

#[tokio::test]
async fn scanning_one_board_teaches_where_it_is() {
    let room = Room::with_drivers(2);
    room.drivers[0].fail_scans(Fault::Timeout);
    let outcome = run(&room, Command::Scan(Scope::Board(BoardId(1)))).await.unwrap();
    assert!(matches!(outcome, Outcome::Scan(report) if ids(&report) == [1]));
    assert_eq!(who_answers(&room, 1).await.unwrap(), "b");
    assert_eq!(room.drivers[0].calls().len(), 1);
}

#[tokio::test]
async fn a_board_outside_the_range_of_its_bus_is_not_listed() {
    let room = Room::with_ranges(&[1..=0x0f, 0x10..=0xff]);
    *room.drivers[0].scan.lock().unwrap() = Ok(vec![board(1), board(0x10), board(2), board(0x100)]);
    *room.drivers[1].scan.lock().unwrap() = Ok(vec![board(0x0f), board(0xff)]);
    let report = scan(&room).await.unwrap();
    assert_eq!(ids(&report), [1, 2, 0xff]);
    assert_eq!(report.failures, []);
}

#[tokio::test]
async fn a_scan_does_not_teach_what_another_bus_left_in_doubt() {
    for fault in [Fault::Corrupt, Fault::Malformed] {
        let room = Room::with_drivers(2);
        room.drivers[1].fail_scans(fault);
        assert_eq!(ids(&scan(&room).await.unwrap()), [1]);
        let error = run(&room, Command::Action(power_off(1))).await.unwrap_err();
        assert_eq!(error.code(), fault.code());
        assert!(room.audited().is_empty());
    }
}

#[tokio::test]
async fn a_scan_in_doubt_makes_earlier_knowledge_worthless() {
    let room = Room::with_drivers(2);
    *room.drivers[0].scan.lock().unwrap() = Ok(Vec::new());
    scan(&room).await.unwrap();
    assert_eq!(who_answers(&room, 1).await.unwrap(), "b");

    *room.drivers[0].scan.lock().unwrap() = Ok(vec![board(1)]);
    room.drivers[1].fail_scans(Fault::Corrupt);
    scan(&room).await.unwrap();
    let error = run(&room, Command::Action(power_off(1))).await.unwrap_err();
    assert_eq!(error.code(), "corrupt");
    assert!(room.audited().is_empty());
}

#[tokio::test]
async fn a_scan_teaches_what_no_bus_left_in_doubt() {
    let room = Room::with_ranges(&[1..=0xff, 1..=0xff, 0x80..=0xff]);
    room.drivers[1].fail_scans(Fault::Timeout);
    room.drivers[2].fail_scans(Fault::Corrupt);
    scan(&room).await.unwrap();
    assert_eq!(who_answers(&room, 1).await.unwrap(), "a");
    let calls = room.drivers[0].calls();
    assert_eq!(calls, [Call::Discover(Scope::All), Call::Read(Query::Version(BoardId(1)))]);
}
