//! What becomes of boards when things appear, vanish, move and are replaced.

use std::net::IpAddr;
use std::sync::Arc;

use opendcre_model::{
    BoxFuture, Capabilities, Capability, Context, Device, DeviceId, DeviceKind, Driver, DriverError,
    Observation, Query, Scope,
};

use super::*;

const MORNING: &str = "2026-12-01T08:00:00Z";

/// A driver that only says what the configuration holds.
struct Wire {
    name: &'static str,
    configured: Vec<Board>,
}

impl Driver for Wire {
    fn name(&self) -> &str {
        self.name
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn configured(&self) -> Vec<Board> {
        self.configured.clone()
    }

    fn discover(&self, _: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        unreachable!()
    }

    fn read(&self, _: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        unreachable!()
    }

    fn perform(
        &self,
        _: opendcre_model::Action,
        _: Context,
    ) -> BoxFuture<'_, Result<Observation, DriverError>> {
        unreachable!()
    }
}

fn mount(name: &'static str, rack: &str, configured: Vec<Board>) -> Mount {
    Mount {
        driver: Arc::new(Wire { name, configured }),
        boards: BoardId(0)..=BoardId(u32::MAX),
        rack: rack.to_owned(),
        annotations: Vec::new(),
        max_changes: 1,
    }
}

fn now() -> Timestamp {
    MORNING.parse().unwrap()
}

fn server(n: u32) -> BoardId {
    BoardId(0x4000_0000 | n)
}

/// What answers at place `n` and calls itself `identity`.
fn machine(n: u32, identity: Option<&str>) -> Board {
    let address: IpAddr = [10, 1, 0, u8::try_from(n).unwrap()].into();
    let devices = vec![Device::new(DeviceId(0x0100), DeviceKind::Power, Capabilities::NONE)];
    Board {
        identity: identity.map(|text| Identity(text.to_owned())),
        ip_addresses: vec![address],
        ..Board::new(server(n), devices)
    }
}

fn bus_board(id: u32) -> Board {
    Board::new(BoardId(id), vec![Device::new(DeviceId(1), DeviceKind::Led, Capabilities::NONE)])
}

/// Two buses and a driver with the BMCs 1 to 3.
fn mounts() -> Vec<Mount> {
    let servers = (1..=3).map(|n| machine(n, None)).collect();
    vec![mount("bus-a", "rack_1", vec![]), mount("bus-b", "rack_2", vec![]), mount("ipmi", "rack_1", servers)]
}

fn inventory() -> Inventory {
    Inventory::new(&mounts(), Vec::new(), Vec::new(), Vec::new(), now())
}

const BMCS: usize = 2;

fn silence() -> BoardFailure {
    BoardFailure { code: "timeout".to_owned(), message: "no answer".to_owned() }
}

fn answers(inventory: &mut Inventory, n: u32, identity: Option<&str>) {
    inventory.found(Place { mount: BMCS, board: server(n) }, &machine(n, identity), now());
}

/// The numbers of the servers, and where each is.
fn servers(inventory: &Inventory) -> Vec<(u32, Option<u32>)> {
    let number = |id: BoardId| id.0 & 0xffff;
    let all: Vec<_> = inventory.records().collect();
    let servers = all.iter().filter(|board| SERVERS.contains(&board.id));
    servers.map(|board| (number(board.id), board.place.map(number))).collect()
}

fn kinds(inventory: &Inventory) -> Vec<(ChangeKind, u32)> {
    let feed = inventory.changes(0, 100, |_| true);
    feed.changes.iter().map(|change| (change.kind, change.board.0 & 0xffff)).collect()
}

#[test]
fn configured_boards_are_listed_before_they_have_answered() {
    let mut inventory = inventory();
    assert_eq!(servers(&inventory), [(1, Some(1)), (2, Some(2)), (3, Some(3))]);
    assert_eq!(inventory.board(server(1)).unwrap().state, BoardState::Unknown);
    assert_eq!(kinds(&inventory), []);

    answers(&mut inventory, 1, Some("uuid:a"));
    let board = inventory.board(server(1)).unwrap();
    assert_eq!((board.state, board.first_seen), (BoardState::Present, Some(now())));
    assert_eq!(kinds(&inventory), [(ChangeKind::Appeared, 1)]);
}

#[test]
fn a_board_that_vanishes_is_listed_as_missing_until_it_returns() {
    let mut inventory = inventory();
    inventory.found_all(0, &[bus_board(1), bus_board(2)], now());
    let noon = "2026-12-01T12:00:00Z".parse().unwrap();
    inventory.found_all(0, &[bus_board(1)], noon);
    let board = inventory.board(BoardId(2)).unwrap();
    assert_eq!((board.state, board.since, board.last_seen), (BoardState::Missing, noon, Some(now())));
    inventory.found_all(0, &[bus_board(1), bus_board(2)], noon);
    assert_eq!(inventory.board(BoardId(2)).unwrap().failure, None);
    assert_eq!(
        kinds(&inventory),
        [
            (ChangeKind::Appeared, 1),
            (ChangeKind::Appeared, 2),
            (ChangeKind::Vanished, 2),
            (ChangeKind::Returned, 2)
        ]
    );
}

#[test]
fn boards_of_several_sources_stand_in_one_rack() {
    let mut inventory = inventory();
    inventory.found_all(0, &[bus_board(1)], now());
    inventory.found_all(1, &[bus_board(2)], now());
    let racks: Vec<_> = inventory.records().map(|board| board.rack.clone()).collect();
    assert_eq!(racks, ["rack_1", "rack_2", "rack_1", "rack_1", "rack_1"]);
}

#[test]
fn a_board_of_one_id_on_two_buses_is_in_conflict_until_one_is_gone() {
    let mut inventory = inventory();
    inventory.found_all(0, &[bus_board(1)], now());
    inventory.found_all(1, &[bus_board(1)], now());
    assert_eq!(inventory.conflict(BoardId(1)), [0, 1]);
    inventory.found_all(0, &[], now());
    assert!(inventory.conflict(BoardId(1)).is_empty());
    inventory.found_all(1, &[bus_board(1)], now());
    assert_eq!(inventory.place(BoardId(1)), Some(Place { mount: 1, board: BoardId(1) }));
    assert_eq!(inventory.board(BoardId(1)).unwrap().driver, "bus-b");
}

/// Restarts the service with a configuration in which the addresses of the servers are those of `order`.
fn restart(mut inventory: Inventory, order: &[u32]) -> Inventory {
    let unsaved = inventory.take_unsaved();
    let boards = unsaved.boards.iter().map(|board| BoardRecord::clone(board)).collect();
    let configured =
        (1..).zip(order).map(|(n, address)| Board { id: server(n), ..machine(*address, None) }).collect();
    let mounts = vec![mount("ipmi", "rack_1", configured)];
    Inventory::new(&mounts, Vec::new(), boards, unsaved.changes, now())
}

#[test]
fn an_id_survives_a_restart_with_another_order_of_the_configuration() {
    let mut inventory = inventory();
    for (n, identity) in [(1, "uuid:a"), (2, "uuid:b"), (3, "uuid:c")] {
        answers(&mut inventory, n, Some(identity));
    }
    let inventory = restart(inventory, &[3, 1, 2]);
    assert_eq!(servers(&inventory), [(1, Some(2)), (2, Some(3)), (3, Some(1))]);
    assert!(!inventory.is_verified(server(1), now()), "nobody has answered yet");
}

#[test]
fn what_a_stored_device_could_not_do_yet_is_learnt_when_the_board_answers() {
    let mut inventory = inventory();
    answers(&mut inventory, 1, Some("uuid:a"));
    let mut restarted = restart(inventory, &[1, 2, 3]);
    let mut newer = machine(1, Some("uuid:a"));
    newer.devices[0].capabilities = Capabilities::of(&[Capability::EventLog]);
    restarted.found(Place { mount: 0, board: server(1) }, &newer, now());
    assert_eq!(restarted.board(server(1)).unwrap().devices, newer.devices);
}

#[test]
fn an_id_follows_the_identity_to_another_address() {
    let mut inventory = inventory();
    answers(&mut inventory, 1, Some("uuid:a"));
    answers(&mut inventory, 2, Some("uuid:b"));
    // The two servers have swapped their addresses while the service was down.
    let mut inventory = restart(inventory, &[1, 2, 3]);
    let place = |n| Place { mount: 0, board: server(n) };
    inventory.found(place(1), &machine(1, Some("uuid:b")), now());
    assert_eq!(inventory.board(server(2)).unwrap().place, Some(server(1)));
    assert_eq!(
        inventory.board(server(1)).unwrap().place,
        None,
        "a command for it must not reach the other one"
    );
    inventory.found(place(2), &machine(2, Some("uuid:a")), now());
    assert_eq!(servers(&inventory), [(1, Some(2)), (2, Some(1)), (3, Some(3))]);
    assert!(inventory.is_verified(server(1), now()) && inventory.is_verified(server(2), now()));
    let since: Vec<ChangeKind> = kinds(&inventory).into_iter().skip(2).map(|(kind, _)| kind).collect();
    let [vanished, moved] = [ChangeKind::Vanished, ChangeKind::Moved];
    assert_eq!(since, [vanished, moved, moved, ChangeKind::Returned]);
}

#[test]
fn servers_that_swap_their_addresses_before_our_eyes_are_told_apart() {
    let mut inventory = inventory();
    answers(&mut inventory, 1, Some("uuid:a"));
    answers(&mut inventory, 2, Some("uuid:b"));
    answers(&mut inventory, 2, Some("uuid:a"));
    assert_eq!(inventory.board(server(2)).unwrap().place, None);
    assert!(!inventory.is_verified(server(1), now()), "it may have moved");
    answers(&mut inventory, 1, Some("uuid:b"));
    answers(&mut inventory, 2, Some("uuid:a"));
    assert_eq!(servers(&inventory), [(1, Some(2)), (2, Some(1)), (3, Some(3))]);
}

#[test]
fn a_new_machine_at_an_address_is_a_new_board() {
    let mut inventory = inventory();
    answers(&mut inventory, 1, Some("uuid:a"));
    answers(&mut inventory, 1, Some("uuid:new"));
    assert_eq!(servers(&inventory), [(1, None), (2, Some(2)), (3, Some(3)), (4, Some(1))]);
    assert_eq!(inventory.board(server(1)).unwrap().failure.as_ref().unwrap().code, "displaced");
}

#[test]
fn a_displaced_machine_leaves_its_name_to_the_one_in_its_place() {
    let mut mounts = mounts();
    mounts[BMCS].annotations =
        vec![Annotation { board: server(1), name: Some("db-01".to_owned()), ..Annotation::default() }];
    let mut inventory = Inventory::new(&mounts, Vec::new(), Vec::new(), Vec::new(), now());
    answers(&mut inventory, 1, Some("uuid:a"));
    answers(&mut inventory, 1, Some("uuid:new"));
    assert_eq!(inventory.lookup("db-01", |_| true), Ok(server(4)));
    assert_eq!(inventory.lookup("10.1.0.1", |_| true), Ok(server(4)));
}

#[test]
fn after_a_restart_a_table_is_known_by_its_name() {
    let mut mounts = mounts();
    let table = |place, name: &str| Annotation {
        board: server(place),
        name: Some(name.to_owned()),
        ..Annotation::default()
    };
    mounts[BMCS].annotations = vec![table(1, "one"), table(2, "two"), table(3, "three")];
    let mut inventory = Inventory::new(&mounts, Vec::new(), Vec::new(), Vec::new(), now());
    let boards = inventory.take_unsaved().boards.iter().map(|board| BoardRecord::clone(board)).collect();
    // Without addresses that would tell them apart, and with the tables in another order.
    mounts[BMCS].annotations = vec![table(1, "three"), table(2, "one"), table(3, "two")];
    let inventory = Inventory::new(&mounts, Vec::new(), boards, Vec::new(), now());
    assert_eq!(servers(&inventory), [(1, Some(2)), (2, Some(3)), (3, Some(1))]);
}

#[test]
fn a_fixed_id_stays_at_its_place_whoever_answers() {
    let mut mounts = mounts();
    mounts[BMCS].annotations = vec![Annotation { board: server(1), keeps_id: true, ..Annotation::default() }];
    let mut inventory = Inventory::new(&mounts, Vec::new(), Vec::new(), Vec::new(), now());
    answers(&mut inventory, 1, Some("uuid:a"));
    answers(&mut inventory, 1, Some("uuid:new"));
    assert_eq!(servers(&inventory), [(1, Some(1)), (2, Some(2)), (3, Some(3))]);
    assert_eq!(kinds(&inventory), [(ChangeKind::Appeared, 1), (ChangeKind::Changed, 1)]);
}

#[test]
fn a_followed_id_without_its_machine_has_no_place() {
    let mut mounts = mounts();
    mounts[BMCS].annotations = vec![Annotation { board: server(2), keeps_id: true, ..Annotation::default() }];
    let mut inventory = Inventory::new(&mounts, Vec::new(), Vec::new(), Vec::new(), now());
    answers(&mut inventory, 1, Some("uuid:a"));
    answers(&mut inventory, 2, Some("uuid:b"));
    inventory.missed(Place { mount: BMCS, board: server(1) }, silence(), now());
    // The first machine has taken the place of the second one, whose id is fixed.
    answers(&mut inventory, 2, Some("uuid:a"));
    assert_eq!(inventory.board(server(1)).unwrap().place, None, "nobody knows who answers there now");
    assert_eq!(inventory.board(server(2)).unwrap().identity, Some(Identity("uuid:a".to_owned())));
}

#[test]
fn who_was_silent_or_not_seen_lately_proves_who_it_is_again() {
    let mut inventory = inventory();
    answers(&mut inventory, 1, Some("uuid:a"));
    assert!(inventory.is_verified(server(1), now()));
    assert!(!inventory.is_verified(server(1), now() + SignedDuration::from_secs(31)));
    assert!(
        !inventory.is_verified(server(1), now() - SignedDuration::from_secs(1)),
        "the clock was set back"
    );
    inventory.missed(Place { mount: BMCS, board: server(1) }, silence(), now());
    assert!(!inventory.is_verified(server(1), now()));
}

#[test]
fn a_conflict_does_not_end_because_a_bus_is_silent() {
    let mut inventory = inventory();
    inventory.found_all(0, &[bus_board(1)], now());
    inventory.found_all(1, &[bus_board(1)], now());
    inventory.missed_all(0, &silence(), now());
    inventory.found_all(1, &[bus_board(1)], now());
    assert_eq!(inventory.conflict(BoardId(1)), [0, 1]);
}

#[test]
fn machines_with_one_identity_stay_two_boards() {
    let mut inventory = inventory();
    for _ in 0..3 {
        answers(&mut inventory, 1, Some("uuid:same"));
        answers(&mut inventory, 2, Some("uuid:same"));
    }
    for _ in 0..3 {
        answers(&mut inventory, 2, Some("uuid:same"));
        answers(&mut inventory, 1, Some("uuid:same"));
    }
    let apart = [(1, Some(1)), (2, Some(2)), (3, Some(3))];
    assert_eq!(servers(&inventory), apart);
    assert_eq!(kinds(&inventory), [(ChangeKind::Appeared, 1), (ChangeKind::Appeared, 2)]);

    // Not even when one of them is silent, or after a restart, whoever is asked first then.
    inventory.missed(Place { mount: BMCS, board: server(1) }, silence(), now());
    answers(&mut inventory, 2, Some("uuid:same"));
    assert_eq!(servers(&inventory), apart);
    let mut inventory = restart(inventory, &[1, 2, 3]);
    for n in [2, 1, 2] {
        inventory.found(Place { mount: 0, board: server(n) }, &machine(n, Some("uuid:same")), now());
        assert_eq!(servers(&inventory), apart);
    }
}

#[test]
fn a_server_that_is_not_configured_any_more_is_removed_unless_it_can_come_back() {
    let mut inventory = inventory();
    answers(&mut inventory, 1, Some("uuid:a"));
    answers(&mut inventory, 3, None);
    let mut inventory = restart(inventory, &[2]);
    assert_eq!(servers(&inventory), [(1, None), (2, Some(1))]);
    assert_eq!(inventory.board(server(1)).unwrap().failure.as_ref().unwrap().code, "not_configured");
    assert_eq!(kinds(&inventory).last(), Some(&(ChangeKind::Removed, 3)));
    assert_eq!(inventory.take_unsaved().removed, [server(3)]);

    let boards = inventory.records().map(|board| BoardRecord::clone(board)).collect();
    let next_month = "2027-01-01T08:00:00Z".parse().unwrap();
    let mounts = vec![mount("ipmi", "rack_1", vec![machine(2, None)])];
    let inventory = Inventory::new(&mounts, Vec::new(), boards, Vec::new(), next_month);
    assert_eq!(inventory.board(server(1)), None, "it did not come back for a month");
}

#[test]
fn a_board_is_found_by_each_of_its_names() {
    let mut mounts = mounts();
    mounts[BMCS].annotations = vec![
        Annotation {
            board: server(1),
            name: Some("db-01".to_owned()),
            hostnames: vec!["Db-01.example".to_owned(), "shared".to_owned()],
            ..Annotation::default()
        },
        Annotation { board: server(2), hostnames: vec!["shared".to_owned()], ..Annotation::default() },
    ];
    let inventory = Inventory::new(&mounts, Vec::new(), Vec::new(), Vec::new(), now());
    for name in ["db-01", "DB-01", "db-01.example", "10.1.0.1", "40000001", "0040000001"] {
        assert_eq!(inventory.lookup(name, |_| true), Ok(server(1)), "{name}");
    }
    let ambiguous = inventory.lookup("shared", |_| true).unwrap_err();
    assert_eq!(ambiguous.candidates(), ["board 40000001 (db-01, rack_1)", "board 40000002 (shared, rack_1)"]);
    assert_eq!(inventory.lookup("nobody", |_| true), Err(LookupError::Unknown("nobody".to_owned())));
}

#[test]
fn what_is_unchanged_is_not_saved_again() {
    let mut inventory = inventory();
    inventory.found_all(0, &[bus_board(1)], now());
    assert_eq!(inventory.take_unsaved().boards.len(), 4);
    let version = inventory.version();
    inventory.found_all(0, &[bus_board(1)], now());
    assert_eq!(inventory.version(), version);
    assert!(inventory.take_unsaved().boards.is_empty());
}

#[test]
fn only_a_missing_board_is_forgotten_and_whatever_answers_there_is_new() {
    let mut inventory = inventory();
    inventory.found_all(0, &[bus_board(1)], now());
    answers(&mut inventory, 1, Some("uuid:a"));
    for id in [BoardId(1), server(1), server(2), server(9)] {
        assert_eq!(inventory.forget(id, now()), None, "{id} is present, unknown or nowhere");
    }
    inventory.found_all(0, &[], now());
    inventory.missed(Place { mount: BMCS, board: server(1) }, silence(), now());
    inventory.take_unsaved();
    for id in [BoardId(1), server(1)] {
        assert_eq!(inventory.forget(id, now()).unwrap().id, id);
        assert_eq!((inventory.board(id), inventory.place(id)), (None, None));
    }
    let unsaved = inventory.take_unsaved();
    assert_eq!(unsaved.removed, [BoardId(1), server(1)]);
    assert_eq!(unsaved.replaced, [BoardId(1), server(1)].into());
    let [first, ..] = unsaved.changes.as_slice() else { panic!() };
    let detail = "somebody said that it will not come back";
    assert_eq!((first.kind, first.detail.as_str()), (ChangeKind::Forgotten, detail));

    // Silence does not bring it back, an answer does.
    inventory.missed(Place { mount: BMCS, board: server(1) }, silence(), now());
    inventory.found_all(0, &[], now());
    assert_eq!(servers(&inventory), [(2, Some(2)), (3, Some(3))]);
    inventory.found_all(0, &[bus_board(1)], now());
    answers(&mut inventory, 1, Some("uuid:a"));
    let since: Vec<(ChangeKind, u32)> = kinds(&inventory).into_iter().rev().take(2).collect();
    assert_eq!(since, [(ChangeKind::Appeared, 1); 2]);
    assert_eq!(servers(&inventory), [(1, Some(1)), (2, Some(2)), (3, Some(3))]);
}

#[test]
fn a_forgotten_server_of_the_configuration_is_listed_again_after_a_restart() {
    let mut inventory = inventory();
    answers(&mut inventory, 1, Some("uuid:a"));
    inventory.missed(Place { mount: BMCS, board: server(1) }, silence(), now());
    inventory.forget(server(1), now()).unwrap();
    let inventory = restart(inventory, &[1, 2, 3]);
    let record = inventory.board(server(1)).unwrap();
    assert_eq!((record.state, record.first_seen), (BoardState::Unknown, None));
}
