//! Servers of a configuration: when they are asked, which id they have, and that no command reaches the wrong one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opendcre_gateway::{
    AuditLog, BoardState, ChangeKind, Command, Equipment, Gateway, GatewayError, Mount, Outcome, Policy,
    Records, Settings, Store,
};
use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Context, DeviceAddress, DeviceKind, Driver, DriverError, Fault,
    Identity, Observation, PowerAction, Query, SERVER_POWER, SERVERS, Scope,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{FixedClock, changes, somebody};

/// BMCs, some of which answer.
struct Bmcs {
    configured: Vec<Board>,
    /// Who answers where. Who is missing here is silent.
    answering: Mutex<HashMap<BoardId, &'static str>>,
    asked: Mutex<Vec<BoardId>>,
    changed: Mutex<Vec<BoardId>>,
}

impl Bmcs {
    fn is_asked(&self) -> Vec<BoardId> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn answer(&self, place: u32, identity: &'static str) {
        self.answering.lock().unwrap().insert(server(place), identity);
    }
}

fn silence() -> DriverError {
    DriverError::new(Fault::Timeout, "no answer")
}

impl Driver for Bmcs {
    fn name(&self) -> &'static str {
        "ipmi"
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn configured(&self) -> Vec<Board> {
        self.configured.clone()
    }

    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        let Scope::Board(place) = scope else { unreachable!("configured boards are asked one by one") };
        self.asked.lock().unwrap().push(place);
        let identity = self.answering.lock().unwrap().get(&place).copied();
        let board = self.configured.iter().find(|board| board.id == place).cloned();
        Box::pin(async move {
            let identity = Some(Identity(identity.ok_or_else(silence)?.to_owned()));
            Ok(vec![Board { identity, ..board.unwrap() }])
        })
    }

    fn read(&self, query: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async move { Ok(Observation::Version(query.board().to_string())) })
    }

    fn perform(&self, action: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        self.changed.lock().unwrap().push(action.device().board);
        Box::pin(async { Ok(Observation::Done) })
    }
}

fn server(n: u32) -> BoardId {
    BoardId(SERVERS.start().0 + n)
}

fn bmc(place: u32, address: u8) -> Board {
    Board { ip_addresses: vec![IpAddr::from([10, 1, 0, address])], ..Board::new(server(place), Vec::new()) }
}

/// A gateway in front of BMCs at the addresses of `order`, which remembers in `folder`.
fn open(folder: &TempDir, order: &[u8]) -> (Gateway, Arc<Bmcs>) {
    let bmcs = Arc::new(Bmcs {
        configured: (1..).zip(order).map(|(place, address)| bmc(place, *address)).collect(),
        answering: Mutex::default(),
        asked: Mutex::default(),
        changed: Mutex::default(),
    });
    let mount = Mount {
        driver: Arc::<Bmcs>::clone(&bmcs),
        boards: SERVERS,
        rack: "rack_8".to_owned(),
        annotations: Vec::new(),
        max_changes: 4,
    };
    let (store, stored, set_aside) = Store::open(folder.path().join("inventory.db")).unwrap();
    assert_eq!(set_aside, None);
    let audit = AuditLog::open(folder.path().join("audit.db"), Arc::new(FixedClock)).unwrap();
    let equipment = Equipment { mounts: vec![mount], ..Equipment::default() };
    let settings = Settings { cache: Duration::from_secs(60), ..Settings::default() };
    let records = Records { store: Some((store, stored)), ..Records::from(audit) };
    (Gateway::new(equipment, records, Policy::open(), Arc::new(FixedClock), settings), bmcs)
}

async fn run(gateway: &Gateway, command: Command) -> Result<Outcome, GatewayError> {
    gateway.execute(&somebody(), command).await
}

async fn switch_off(gateway: &Gateway, board: BoardId) -> Result<Outcome, GatewayError> {
    let device = DeviceAddress { board, device: SERVER_POWER };
    let action = Action::Power { device, kind: DeviceKind::Power, action: PowerAction::Off };
    run(gateway, Command::Action(action)).await
}

fn states(gateway: &Gateway) -> Vec<BoardState> {
    gateway.view(somebody()).unwrap().boards().iter().map(|board| board.state).collect()
}

#[tokio::test]
async fn a_scan_lists_servers_and_a_refresh_asks_them() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, bmcs) = open(&folder, &[1, 2]);
    bmcs.answer(1, "uuid:a");
    let Ok(Outcome::Scan(report)) = run(&gateway, Command::Scan(Scope::All)).await else { panic!() };
    assert_eq!((report.boards.len(), bmcs.is_asked()), (2, vec![]));
    assert_eq!(states(&gateway), [BoardState::Unknown, BoardState::Unknown]);

    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    assert_eq!(bmcs.is_asked().len(), 2);
    assert_eq!(states(&gateway), [BoardState::Present, BoardState::Unknown]);
    let failure = gateway.view(somebody()).unwrap().board(server(2)).unwrap().failure.clone().unwrap();
    assert_eq!(failure.code, "timeout", "one that is silent hides nobody");
}

#[tokio::test]
async fn a_forgotten_server_is_forgotten_on_the_disk_too() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, bmcs) = open(&folder, &[1, 2]);
    bmcs.answer(1, "uuid:a");
    bmcs.answer(2, "uuid:b");
    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    bmcs.answering.lock().unwrap().remove(&server(2));
    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    gateway.forget(&somebody(), server(2)).await.unwrap();
    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    assert_eq!(states(&gateway), [BoardState::Present], "silence does not bring it back");
    assert!(matches!(switch_off(&gateway, server(2)).await, Err(GatewayError::UnknownBoard(_))));
    gateway.shutdown().await;
    drop(gateway);

    // The configuration does not name it any more either.
    let (gateway, _) = open(&folder, &[1]);
    assert_eq!(gateway.view(somebody()).unwrap().board(server(2)), None);
    let last = gateway.view(somebody()).unwrap().changes(0, 100).changes.pop().unwrap();
    assert_eq!((last.kind, last.board), (ChangeKind::Forgotten, server(2)));
}

#[tokio::test(start_paused = true)]
async fn what_was_looked_for_lately_is_only_told() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, bmcs) = open(&folder, &[1]);
    bmcs.answer(1, "uuid:a");
    run(&gateway, Command::List(Scope::All)).await.unwrap();
    assert_eq!(bmcs.is_asked(), [server(1)]);
    tokio::time::advance(Duration::from_secs(60)).await;
    run(&gateway, Command::List(Scope::All)).await.unwrap();
    assert_eq!(bmcs.is_asked(), []);
    tokio::time::advance(Duration::from_millis(1)).await;
    run(&gateway, Command::List(Scope::All)).await.unwrap();
    assert_eq!(bmcs.is_asked(), [server(1)]);
}

#[tokio::test(start_paused = true)]
async fn everything_is_looked_for_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, bmcs) = open(&folder, &[1]);
    bmcs.answer(1, "uuid:a");
    let stop = CancellationToken::new();
    let looking = gateway.keep_looking(Duration::from_secs(300), stop.clone());
    let watching = async {
        gateway.wait_for_change(&somebody(), 0).await;
        assert_eq!(states(&gateway), [BoardState::Present]);
        bmcs.answering.lock().unwrap().clear();
        gateway.wait_for_change(&somebody(), 1).await;
        stop.cancel();
    };
    tokio::join!(looking, watching);
    let kinds: Vec<ChangeKind> =
        gateway.view(somebody()).unwrap().changes(0, 10).changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Appeared, ChangeKind::Vanished]);
    assert_eq!(bmcs.is_asked().len(), 2);
}

#[tokio::test]
async fn after_a_restart_a_server_proves_who_it_is_before_it_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, bmcs) = open(&folder, &[1, 2]);
    bmcs.answer(1, "uuid:a");
    bmcs.answer(2, "uuid:b");
    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    gateway.shutdown().await;
    drop(gateway);

    // The configuration is sorted differently now, and a machine has come to the address of the first one.
    let (gateway, bmcs) = open(&folder, &[2, 1]);
    bmcs.answer(1, "uuid:b");
    bmcs.answer(2, "uuid:new");
    assert_eq!(states(&gateway), [BoardState::Present, BoardState::Present], "what was known is known");
    switch_off(&gateway, server(2)).await.unwrap();
    assert_eq!(bmcs.is_asked(), [server(1)], "its address says where it is now");
    assert_eq!(*bmcs.changed.lock().unwrap(), [server(1)]);

    let error = switch_off(&gateway, server(1)).await.unwrap_err();
    assert_eq!(error.code(), "displaced");
    assert_eq!(*bmcs.changed.lock().unwrap(), [server(1)], "the machine that answers instead is not changed");
    let stranger = gateway
        .view(somebody())
        .unwrap()
        .boards()
        .into_iter()
        .find(|board| board.place == Some(server(2)))
        .unwrap();
    assert_eq!(stranger.id, server(3));
    switch_off(&gateway, server(2)).await.unwrap();
    assert_eq!(bmcs.is_asked(), [server(2)], "who has proved it once is not asked again");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_machine_that_comes_to_the_address_of_a_silent_one_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, bmcs) = open(&folder, &[1]);
    bmcs.answer(1, "uuid:a");
    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    switch_off(&gateway, server(1)).await.unwrap();
    bmcs.answering.lock().unwrap().clear();
    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    bmcs.answer(1, "uuid:b");
    assert_eq!(switch_off(&gateway, server(1)).await.unwrap_err().code(), "displaced");
    assert_eq!(bmcs.changed.lock().unwrap().len(), 1);
    let audit = changes(&folder.path().join("audit.db"));
    assert!(audit.iter().all(|entry| entry["identity"] == "uuid:a"), "{audit:?}");
    assert_eq!(
        (&audit[0]["target"]["name"], &audit[0]["target"]["rack"]),
        (&"40000001".into(), &"rack_8".into())
    );
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_is_not_changed_but_read() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, bmcs) = open(&folder, &[1]);
    bmcs.answer(1, "uuid:a");
    run(&gateway, Command::Refresh(Scope::All)).await.unwrap();
    gateway.shutdown().await;
    drop(gateway);

    let (gateway, bmcs) = open(&folder, &[1]);
    let error = switch_off(&gateway, server(1)).await.unwrap_err();
    assert_eq!(error.code(), "timeout");
    assert!(bmcs.changed.lock().unwrap().is_empty());
    run(&gateway, Command::Query(Query::Version(server(1)))).await.unwrap();
    gateway.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_young_enough_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, _bmcs) = open(&folder, &[1]);
    let query = Query::Version(server(1));
    let read =
        async |max_age| gateway.read(&somebody(), query, Duration::from_secs(max_age)).await.unwrap().age;
    assert_eq!(read(10).await, Duration::ZERO);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(read(10).await, Duration::from_secs(3));
    assert_eq!(read(0).await, Duration::ZERO, "asked again");
    tokio::time::advance(Duration::from_secs(3)).await;
    switch_off(&gateway, server(1)).await.unwrap();
    assert_eq!(read(10).await, Duration::from_secs(3), "a version does not change with the power");
}
