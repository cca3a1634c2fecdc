//! Values that are read before anybody asks: at which pace, and what a board that fails costs the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opendcre_gateway::{
    AuditLog, BoardState, Command, Equipment, Gateway, Mount, Policy, PollRule, PollSettings, PollState,
    Settings,
};
use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Capabilities, Capability, Context, Device, DeviceAddress, DeviceId,
    DeviceKind, Driver, DriverError, Fault, Health, Measurement, Number, Observation, Priority, Quality,
    Quantity, Query, Reading, Scope,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep};
use tokio_util::sync::CancellationToken;

use crate::support::{FixedClock, failure, somebody};

/// How long an answer takes.
const ANSWER: Duration = Duration::from_millis(50);
/// How long it takes to notice that none comes.
const SILENCE: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_secs(60);

/// Boards with temperature sensors, on one wire or on one for each of them.
pub(crate) struct Sensors {
    boards: Vec<Board>,
    has_many_wires: bool,
    /// How the boards and devices fail that do.
    faults: Mutex<HashMap<(u32, Option<u16>), Fault>>,
    asked: Mutex<Vec<(Instant, Query, Priority)>>,
    /// How many questions are on the wires now, and how many were at the same time at most.
    on_wire: Mutex<(usize, usize)>,
    /// How often a single board was looked for.
    looks: AtomicU64,
}

impl Sensors {
    pub(crate) fn new(boards: u32, devices: u16, has_many_wires: bool) -> Arc<Self> {
        let device =
            |id| Device::new(DeviceId(id), DeviceKind::Temperature, Capabilities::of(&[Capability::Reading]));
        let board = |id| Board::new(BoardId(id), (1..=devices).map(device).collect());
        Arc::new(Self {
            boards: (1..=boards).map(board).collect(),
            has_many_wires,
            faults: Mutex::default(),
            asked: Mutex::default(),
            on_wire: Mutex::default(),
            looks: AtomicU64::new(0),
        })
    }

    fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    fn fail(&self, board: u32, device: Option<u16>, fault: Option<Fault>) {
        let mut faults = self.faults.lock().unwrap();
        faults.remove(&(board, device));
        faults.extend(fault.map(|fault| ((board, device), fault)));
    }

    fn fault(&self, board: BoardId, device: Option<DeviceId>) -> Option<Fault> {
        let faults = self.faults.lock().unwrap();
        let of_device = device.and_then(|device| faults.get(&(board.0, Some(device.0))));
        of_device.or_else(|| faults.get(&(board.0, None))).copied()
    }

    /// How often a board was asked for values since the last time.
    fn take_count(&self, board: u32) -> usize {
        let mut asked = self.asked.lock().unwrap();
        let before = asked.len();
        asked.retain(|(_, query, _)| query.board() != BoardId(board));
        before - asked.len()
    }

    fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }

    async fn wire<T>(&self, fault: Option<Fault>, answer: impl FnOnce() -> T) -> Result<T, DriverError> {
        {
            let (now, most) = &mut *self.on_wire.lock().unwrap();
            *now += 1;
            *most = (*most).max(*now);
        }
        sleep(if fault == Some(Fault::Timeout) { SILENCE } else { ANSWER }).await;
        self.on_wire.lock().unwrap().0 -= 1;
        match fault {
            Some(fault) => Err(failure("a", fault)),
            None => Ok(answer()),
        }
    }
}

impl Driver for Sensors {
    fn name(&self) -> &'static str {
        "a"
    }

    fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    fn configured(&self) -> Vec<Board> {
        if self.has_many_wires { self.boards.clone() } else { Vec::new() }
    }

    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Box::pin(async move {
            match scope {
                Scope::All => Ok(self.boards.clone()),
                Scope::Board(id) => {
                    self.looks.fetch_add(1, Ordering::Relaxed);
                    let board = self.boards.iter().filter(|board| board.id == id).cloned().collect();
                    self.wire(self.fault(id, None), || board).await
                }
            }
        })
    }

    fn read(&self, query: Query, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        if matches!(query, Query::Version(_)) {
            return Box::pin(async { Ok(Observation::Version("1".to_owned())) });
        }
        self.asked.lock().unwrap().push((Instant::now(), query, context.priority));
        let fault = self.fault(query.board(), query.device().map(|device| device.device));
        Box::pin(self.wire(fault, reading))
    }

    fn perform(&self, _: Action, _: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(async { Err(failure("a", Fault::Unsupported)) })
    }
}

fn reading() -> Observation {
    Observation::Sensor(Reading {
        kind: DeviceKind::Temperature,
        raw: Number::from(21),
        measurements: vec![Measurement { quantity: Quantity::TemperatureCelsius, value: 21.0 }],
        quality: Quality::Good,
        health: Health::Ok,
        states: Vec::new(),
        measured_at: jiff::Timestamp::UNIX_EPOCH,
        source: "a".into(),
    })
}

/// A gateway that polls `driver`.
struct Room {
    gateway: Gateway,
    stop: CancellationToken,
    _polling: JoinSet<()>,
    _folder: TempDir,
}

impl Room {
    /// Boards that were found, and are polled for a while.
    async fn polling(driver: &Arc<Sensors>, settings: PollSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock);
        let audit = AuditLog::open(folder.path().join("audit.db"), clock.clone()).unwrap();
        let mount = Mount {
            driver: Arc::<Sensors>::clone(driver),
            boards: BoardId(1)..=BoardId(0xffff),
            rack: "rack_1".to_owned(),
            annotations: Vec::new(),
            max_changes: 1,
        };
        let equipment = Equipment { mounts: vec![mount], ..Equipment::default() };
        let gateway = Gateway::new(equipment, audit.into(), Policy::open(), clock, Settings::default());
        let found = gateway.execute(&somebody(), Command::Refresh(Scope::All)).await;
        assert!(found.is_ok(), "{found:?}");
        let stop = CancellationToken::new();
        let (polled, stopped) = (gateway.clone(), stop.clone());
        let mut polling = JoinSet::new();
        polling.spawn(async move { polled.keep_polling(&settings, stopped).await });
        Self { gateway, stop, _polling: polling, _folder: folder }
    }

    fn is_known(&self, board: u32, device: u16) -> bool {
        let device = DeviceAddress { board: BoardId(board), device: DeviceId(device) };
        let query = Query::Sensor { device, kind: DeviceKind::Temperature };
        self.gateway.view(somebody()).unwrap().recent(query, MINUTE, Instant::now()).unwrap().is_some()
    }

    fn states(&self) -> Vec<PollState> {
        self.gateway.view(somebody()).unwrap().polls().iter().map(|status| status.state).collect()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn every_value_is_read_at_its_interval_behind_everything_else() {
    let driver = Sensors::new(3, 2, false);
    let room = Room::polling(&driver, PollSettings::default()).await;
    driver.forget();
    sleep(MINUTE).await;
    assert!((1..=3).all(|board| room.is_known(board, 1) && room.is_known(board, 2)));
    assert!(driver.asked.lock().unwrap().iter().all(|(_, _, priority)| *priority == Priority::Poll));
    driver.forget();
    sleep(10 * MINUTE).await;
    let counts: Vec<usize> = (1..=3).map(|board| driver.take_count(board)).collect();
    assert_eq!(counts, [40; 3], "two values of each, every 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_board_that_fails_is_asked_less_often_and_costs_the_others_nothing() {
    let driver = Sensors::new(3, 2, false);
    driver.fail(2, None, Some(Fault::Timeout));
    let room = Room::polling(&driver, PollSettings::default()).await;
    sleep(10 * MINUTE).await;
    driver.forget();
    sleep(20 * MINUTE).await;
    assert_eq!([driver.take_count(1), driver.take_count(3)], [80; 2]);
    // It is looked for before its values are asked for, and it is not there.
    assert_eq!(driver.take_count(2), 0);
    let missing = room.gateway.view(somebody()).unwrap().board(BoardId(2)).unwrap();
    assert_eq!(missing.state, BoardState::Missing);
    assert_eq!(room.states(), [PollState::Waiting, PollState::Failing, PollState::Waiting]);

    driver.fail(2, None, None);
    sleep(10 * MINUTE).await;
    assert!(room.is_known(2, 1) && room.is_known(2, 2));
    assert_eq!(room.states(), [PollState::Waiting; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_fails_is_told_with_its_reason_and_the_others_are_read() {
    let driver = Sensors::new(1, 3, false);
    driver.fail(1, Some(2), Some(Fault::Timeout));
    driver.fail(1, Some(3), Some(Fault::Unsupported));
    let room = Room::polling(&driver, PollSettings::default()).await;
    sleep(2 * MINUTE).await;
    assert!(room.is_known(1, 1));
    let polls = room.gateway.view(somebody()).unwrap().polls();
    let [status] = polls.as_slice() else { panic!("{polls:?}") };
    assert_eq!((status.state, status.values, status.unsupported), (PollState::Partial, 3, 1));
    let [(query, why)] = status.failures.as_slice() else { panic!("{status:?}") };
    assert_eq!(query.device().unwrap().device, DeviceId(2));
    assert_eq!((why.code.as_str(), why.message.as_str()), ("timeout", "bus a failed: timeout"));

    driver.forget();
    sleep(10 * MINUTE).await;
    let asked = driver.asked.lock().unwrap();
    assert!(!asked.iter().any(|(_, query, _)| query.device().unwrap().device == DeviceId(3)), "it rests");
}

#[tokio::test(start_paused = true)]
async fn one_wire_is_asked_one_question_at_a_time_and_many_side_by_side() {
    for (has_many_wires, most) in [(false, 1..=1), (true, 2..=4)] {
        let driver = Sensors::new(4, 100, has_many_wires);
        let room = Room::polling(&driver, PollSettings::default()).await;
        *driver.on_wire.lock().unwrap() = (0, 0);
        sleep(2 * MINUTE).await;
        assert!((1..=4).all(|board| room.is_known(board, 100)));
        let (_, at_once) = *driver.on_wire.lock().unwrap();
        assert!(most.contains(&at_once), "{at_once} at once, many wires: {has_many_wires}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wire_that_is_too_slow_for_its_interval_is_shared_fairly() {
    let driver = Sensors::new(4, 200, false);
    let room = Room::polling(&driver, PollSettings::default()).await;
    sleep(10 * MINUTE).await;
    driver.forget();
    // Each board takes 10 s, so that a turn of all of them takes 40 s.
    sleep(20 * MINUTE).await;
    let counts: Vec<usize> = (1..=4).map(|board| driver.take_count(board)).collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least >= 19 * 200 && most - least <= 200, "{counts:?}");
    assert!(room.gateway.view(somebody()).unwrap().polls().iter().all(|status| status.skipped > 0));
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_fits_decides() {
    let driver = Sensors::new(3, 1, false);
    let rule = |board: Option<&str>, interval| PollRule {
        board: board.map(str::to_owned),
        kinds: vec![DeviceKind::Temperature],
        interval: Duration::from_secs(interval),
        ..PollRule::default()
    };
    let rules = vec![rule(Some("*1"), 0), rule(Some("*2"), 10), rule(None, 120)];
    let _room = Room::polling(&driver, PollSettings { rules, ..PollSettings::default() }).await;
    sleep(10 * MINUTE).await;
    driver.forget();
    sleep(20 * MINUTE).await;
    assert_eq!([driver.take_count(1), driver.take_count(2), driver.take_count(3)], [0, 120, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_stall_of_the_whole_machine_is_not_made_up_for() {
    let driver = Sensors::new(1, 1, false);
    let _room = Room::polling(&driver, PollSettings::default()).await;
    sleep(2 * MINUTE).await;
    driver.forget();
    advance(60 * MINUTE).await;
    sleep(MINUTE).await;
    let count = driver.take_count(1);
    assert!((2..=4).contains(&count), "{count} questions in the minute after a stall of an hour");
}

#[tokio::test(start_paused = true)]
async fn whether_boards_answer_is_seen_in_the_rounds_that_come_most_often() {
    let driver = Sensors::new(3, 2, true);
    driver.fail(2, None, Some(Fault::Timeout));
    let rule = |board: &str, interval| PollRule {
        board: Some(board.to_owned()),
        interval: Duration::from_secs(interval),
        ..PollRule::default()
    };
    let rules = vec![rule("*3", 0)];
    let room = Room::polling(&driver, PollSettings { rules, ..PollSettings::default() }).await;
    let answering = || room.gateway.view(somebody()).unwrap().answering();
    assert!(answering().values().all(|board| board.is_up.is_none()));
    sleep(2 * MINUTE).await;
    let now = answering();
    let up = |board| now.get(&BoardId(board)).map(|board| (board.is_up, board.slowest));
    let half = Duration::from_secs(30);
    assert_eq!([up(1), up(2), up(3)], [Some((Some(true), half)), Some((Some(false), half)), None]);

    let statistics = room.gateway.poll_statistics();
    assert!(statistics.unanswered >= 1 && statistics.rounds > statistics.unanswered, "{statistics:?}");
    assert_eq!((statistics.ages.len(), statistics.skipped), (1, 0));
    assert!(statistics.ages[0] <= half + half / 16 + SILENCE, "{statistics:?}");
}

#[tokio::test(start_paused = true)]
async fn a_board_that_is_missing_is_looked_for_once_in_a_round() {
    let driver = Sensors::new(1, 1, true);
    driver.fail(1, None, Some(Fault::Timeout));
    let room = Room::polling(&driver, PollSettings::default()).await;
    sleep(10 * MINUTE).await;
    let (rounds, looks) = (room.gateway.poll_statistics().rounds, driver.looks());
    sleep(60 * MINUTE).await;
    let (rounds, looks) = (room.gateway.poll_statistics().rounds - rounds, driver.looks() - looks);
    assert!(rounds >= 10 && looks == rounds, "{looks} in {rounds} rounds");
}
