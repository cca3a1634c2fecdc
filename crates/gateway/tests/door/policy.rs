//! Who sees what, and who may do what, at the door.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use opendcre_gateway::{
    Annotation, AuditFile, AuditLog, AuditQuery, Command, Equipment, Gateway, GatewayError, Group,
    IdempotencyKey, JobAction, Mount, Order, Outcome, Policy, PolicySettings, Principal, Question, Rule,
    Settings, SubmitError, View,
};
use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Capabilities, Capability, Context, Device, DeviceAddress, DeviceId,
    DeviceKind, Driver, DriverError, Extent, Grant, Login, Observation, PowerAction, Query, Scope, Subject,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::FixedClock;

/// A bus whose boards have a power switch `0100` and a lamp `0200`, and do what they are told.
struct Bus {
    boards: Mutex<Vec<Board>>,
    performed: Mutex<Vec<Action>>,
}

impl Driver for Bus {
    fn name(&self) -> &str {
        "hat"
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn discover(&self, _: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Box::pin(async { Ok(self.boards.lock().unwrap().clone()) })
    }

    fn read(&self, _: Query, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async { Ok(Observation::Led { on: true }) })
    }

    fn perform(&self, action: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        self.performed.lock().unwrap().push(action);
        Box::pin(async { Ok(Observation::Done) })
    }
}

pub(crate) struct Room {
    pub(crate) gateway: Gateway,
    bus: Arc<Bus>,
    folder: TempDir,
}

const POWER: u16 = 0x0100;
const LED: u16 = 0x0200;

fn board(id: u32) -> Board {
    let device = |id, kind, capability| Device::new(DeviceId(id), kind, Capabilities::of(&[capability]));
    let devices = vec![
        device(POWER, DeviceKind::Power, Capability::PowerControl),
        device(LED, DeviceKind::Led, Capability::Led),
    ];
    Board::new(BoardId(id), devices)
}

fn address(board: u32, device: u16) -> DeviceAddress {
    DeviceAddress { board: BoardId(board), device: DeviceId(device) }
}

fn switch(board: u32) -> Command {
    let (device, kind) = (address(board, POWER), DeviceKind::Power);
    Command::Action(Action::Power { device, kind, action: PowerAction::Off })
}

fn label(board: u32) -> Command {
    Command::Action(Action::SetAssetText { device: address(board, POWER), text: "x".to_owned() })
}

fn lamp(board: u32) -> Command {
    Command::Query(Query::Led(address(board, LED)))
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

pub(crate) fn rule(role: &str, user: &str, extent: Extent) -> Rule {
    Rule { role: role.to_owned(), users: texts(&[user]), groups: Vec::new(), extent }
}

fn rack(name: &str) -> Extent {
    Extent { racks: texts(&[name]), ..Extent::default() }
}

pub(crate) fn person(name: &str) -> Principal {
    let subject = Subject { name: name.to_owned(), login: Login::Ldap, ..Subject::anonymous() };
    Principal { subject: subject.into(), remote: "192.0.2.7:4711".into(), request_id: "r-1".into() }
}

impl Room {
    /// The boards 1 and 2 in `rack_1` and 3 and 4 in `rack_2`, and these people: `root` may do everything, `otto`
    /// operates `rack_1`, `vera` views `rack_1`, `lisa` operates the lamps of `rack_1`, `mara` views everything and
    /// operates `rack_1`, and `eve` is nobody.
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = AuditLog::open(folder.path().join("audit.db"), Arc::new(FixedClock)).unwrap();
        let bus =
            Arc::new(Bus { boards: Mutex::new((1..=4).map(board).collect()), performed: Mutex::default() });
        let annotation = |id: u32| Annotation {
            board: BoardId(id),
            rack: Some(if id <= 2 { "rack_1" } else { "rack_2" }.to_owned()),
            name: Some(format!("node-{id}")),
            labels: BTreeMap::from([(format!("label-{id}"), "x".to_owned())]),
            groups: vec![format!("group-{id}")],
            ..Annotation::default()
        };
        let mount = Mount {
            driver: Arc::<Bus>::clone(&bus),
            boards: BoardId(1)..=BoardId(0xff),
            rack: "rack_1".to_owned(),
            annotations: (1..=4).map(annotation).collect(),
            max_changes: 4,
        };
        let group = |name: &str, members: &str| Group { name: name.to_owned(), members: members.to_owned() };
        let groups = vec![group("some", "node-[2-3]"), group("far", "rack_2"), group("broken", "node-99")];
        let lamps = Extent { devices: texts(&["led"]), ..rack("rack_1") };
        let rules = vec![
            rule("admin", "root", Extent::default()),
            rule("operator", "otto", rack("rack_1")),
            rule("viewer", "vera", rack("rack_1")),
            rule("operator", "lisa", lamps),
            rule("viewer", "mara", Extent::default()),
            rule("operator", "mara", rack("rack_1")),
        ];
        let policy = Policy::new(PolicySettings { rules, ..PolicySettings::default() }).unwrap();
        let equipment = Equipment { mounts: vec![mount], groups, ..Equipment::default() };
        let gateway = Gateway::new(equipment, audit.into(), policy, Arc::new(FixedClock), settings);
        gateway.execute(&person("root"), Command::Refresh(Scope::All)).await.unwrap();
        Self { gateway, bus, folder }
    }

    fn view(&self, name: &str) -> View {
        self.gateway.view(person(name)).unwrap()
    }

    async fn run(&self, name: &str, command: Command) -> Result<Outcome, GatewayError> {
        self.gateway.execute(&person(name), command).await
    }

    async fn code(&self, name: &str, command: Command) -> &'static str {
        self.run(name, command).await.map_or_else(|error| error.code(), |_| "ok")
    }

    pub(crate) fn order(&self, boards: &[u32]) -> Order {
        let view = self.view("root");
        let boards: Vec<_> = boards.iter().map(|id| view.board(BoardId(*id)).unwrap()).collect();
        let targets = boards.iter().map(|board| (&**board, &board.devices[0]));
        Order::change(&JobAction::Power(PowerAction::Off), targets, json!({}))
    }

    fn select(&self, name: &str, nodes: &str) -> Result<Vec<u32>, String> {
        let selected = self.view(name).select(nodes).map_err(|error| error.to_string())?;
        Ok(selected.iter().map(|board| board.id.0).collect())
    }

    pub(crate) fn performed(&self) -> usize {
        self.bus.performed.lock().unwrap().len()
    }

    /// Ends it, and tells what of its audit log is about refusals.
    pub(crate) async fn refusals(self) -> Vec<Value> {
        self.gateway.shutdown().await;
        drop(self.gateway);
        let file = AuditFile::new(self.folder.path().join("audit.db"));
        let records = file.page(&AuditQuery { limit: 100, ..AuditQuery::default() }).unwrap().entries;
        let entries = records.iter().map(|record| serde_json::from_str::<Value>(&record.text).unwrap());
        entries.filter(|entry| entry["kind"] == "refused").collect()
    }
}

#[tokio::test]
async fn what_may_not_be_read_does_not_exist_and_what_may_not_be_changed_is_forbidden() {
    let room = Room::new().await;
    for (name, board, read, control, configure) in [
        ("root", 1, "ok", "ok", "ok"),
        ("otto", 1, "ok", "ok", "forbidden"),
        ("vera", 1, "ok", "forbidden", "forbidden"),
        ("lisa", 1, "ok", "unknown_device", "unknown_device"),
        ("otto", 3, "unknown_board", "unknown_board", "unknown_board"),
        ("vera", 3, "unknown_board", "unknown_board", "unknown_board"),
        ("lisa", 3, "unknown_board", "unknown_board", "unknown_board"),
        ("mara", 3, "ok", "forbidden", "forbidden"),
        ("eve", 1, "forbidden", "forbidden", "forbidden"),
        ("otto", 9, "unknown_board", "unknown_board", "unknown_board"),
    ] {
        assert_eq!(room.code(name, lamp(board)).await, read, "{name} reads {board}");
        let before = room.performed();
        assert_eq!(room.code(name, switch(board)).await, control, "{name} controls {board}");
        assert_eq!(room.code(name, label(board)).await, configure, "{name} configures {board}");
        let done = [control, configure].iter().filter(|code| **code == "ok").count();
        assert_eq!(room.performed() - before, done);
    }
}

#[tokio::test]
async fn what_is_known_is_told_only_to_whoever_may_ask_for_it() {
    let room = Room::new().await;
    let query = Query::Led(address(3, LED));
    room.gateway.read(&person("root"), query, Duration::ZERO).await.unwrap();
    let known = |name| room.gateway.view(person(name))?.recent(query, Duration::MAX, Instant::now());
    assert!(known("mara").unwrap().is_some());
    assert_eq!(known("otto").unwrap_err().code(), "unknown_board");
    assert_eq!(
        room.gateway.read(&person("otto"), query, Duration::MAX).await.unwrap_err().code(),
        "unknown_board"
    );
    assert_eq!(known("eve").unwrap_err().code(), "forbidden");
}

#[tokio::test]
async fn listings_show_what_may_be_read() {
    let room = Room::new().await;
    let shown = |name| room.view(name).boards().iter().map(|board| board.id.0).collect::<Vec<_>>();
    assert_eq!(
        (shown("root"), shown("mara"), shown("otto")),
        (vec![1, 2, 3, 4], vec![1, 2, 3, 4], vec![1, 2])
    );
    assert_eq!(room.gateway.view(person("eve")).map(|_| ()).unwrap_err().code(), "forbidden");
    let otto = room.view("otto");
    assert!(otto.board(BoardId(3)).is_none());
    assert_eq!(otto.lookup("node-3").unwrap_err().code(), "unknown_board");
    assert_eq!(otto.lookup("3").unwrap_err().code(), "unknown_board");
    assert_eq!(otto.lookup("node-2").unwrap().id, BoardId(2));
    let groups = otto.groups();
    let groups: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.boards.as_slice())).collect();
    assert_eq!(groups, [("group-1", &[BoardId(1)][..]), ("group-2", &[BoardId(2)]), ("some", &[BoardId(2)])]);
    assert!(otto.groups().iter().all(|group| group.range.is_none() && group.failure.is_none()));
    assert_eq!(room.view("root").groups().len(), 7);
    let changes = otto.changes(0, 10).changes;
    assert_eq!(changes.iter().map(|change| change.board.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(room.view("root").changes(0, 10).changes.len(), 4);
    assert_ne!(otto.version(), room.view("root").version());
    assert_eq!(otto.version(), room.view("vera").version(), "who sees the same has the same version");
    assert_ne!(otto.version(), room.view("lisa").version());
}

#[tokio::test]
async fn node_ranges_see_only_what_may_be_read() {
    let room = Room::new().await;
    assert_eq!(room.select("otto", "all"), Ok(vec![1, 2]));
    assert_eq!(room.select("otto", "-node-1"), Ok(vec![2]));
    assert_eq!(room.select("otto", "some"), Ok(vec![2]), "a group is what of it may be read");
    assert_eq!(room.select("otto", "~node"), Ok(vec![1, 2]));
    assert_eq!(room.select("otto", "label-1=x"), Ok(vec![1]));
    assert_eq!(room.select("otto", "00000001-00000004"), Ok(vec![1, 2]));
    for hidden in
        ["node-3", "rack_2", "far", "broken", "label-3=x", "00000003", "node-[1-3]", "rack_2/node-3"]
    {
        assert!(room.select("mara", hidden).is_ok() || hidden == "broken", "{hidden}");
        let error = room.select("otto", hidden).unwrap_err();
        assert!(error.contains("no board"), "{hidden}: {error}");
    }
    assert_eq!(room.select("lisa", "kind=led"), Ok(vec![1, 2]));
    assert!(room.select("lisa", "kind=power").is_err(), "a device that is not shown is not found");
}

#[tokio::test]
async fn a_board_of_which_some_devices_may_be_read_is_shown_with_those() {
    let room = Room::new().await;
    let lisa = room.view("lisa");
    for board in
        [lisa.boards()[0].clone(), lisa.lookup("node-1").unwrap(), lisa.select("node-1").unwrap()[0].clone()]
    {
        assert_eq!(board.devices.iter().map(|device| device.id.0).collect::<Vec<_>>(), [LED]);
    }
    let Ok(Outcome::Scan(report)) = room.run("lisa", Command::Scan(Scope::Board(BoardId(1)))).await else {
        panic!()
    };
    assert_eq!(report.boards[0].devices.len(), 1);
    assert_eq!(room.code("lisa", Command::Query(Query::Version(BoardId(1)))).await, "ok");
}

#[tokio::test]
async fn scans_tell_what_may_be_read_also_of_what_is_new() {
    let room = Room::new().await;
    room.bus.boards.lock().unwrap().push(board(5));
    let found = async |name, command| match room.run(name, command).await {
        Ok(Outcome::Scan(report)) => report.boards.iter().map(|board| board.id.0).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(found("otto", Command::Scan(Scope::All)).await, [1, 2, 5], "it came into rack_1");
    assert_eq!(found("root", Command::Refresh(Scope::All)).await, [1, 2, 3, 4, 5]);
    assert_eq!(found("otto", Command::List(Scope::All)).await, [1, 2, 5]);
    assert_eq!(room.code("otto", Command::Scan(Scope::Board(BoardId(3)))).await, "unknown_board");
    assert_eq!(room.code("eve", Command::Scan(Scope::All)).await, "forbidden");
}

#[tokio::test]
async fn an_order_of_which_a_part_is_forbidden_is_refused_as_a_whole() {
    let room = Room::new().await;
    let submit = async |name, boards: &[u32]| {
        room.gateway.submit(&person(name), room.order(boards), None).await.map_err(|error| error.code())
    };
    assert_eq!(submit("mara", &[1, 3]).await.unwrap_err(), "forbidden");
    assert_eq!(submit("otto", &[1, 3]).await.unwrap_err(), "unknown_board");
    assert_eq!(submit("lisa", &[1]).await.unwrap_err(), "unknown_device");
    assert_eq!(submit("eve", &[1]).await.unwrap_err(), "forbidden");
    assert_eq!(room.performed(), 0);
    let job = submit("mara", &[1, 2]).await.unwrap().job;
    let job = room.gateway.finished(&person("mara"), job.id, Duration::from_secs(5)).await.unwrap().unwrap();
    assert_eq!((job.counts().ok, room.performed()), (2, 2));
}

#[tokio::test]
async fn jobs_are_seen_by_whoever_ordered_them_and_by_who_may_read_all_of_their_targets() {
    let room = Room::new().await;
    let near = room.gateway.submit(&person("root"), room.order(&[1]), None).await.unwrap().job.id;
    let far = room.gateway.submit(&person("root"), room.order(&[1, 3]), None).await.unwrap().job.id;
    let seen = |name| room.view(name).jobs().iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(
        (seen("root"), seen("mara"), seen("vera"), seen("lisa")),
        (vec![far, near], vec![far, near], vec![near], vec![])
    );
    assert!(room.view("vera").job(far).is_none());
    let finished = room.gateway.finished(&person("vera"), far, Duration::from_secs(5)).await.unwrap();
    assert_eq!(finished, None);
    let abort = |name, id| {
        room.gateway.abort(&person(name), id).map(|job| job.is_some()).map_err(|error| error.code())
    };
    assert_eq!(abort("root", far), Ok(true));
    assert_eq!(abort("mara", far), Err("forbidden"));
    assert_eq!(abort("mara", near), Ok(true));
    assert_eq!(abort("vera", near), Err("forbidden"));
    assert_eq!(abort("vera", far), Ok(false));
    assert_eq!(abort("eve", near), Err("forbidden"));

    let board = room.view("root").board(BoardId(1)).unwrap();
    let scan = async |name| {
        let order = Order::refresh([&*board], json!({}));
        room.gateway.submit(&person(name), order, None).await.unwrap().job.id
    };
    let (of_root, of_vera) = (scan("root").await, scan("vera").await);
    assert_eq!(abort("vera", of_root), Err("forbidden"), "to end what others do is more than to look");
    assert_eq!((abort("vera", of_vera), abort("otto", of_root)), (Ok(true), Ok(true)));
}

#[tokio::test]
async fn keys_belong_to_one_person_at_one_provider() {
    let room = Room::new().await;
    let key = || Some(IdempotencyKey { key: "k".to_owned(), fingerprint: [1; 32] });
    let first = room.gateway.submit(&person("root"), room.order(&[1]), key()).await.unwrap();
    let mut other = Subject::clone(&person("root").subject);
    other.provider = "elsewhere".to_owned();
    let other = Principal { subject: other.into(), ..person("root") };
    assert_eq!(room.gateway.replayed(&other, &key().unwrap()).await.unwrap(), None);
    let second = room.gateway.submit(&other, room.order(&[1]), key()).await.unwrap();
    assert!(!second.replayed && second.job.id != first.job.id);
    let again = room.gateway.replayed(&person("root"), &key().unwrap()).await.unwrap().unwrap();
    assert_eq!(again.job.id, first.job.id);
}

#[tokio::test]
async fn a_service_that_only_reads_refuses_everybody_what_they_know_of() {
    let room = Room::with(Settings { read_only: true, ..Settings::default() }).await;
    assert_eq!(room.code("root", switch(1)).await, "forbidden");
    assert_eq!(room.code("otto", switch(3)).await, "unknown_board");
    let refused = room.gateway.submit(&person("root"), room.order(&[1]), None).await;
    assert!(matches!(refused, Err(SubmitError::Forbidden { .. })));
}

#[tokio::test]
async fn the_audit_log_is_for_auditors_of_everything() {
    let room = Room::new().await;
    let may = |principal: &Principal| room.gateway.authorise_audit(principal).is_ok();
    assert!(may(&person("root")));
    assert!(!may(&person("mara")));
    let with = |role: &str, extent| {
        let grants = vec![Grant { role: role.to_owned(), extent }];
        Principal { subject: Subject { grants, ..Subject::anonymous() }.into(), ..person("") }
    };
    assert!(may(&with("auditor", Extent::default())));
    assert!(!may(&with("auditor", rack("rack_1"))), "the log is not divided");
}

#[tokio::test]
async fn whoever_waits_wakes_for_what_they_may_see() {
    let room = Room::new().await;
    let before = room.view("otto").changes(0, 10).latest;
    let otto = person("otto");
    let mut waiting = std::pin::pin!(room.gateway.wait_for_change(&otto, before));
    assert!(waiting.as_mut().now_or_never().is_none());
    room.bus.boards.lock().unwrap().retain(|board| board.id != BoardId(4));
    room.run("root", Command::Scan(Scope::All)).await.unwrap();
    assert!(waiting.as_mut().now_or_never().is_none(), "what happens elsewhere is no news");
    room.bus.boards.lock().unwrap().retain(|board| board.id != BoardId(2));
    room.run("root", Command::Scan(Scope::All)).await.unwrap();
    assert!(waiting.as_mut().now_or_never().is_some());
}

async fn why(room: &Room, asking: &str, user: Option<&str>, action: &str, target: Option<&str>) -> Value {
    let question = Question {
        user: user.map(str::to_owned),
        action: action.to_owned(),
        target: target.map(str::to_owned),
        ..Question::default()
    };
    match room.gateway.why(&person(asking), &question).await {
        Ok(told) => {
            let roles = told.considered.iter().map(|role| json!([role.rule, role.permits, role.reason]));
            json!([told.is_permitted, told.reason, roles.collect::<Vec<_>>()])
        }
        Err(error) => json!(error.to_string()),
    }
}

#[tokio::test]
async fn a_decision_is_explained_role_by_role() {
    let room = Room::new().await;
    assert_eq!(
        why(&room, "mara", None, "power", Some("node-[1-2]")).await,
        json!([
            true,
            "rule 6, which grants operator, permits it",
            [
                [5, false, "viewer does not include control"],
                [6, true, "operator includes control, and all of it is within its limits"],
            ]
        ])
    );
    assert_eq!(
        why(&room, "mara", None, "power", Some("all")).await,
        json!([
            false,
            "none of their roles permits all of it",
            [
                [5, false, "viewer does not include control"],
                [
                    6,
                    false,
                    "2 of 4 boards are within its limits: board 00000003 (node-3, rack_2) is in none of its racks"
                ],
            ]
        ])
    );
    let about_eve = why(&room, "root", Some("eve"), "read", Some("node-1")).await;
    assert_eq!((&about_eve[0], &about_eve[1]), (&json!(false), &json!("no role is granted to them")));
    assert_eq!(about_eve[2].as_array().unwrap().len(), 6, "whoever owns the rules sees all of them");
    assert_eq!(about_eve[2][0], json!([1, false, "it is for others"]));
    assert_eq!(why(&room, "root", None, "audit", None).await[0], true);
    assert_eq!(why(&room, "otto", None, "audit", Some("node-1")).await[0], false);
    assert_eq!(
        why(&room, "mara", Some("mara"), "read", None).await[1],
        "rule 5, which grants viewer, permits it"
    );
    assert_eq!(
        why(&room, "lisa", None, "led", Some("node-1")).await[0],
        false,
        "there is more in it than lamps"
    );
}

#[tokio::test]
async fn about_others_only_owners_may_ask() {
    let room = Room::new().await;
    let refused = why(&room, "mara", Some("root"), "read", None).await;
    assert!(refused.as_str().unwrap().contains("may not do this"), "{refused}");
    let other = Question { user: Some("ldap:corp/mara".to_owned()), ..Question::default() };
    let other = Question { action: "read".to_owned(), ..other };
    assert!(room.gateway.why(&person("mara"), &other).await.is_err(), "somebody else of the same name");
    let unknown = why(&room, "otto", None, "power", Some("node-3")).await;
    assert!(unknown.as_str().unwrap().contains("no board"), "{unknown}");
    assert!(
        why(&room, "root", None, "dance", None).await.as_str().unwrap().contains("\"dance\" is no action")
    );
}
