//! Jobs that are carried out through a door that does what a test says, in virtual time.

mod keys;

use std::collections::HashSet;

use opendcre_model::{
    Action, BoardId, BootOverride, BootTarget, Capabilities, ChamberLedSetting, Device, DeviceAddress,
    DeviceId, DeviceKind, DriverError, Fault, Identify, Login, Observation, PowerAction, Rgb, Scope, Subject,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::run::PARALLEL;
use super::*;
use crate::testing;
use crate::{BoardRecord, ScanReport};

/// How long the door takes for one target.
const TURN: Duration = Duration::from_secs(1);

/// What a door answers, given the board and how often it was asked before.
type Script = fn(BoardId, usize) -> Result<Outcome, GatewayError>;

struct FakeDoor {
    script: Script,
    calls: Mutex<Vec<Command>>,
    running: Mutex<HashSet<BoardId>>,
    peak: Mutex<usize>,
}

impl FakeDoor {
    fn new(script: Script) -> Arc<Self> {
        Arc::new(Self { script, calls: Mutex::default(), running: Mutex::default(), peak: Mutex::default() })
    }

    fn calls(&self) -> Vec<Command> {
        self.calls.lock().unwrap().clone()
    }

    fn enter(&self, board: BoardId, command: Command) -> usize {
        let mut calls = self.calls.lock().unwrap();
        let before = calls.iter().filter(|call| **call == command).count();
        calls.push(command);
        let mut running = self.running.lock().unwrap();
        assert!(running.insert(board), "two changes of one board at the same time");
        let mut peak = self.peak.lock().unwrap();
        *peak = running.len().max(*peak);
        before
    }
}

impl Door for FakeDoor {
    fn carry_out<'a>(
        &'a self,
        _: &'a Principal,
        command: Command,
    ) -> BoxFuture<'a, Result<Outcome, GatewayError>> {
        let board = match &command {
            Command::Action(action) => action.device().board,
            Command::Refresh(Scope::Board(board)) => *board,
            other => panic!("{other:?} is nothing that jobs do"),
        };
        Box::pin(async move {
            let before = self.enter(board, command);
            sleep(TURN).await;
            self.running.lock().unwrap().remove(&board);
            (self.script)(board, before)
        })
    }
}

struct FakeClock(Mutex<Timestamp>);

impl FakeClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-12-01T10:00:00Z".parse().unwrap())))
    }

    fn advance(&self, hours: i64) {
        let mut now = self.0.lock().unwrap();
        *now += jiff::SignedDuration::from_hours(hours);
    }
}

impl WallClock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn jobs_in_memory() -> Jobs {
    Jobs::new(Vec::new(), None, FakeClock::new())
}

fn principal(name: &str) -> Principal {
    let subject = Subject { name: name.to_owned(), ..Subject::anonymous() };
    Principal { subject: subject.into(), remote: "127.0.0.1:40000".into(), request_id: "r-1".into() }
}

fn board(id: u32) -> BoardRecord {
    testing::board(id, &format!("node-{id}"))
}

fn device(id: u16) -> Device {
    Device::new(DeviceId(id), DeviceKind::Power, Capabilities::NONE)
}

/// The order to switch on these devices of these boards.
fn order(targets: impl IntoIterator<Item = (u32, u16)>) -> Order {
    let targets: Vec<_> = targets.into_iter().map(|(b, d)| (board(b), device(d))).collect();
    let targets = targets.iter().map(|(board, device)| (board, device));
    Order::change(&JobAction::Power(PowerAction::On), targets, json!({ "nodes": "all", "action": "on" }))
}

fn power_on(board: u32, device: u16) -> Command {
    let device = DeviceAddress { board: BoardId(board), device: DeviceId(device) };
    Command::Action(Action::Power { device, kind: DeviceKind::Power, action: PowerAction::On })
}

fn done() -> Result<Outcome, GatewayError> {
    Ok(Outcome::Observation(Observation::Led { on: true }))
}

fn fails(fault: Fault) -> Result<Outcome, GatewayError> {
    Err(DriverError::new(fault, "it failed").into())
}

fn busy() -> Result<Outcome, GatewayError> {
    fails(Fault::Busy { retry_after: Duration::from_secs(2) })
}

async fn submit(jobs: &Jobs, door: &Arc<FakeDoor>, order: Order) -> JobId {
    let door: Arc<dyn Door> = Arc::<FakeDoor>::clone(door);
    let submitted = jobs.submit(door, &principal("anonymous"), order, None).await.unwrap();
    assert!(!submitted.replayed);
    submitted.job.id
}

/// Carries out an order to its end.
async fn carry_out(door: &Arc<FakeDoor>, order: Order) -> Arc<JobRecord> {
    let jobs = jobs_in_memory();
    let id = submit(&jobs, door, order).await;
    jobs.wait(id, Duration::from_secs(3_600)).await.unwrap()
}

fn states(job: &JobRecord) -> Vec<TargetState> {
    job.results.iter().map(|result| result.state).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_shows_what_was_ordered_and_what_came_of_it() {
    let jobs = jobs_in_memory();
    let door = FakeDoor::new(|board, _| if board == BoardId(2) { fails(Fault::Timeout) } else { done() });
    let id = submit(&jobs, &door, order([(1, 0x100), (2, 0x100)])).await;
    assert_eq!(jobs.get(id).unwrap().state, JobState::Running);
    let job = jobs.wait(id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(
        serde_json::to_value(&*job).unwrap(),
        json!({
            "id": id.to_string(),
            "kind": "power",
            "request": { "nodes": "all", "action": "on" },
            "principal": "anonymous",
            "login": "anonymous",
            "provider": "",
            "state": "done",
            "created": "2026-12-01T10:00:00Z",
            "finished": "2026-12-01T10:00:00Z",
            "results": [
                {
                    "board": "00000001",
                    "board_name": "node-1",
                    "rack": "rack_1",
                    "device": "0100",
                    "state": "ok",
                    "result": { "on": true },
                },
                {
                    "board": "00000002",
                    "board_name": "node-2",
                    "rack": "rack_1",
                    "device": "0100",
                    "state": "failed",
                    "code": "timeout",
                    "message": "it failed",
                },
            ],
        })
    );
    let read: JobRecord = serde_json::from_value(serde_json::to_value(&*job).unwrap()).unwrap();
    assert_eq!(read, *job);
    assert_eq!(jobs.list(), [job]);
    assert_eq!(jobs.get(JobId(1)), None);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_time_or_the_job() {
    let jobs = jobs_in_memory();
    let door = FakeDoor::new(|_, _| done());
    let id = submit(&jobs, &door, order([(1, 1), (1, 2)])).await;
    let started = Instant::now();
    let job = jobs.wait(id, TURN + TURN / 2).await.unwrap();
    assert_eq!(states(&job), [TargetState::Ok, TargetState::Running]);
    assert_eq!(started.elapsed(), TURN + TURN / 2);
    let job = jobs.wait(id, Duration::from_secs(50)).await.unwrap();
    assert_eq!((job.state, job.counts().ok), (JobState::Done, 2));
    assert_eq!(started.elapsed(), 2 * TURN);
    assert_eq!(jobs.wait(JobId(1), TURN).await, None);
}

#[tokio::test(start_paused = true)]
async fn many_boards_are_attended_to_at_the_same_time_but_not_all() {
    let door = FakeDoor::new(|_, _| done());
    let started = Instant::now();
    let job = carry_out(&door, order((1..=100).map(|board| (board, 1)))).await;
    assert_eq!(job.counts(), JobCounts { total: 100, ok: 100, ..JobCounts::default() });
    assert_eq!(*door.peak.lock().unwrap(), PARALLEL);
    assert_eq!(started.elapsed(), 4 * TURN);
}

#[tokio::test(start_paused = true)]
async fn the_targets_of_a_board_are_attended_to_in_their_order() {
    let door = FakeDoor::new(|_, _| done());
    let targets = [(1, 3), (2, 9), (1, 1), (2, 8), (1, 2)];
    let job = carry_out(&door, order(targets)).await;
    assert!(job.results.iter().map(|result| (result.board.0, result.device.unwrap().0)).eq(targets));
    let calls = door.calls();
    let of_board =
        |board| calls.iter().filter(|call| (1..=9).any(|d| **call == power_on(board, d))).cloned().collect();
    let (first, second): (Vec<_>, Vec<_>) = (of_board(1), of_board(2));
    assert_eq!(first, [power_on(1, 3), power_on(1, 1), power_on(1, 2)]);
    assert_eq!(second, [power_on(2, 9), power_on(2, 8)]);
}

#[tokio::test(start_paused = true)]
async fn an_order_without_targets_is_done() {
    let job = carry_out(&FakeDoor::new(|_, _| done()), order([])).await;
    assert_eq!((job.state, job.counts()), (JobState::Done, JobCounts::default()));
}

#[tokio::test(start_paused = true)]
async fn aborting_skips_what_has_not_begun_and_lets_the_rest_finish() {
    let jobs = jobs_in_memory();
    let door = FakeDoor::new(|_, _| done());
    let id = submit(&jobs, &door, order((1..=40).map(|board| (board, 1)))).await;
    sleep(TURN / 2).await;
    let counts = jobs.abort(id).unwrap().counts();
    assert_eq!(counts, JobCounts { total: 40, running: PARALLEL, skipped: 8, ..JobCounts::default() });
    let job = jobs.wait(id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(job.counts(), JobCounts { total: 40, ok: PARALLEL, skipped: 8, ..JobCounts::default() });
    assert_eq!(job.state, JobState::Aborted);
    assert_eq!(job.results[39].code.as_deref(), Some("aborted"));
    assert_eq!(door.calls().len(), PARALLEL);

    assert_eq!(jobs.abort(id), Some(job));
    assert_eq!(jobs.abort(JobId(1)), None);
}

#[tokio::test(start_paused = true)]
async fn a_busy_target_is_tried_again_when_it_said() {
    let door = FakeDoor::new(|_, before| if before < 2 { busy() } else { done() });
    let started = Instant::now();
    let job = carry_out(&door, order([(1, 1)])).await;
    assert_eq!(states(&job), [TargetState::Ok]);
    assert_eq!(door.calls().len(), 3);
    assert_eq!(started.elapsed(), 3 * TURN + Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_stays_busy_fails_in_the_end() {
    let door = FakeDoor::new(|_, _| busy());
    let started = Instant::now();
    let job = carry_out(&door, order([(1, 1)])).await;
    assert_eq!(states(&job), [TargetState::Failed]);
    assert_eq!(job.results[0].code.as_deref(), Some("busy"));
    assert_eq!(started.elapsed(), Duration::from_secs(60) + TURN);
}

#[tokio::test(start_paused = true)]
async fn a_busy_target_does_not_outlive_an_abort() {
    let jobs = jobs_in_memory();
    let door = FakeDoor::new(|_, _| busy());
    let id = submit(&jobs, &door, order([(1, 1), (2, 1)])).await;
    sleep(TURN + TURN / 2).await;
    assert_eq!(jobs.abort(id).unwrap().counts().skipped, 2);
    let started = Instant::now();
    let job = jobs.wait(id, Duration::from_secs(50)).await.unwrap();
    assert_eq!(job.state, JobState::Aborted);
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(door.calls().len(), 2);

    // One that is refused as busy after the abort does not begin to wait again.
    let id = submit(&jobs, &door, order([(1, 1), (1, 2)])).await;
    sleep(TURN / 2).await;
    jobs.abort(id).unwrap();
    let job = jobs.wait(id, Duration::from_secs(50)).await.unwrap();
    assert_eq!(states(&job), [TargetState::Failed, TargetState::Skipped]);
}

#[tokio::test(start_paused = true)]
async fn nothing_but_busy_is_ever_tried_again() {
    let door = FakeDoor::new(|board, _| match board.0 {
        1 => fails(Fault::Uncertain),
        2 => fails(Fault::Timeout),
        3 => fails(Fault::Corrupt),
        4 => Err(GatewayError::Forbidden { principal: "anonymous".to_owned(), reason: "it is forbidden" }),
        _ => Err(GatewayError::UnknownBoard(board)),
    });
    let job = carry_out(&door, order((1..=5).map(|board| (board, 1)))).await;
    let codes: Vec<_> = job.results.iter().map(|result| result.code.as_deref().unwrap()).collect();
    assert_eq!(codes, ["uncertain", "timeout", "corrupt", "forbidden", "unknown_board"]);
    assert_eq!(job.counts(), JobCounts { total: 5, failed: 4, uncertain: 1, ..JobCounts::default() });
    assert_eq!(job.state, JobState::Done);
    assert_eq!(door.calls().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_defect_ends_the_job_and_leaves_the_rest_uncertain() {
    let door = FakeDoor::new(|board, _| if board == BoardId(2) { panic!("a defect") } else { done() });
    let job = carry_out(&door, order([(1, 1), (2, 1), (2, 2)])).await;
    assert_eq!(states(&job), [TargetState::Ok, TargetState::Uncertain, TargetState::Uncertain]);
    assert_eq!(job.state, JobState::Interrupted);
    assert!(job.results[1].message.as_deref().unwrap().contains("read the state back"));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_waits_for_what_runs_and_skips_the_rest() {
    let jobs = jobs_in_memory();
    let door = FakeDoor::new(|_, _| done());
    let id = submit(&jobs, &door, order([(1, 1), (1, 2), (2, 1)])).await;
    sleep(TURN / 2).await;
    jobs.shutdown().await;
    let job = jobs.get(id).unwrap();
    assert_eq!(states(&job), [TargetState::Ok, TargetState::Skipped, TargetState::Ok]);
    assert_eq!((job.state, job.finished.is_some()), (JobState::Interrupted, true));
    assert_eq!(job.results[1].code.as_deref(), Some("shutting_down"));

    let refused = jobs.submit(door, &principal("anonymous"), order([(1, 1)]), None).await.unwrap_err();
    assert_eq!(refused.code(), "shutting_down");
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_door_refuses_is_skipped() {
    let door = FakeDoor::new(|_, _| Err(GatewayError::ShuttingDown));
    let job = carry_out(&door, order([(1, 1)])).await;
    assert_eq!((states(&job), job.state), (vec![TargetState::Skipped], JobState::Interrupted));
}

#[tokio::test(start_paused = true)]
async fn boards_are_asked_what_they_are() {
    let door = FakeDoor::new(|id, _| {
        let failures = vec![("hat".to_owned(), DriverError::new(Fault::Timeout, "nobody answers"))];
        Ok(Outcome::Scan(match id.0 {
            1 => ScanReport { boards: vec![Arc::new(board(1))], failures: Vec::new() },
            _ => ScanReport { boards: Vec::new(), failures },
        }))
    });
    let job = carry_out(&door, Order::refresh([&board(1), &board(2)], json!({}))).await;
    assert_eq!(door.calls(), [1, 2].map(|board| Command::Refresh(Scope::Board(BoardId(board)))));
    assert_eq!(job.kind, JobKind::Scan);
    assert_eq!(states(&job), [TargetState::Ok, TargetState::Failed]);
    assert_eq!(job.results[0].device, None);
    assert_eq!(job.results[0].result, Some(json!({ "state": "present" })));
    assert_eq!(job.results[1].message.as_deref(), Some("nobody answers"));
}

#[tokio::test(start_paused = true)]
async fn every_action_reaches_the_door_as_it_was_ordered() {
    let address = DeviceAddress { board: BoardId(1), device: DeviceId(0x100) };
    let boot = BootOverride { target: BootTarget::Pxe, persistent: true, efi: false };
    let setting = ChamberLedSetting {
        rack: "rack_1".to_owned(),
        on: Some(true),
        color: Some(Rgb([1, 2, 3])),
        blink: None,
    };
    let (on, color, blink) = (setting.on, setting.color, setting.blink);
    let text = "in repair".to_owned();
    let actions = [
        (JobAction::SetBootTarget(boot), Action::SetBootTarget { device: address, boot }, JobKind::Boot),
        (JobAction::SetLed { on: true }, Action::SetLed { device: address, on: true }, JobKind::Led),
        (
            JobAction::SetChamberLed { on, color, blink },
            Action::SetChamberLed { device: address, setting },
            JobKind::Led,
        ),
        (
            JobAction::Identify(Identify::Seconds(9)),
            Action::Identify { device: address, identify: Identify::Seconds(9) },
            JobKind::Identify,
        ),
        (
            JobAction::SetFanSpeed { rpm: 900 },
            Action::SetFanSpeed { device: address, rpm: 900 },
            JobKind::Fan,
        ),
        (
            JobAction::SetAssetText(text.clone()),
            Action::SetAssetText { device: address, text },
            JobKind::Asset,
        ),
    ];
    for (ordered, action, kind) in actions {
        let door = FakeDoor::new(|_, _| Ok(Outcome::Observation(Observation::Done)));
        let job = carry_out(&door, Order::change(&ordered, [(&board(1), &device(0x100))], json!({}))).await;
        assert_eq!((job.kind, job.results[0].result.as_ref()), (kind, None));
        assert_eq!(door.calls(), [Command::Action(action)]);
    }
}
