//! The bus driver on a real tty, with a scripted board at the other end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;
#[path = "tty/emulated.rs"]
mod emulated;
#[path = "tty/write.rs"]
mod write;

use std::sync::Arc;
use std::time::Duration;

use common::{Board, answer, context, eventually, open, silent};
use opendcre_devicebus::{Command, PowerSwitch, Protocol, ReplyMatching};
use opendcre_drivers::devicebus::{BusConfig, DeviceBus, LineError};
use opendcre_model::{
    Action, BoardId, DeviceAddress, DeviceId, DeviceKind, Driver, Fault, Identify, Observation, PowerAction,
    PowerState, Priority, Quality, Quantity, Query, Scope,
};

const DEVICE: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(0x01ff) };
const THERMISTOR: Query = Query::Sensor { device: DEVICE, kind: DeviceKind::Thermistor };

fn power(action: PowerAction) -> Action {
    Action::Power { device: DEVICE, kind: DeviceKind::Power, action }
}

#[tokio::test]
async fn a_reading_comes_with_unit_time_and_source() {
    let board = Board::start(answer(b"656"));
    let bus = open(board.config());
    let Observation::Sensor(reading) = bus.read(THERMISTOR, context(Priority::Read)).await.unwrap() else {
        panic!("not a reading");
    };
    assert_eq!(reading.raw.to_i64(), Some(656));
    assert_eq!(reading.value(&Quantity::TemperatureCelsius), Some(28.78));
    assert_eq!((reading.quality, &*reading.source), (Quality::Good, "test"));
    assert_eq!(reading.measured_at, common::TIME);
}

#[tokio::test]
async fn a_broken_thermistor_is_out_of_range_and_keeps_its_raw_value() {
    let board = Board::start(answer(b"65535"));
    let bus = open(board.config());
    let Observation::Sensor(reading) = bus.read(THERMISTOR, context(Priority::Read)).await.unwrap() else {
        panic!("not a reading");
    };
    assert_eq!((reading.quality, reading.raw.to_i64()), (Quality::OutOfRange, Some(65_535)));
    assert!(reading.measurements.is_empty());
}

#[tokio::test]
async fn a_silent_board_is_a_timeout_that_names_the_place() {
    let board = Board::start(silent());
    let bus = open(board.config());
    let error = bus.read(THERMISTOR, context(Priority::Read)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Timeout);
    assert!(error.message.starts_with("bus test: no answer within 250 ms"), "{error}");
}

#[tokio::test]
async fn nonsense_is_malformed() {
    let board = Board::start(answer(b"garbage"));
    let bus = open(board.config());
    assert_eq!(bus.read(THERMISTOR, context(Priority::Read)).await.unwrap_err().fault, Fault::Malformed);
}

#[tokio::test]
async fn a_scan_groups_devices_by_board() {
    let board = Board::start(|packet| {
        let device = |board, device, kind_code| opendcre_devicebus::Packet {
            sequence: packet.sequence,
            kind_code,
            board,
            device,
            data: vec![kind_code],
        };
        vec![device(7, 1, 0x9c), device(2, 1, 0x40), device(7, 2, 0x82)]
    });
    let bus = open(board.config());
    let boards = bus.discover(Scope::All, context(Priority::Scan)).await.unwrap();
    let found: Vec<_> = boards
        .iter()
        .map(|board| (board.id.0, board.devices.iter().map(|device| device.kind).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        found,
        [(7, vec![DeviceKind::Thermistor, DeviceKind::FanSpeed]), (2, vec![DeviceKind::Power])]
    );
}

#[tokio::test]
async fn many_callers_share_one_transaction() {
    let board = Board::start(answer(b"656"));
    let bus = open(board.config());
    // All of them ask before the owner gets to run: the test's runtime has one thread.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let bus = bus.clone();
        tasks.spawn(async move { bus.read(THERMISTOR, context(Priority::Read)).await });
    }
    while let Some(answer) = tasks.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(board.requests().len(), 1);
}

#[tokio::test]
async fn an_action_is_sent_once_and_its_state_is_read_back_after_doubt() {
    let board = Board::start(|packet| match packet.data.as_slice() {
        b"P?" => common::echo(packet, b"64,0,0,0"),
        _ => Vec::new(),
    });
    let bus = open(board.config());

    let off = bus.perform(power(PowerAction::Off), context(Priority::Control)).await.unwrap();
    assert!(matches!(off, Observation::Power(report) if report.state == PowerState::Off));

    let on = bus.perform(power(PowerAction::On), context(Priority::Control)).await.unwrap_err();
    assert_eq!(on.fault, Fault::Uncertain);
    assert!(on.message.contains("the device now reports power off"), "{on}");

    let cycle = bus.perform(power(PowerAction::Cycle), context(Priority::Control)).await.unwrap_err();
    assert_eq!(cycle.fault, Fault::Uncertain, "a state says nothing about a cycle");

    let sent = board.requests();
    let count = |command: &Command| sent.iter().filter(|packet| packet.data == command.encode()).count();
    let switches = [
        (PowerAction::Off, PowerSwitch::Off),
        (PowerAction::On, PowerSwitch::On),
        (PowerAction::Cycle, PowerSwitch::Cycle),
    ];
    for (action, switch) in switches {
        assert_eq!(count(&Command::Power(switch)), 1, "{action}");
    }
}

#[tokio::test]
async fn what_the_bus_does_not_know_is_not_sent() {
    let board = Board::start(answer(b"0,0,0,0"));
    let bus = open(board.config());
    for action in [
        power(PowerAction::Reset),
        power(PowerAction::Soft),
        power(PowerAction::Diagnostic),
        Action::Identify { device: DEVICE, identify: Identify::On },
        Action::ClearEventLog { device: DEVICE },
    ] {
        let error = bus.perform(action, context(Priority::Control)).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unsupported, "{error}");
    }
    assert!(board.requests().is_empty());
}

#[tokio::test]
async fn nonsense_in_answer_to_an_action_is_no_proof_and_no_reason_to_ask() {
    let board = Board::start(answer(b"aaa"));
    let bus = open(board.config());
    let error = bus.perform(power(PowerAction::On), context(Priority::Control)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert_eq!(board.requests().len(), 1);
}

#[tokio::test]
async fn a_repeated_answer_that_contradicts_the_action_is_not_believed() {
    // The board hears only noise instead of the action, and repeats what it answered to an earlier command.
    let board = Board::start(|packet| match packet.data.as_slice() {
        b"P0" => vec![common::damaged(packet)],
        _ => common::echo(packet, b"0,0,0,0"),
    });
    let bus = open(board.config());
    let error = bus.perform(power(PowerAction::Off), context(Priority::Control)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.contains("the device now reports power on"), "{error}");
    let sent: Vec<Vec<u8>> = board.requests().into_iter().map(|packet| packet.data).collect();
    assert_eq!(sent, [b"P0".to_vec(), b"?".to_vec(), b"P?".to_vec()]);
}

#[tokio::test]
async fn an_owner_that_goes_away_leaves_nobody_waiting() {
    let board = Board::start(silent());
    let bus = open(board.config());
    let action = bus.perform(power(PowerAction::Off), context(Priority::Control));
    let abort = async {
        eventually("the action is on the wire", || !board.requests().is_empty()).await;
        bus.abort().await;
    };
    let (result, ()) = tokio::join!(action, abort);
    assert_eq!(result.unwrap_err().fault, Fault::Uncertain);
    assert_eq!(bus.read(THERMISTOR, context(Priority::Read)).await.unwrap_err().fault, Fault::Gone);
}

#[tokio::test]
async fn what_the_bus_cannot_say_is_refused_before_anything_is_sent() {
    let board = Board::start(answer(b"ok"));
    let bus = open(board.config());
    let texts = ["ä".to_owned(), "x".repeat(128)];
    for text in texts {
        let action = Action::SetAssetText { device: DEVICE, text };
        assert_eq!(bus.perform(action, context(Priority::Control)).await.unwrap_err().fault, Fault::Invalid);
    }
    let ipmi = DeviceAddress { board: BoardId(0x4000_0000), device: DeviceId(1) };
    let asked =
        bus.read(Query::Power { device: ipmi, kind: DeviceKind::Power }, context(Priority::Read)).await;
    assert_eq!(asked.unwrap_err().fault, Fault::Invalid);
    assert_eq!(board.requests().len(), 0);
}

#[tokio::test]
async fn responders_of_1_1_need_compatible_matching() {
    let fixed = |packet: &opendcre_devicebus::Packet| {
        assert_eq!(packet.data, b"R");
        vec![opendcre_devicebus::Packet {
            sequence: 1,
            kind_code: 0xff,
            board: 0,
            device: 0xffff,
            data: b"656".into(),
        }]
    };
    let board = Board::start(fixed);
    let config = BusConfig { replies: ReplyMatching::Compatible, protocol: Protocol::V1_1, ..board.config() };
    let bus = open(config);
    for _ in 0..3 {
        bus.read(THERMISTOR, context(Priority::Read)).await.unwrap();
    }
    drop(bus);

    let board = Board::start(fixed);
    let strict = open(board.config());
    let error = strict.read(THERMISTOR, context(Priority::Read)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Timeout);
    assert!(error.message.contains("replies = \"compatible\""), "{error}");
    assert_eq!(strict.statistics().unmatched, 1);
}

#[tokio::test]
async fn an_unplugged_line_says_so_and_comes_back_by_itself() {
    let mut board = Board::start(answer(b"656"));
    let bus = open(board.config());
    bus.read(THERMISTOR, context(Priority::Read)).await.unwrap();
    assert_eq!(bus.health(), Ok(()));

    board.unplug();
    eventually("the loss is noticed", || bus.health().is_err()).await;
    let error = bus.read(THERMISTOR, context(Priority::Read)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Gone);
    assert!(error.message.contains("is gone"), "{error}");

    board.plug_in();
    eventually("the line is back", || bus.health().is_ok()).await;
    bus.read(THERMISTOR, context(Priority::Read)).await.unwrap();
}

#[tokio::test]
async fn a_line_lost_during_an_action_leaves_doubt() {
    let board = Board::start_hanging_up();
    let bus = open(board.config());
    let error = bus.perform(power(PowerAction::Off), context(Priority::Control)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain);
    assert!(error.message.contains("may have taken effect"), "{error}");
}

#[tokio::test]
async fn one_line_has_one_owner() {
    let board = Board::start(answer(b"656"));
    let bus = open(board.config());
    let second = DeviceBus::open(board.config(), Arc::new(common::FixedClock)).map(|_| ());
    assert!(matches!(second, Err(LineError::Busy(_))), "{second:?}");
    bus.read(THERMISTOR, context(Priority::Read)).await.unwrap();
    bus.stop().await;
    // The exclusive mode went with its owner.
    open(board.config()).read(THERMISTOR, context(Priority::Read)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_tty_is_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("ttyNone");
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let try_open =
        |device| DeviceBus::open(BusConfig::new("test", device), Arc::new(common::FixedClock)).map(|_| ());
    assert!(matches!(try_open(missing), Err(LineError::Missing(_))));
    for device in [file, "/dev/null".into()] {
        let error = try_open(device).unwrap_err();
        assert!(
            matches!(&error, LineError::Settings { .. }) && error.to_string().contains("not a tty"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_line_is_raw_8n1_at_its_speed_and_needs_no_modem() {
    use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes, tcgetattr};

    let board = Board::start(answer(b"656"));
    let bus = open(BusConfig { baud: 57_600, ..board.config() });
    let tty = std::fs::File::open(board.config().device).unwrap();
    let attributes = tcgetattr(&tty).unwrap();
    assert_eq!((attributes.output_speed(), attributes.input_speed()), (57_600, 57_600));
    let control = attributes.control_modes;
    assert!(control.contains(ControlModes::CS8 | ControlModes::CLOCAL | ControlModes::CREAD), "{control:?}");
    assert!(
        !control.intersects(ControlModes::PARENB | ControlModes::CSTOPB | ControlModes::CRTSCTS),
        "{control:?}"
    );
    let local = attributes.local_modes;
    assert!(!local.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG), "{local:?}");
    let input = attributes.input_modes;
    assert!(!input.intersects(InputModes::ICRNL | InputModes::IXON | InputModes::ISTRIP), "{input:?}");
    assert!(!attributes.output_modes.contains(OutputModes::OPOST));
    bus.stop().await;
}

#[tokio::test]
async fn stopping_finishes_what_is_on_the_wire() {
    let board = Board::start_slow(Duration::from_millis(100));
    let bus = open(board.config());
    let reading = bus.read(THERMISTOR, context(Priority::Read));
    let stop = async {
        eventually("the request is on the wire", || !board.requests().is_empty()).await;
        bus.stop().await;
    };
    let (reading, ()) = tokio::join!(reading, stop);
    reading.unwrap();
    let late = bus.read(THERMISTOR, context(Priority::Read)).await.unwrap_err();
    assert_eq!(late.fault, Fault::Gone);
}
