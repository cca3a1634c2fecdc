//! Forgetting boards, and orders that nobody can carry out.

use opendcre_gateway::{ChangeKind, Command, GatewayError, JobAction, Order, SubmitError};
use opendcre_model::{BoardId, Capabilities, Capability, Device, DeviceId, DeviceKind, PowerAction, Scope};
use serde_json::{Value, json};

use crate::support::{Room, board, somebody};

/// A room in which board 1 was found.
async fn seen(room: &Room) {
    room.gateway.execute(&somebody(), Command::Scan(Scope::All)).await.unwrap();
}

/// A room from which board 1 has left.
async fn left(room: &Room) {
    seen(room).await;
    *room.drivers[0].scan.lock().unwrap() = Ok(vec![board(2)]);
    seen(room).await;
}

fn last_change(room: &Room) -> (ChangeKind, BoardId) {
    let change = room.gateway.view(somebody()).unwrap().changes(0, 100).changes.pop().unwrap();
    (change.kind, change.board)
}

#[tokio::test]
async fn a_missing_board_is_forgotten_until_it_is_seen_again() {
    let room = Room::with_drivers(1);
    left(&room).await;
    let asked = room.drivers[0].calls().len();
    let record = room.gateway.forget(&somebody(), BoardId(1)).await.unwrap();
    assert_eq!(record.id, BoardId(1));
    assert_eq!(room.drivers[0].calls().len(), asked, "no equipment is asked");
    assert_eq!(room.gateway.view(somebody()).unwrap().board(BoardId(1)), None);
    assert_eq!(last_change(&room), (ChangeKind::Forgotten, BoardId(1)));
    assert_eq!(
        room.audited(),
        [json!({
            "kind": "outcome", "time": "2026-12-01T10:00:00Z", "who": {"name": "anonymous", "login": "anonymous"},
            "remote": "192.0.2.7:4711", "request_id": "r-1", "action": "forget", "driver": "a",
            "target": {"board": "00000001", "name": "00000001", "rack": "rack_1"},
        })]
    );
    let again = room.gateway.forget(&somebody(), BoardId(1)).await.unwrap_err();
    assert!(matches!(again, GatewayError::UnknownBoard(BoardId(1))), "{again}");

    *room.drivers[0].scan.lock().unwrap() = Ok(vec![board(1), board(2)]);
    seen(&room).await;
    assert_eq!(last_change(&room), (ChangeKind::Appeared, BoardId(1)));
}

#[tokio::test]
async fn a_board_that_is_there_is_not_forgotten() {
    let room = Room::with_drivers(1);
    seen(&room).await;
    let error = room.gateway.forget(&somebody(), BoardId(1)).await.unwrap_err();
    assert_eq!(error.code(), "not_missing");
    assert_eq!(
        error.to_string(),
        "board 00000001 (rack_1) is not missing but present; only a board that is missing can be forgotten"
    );
    assert!(room.gateway.view(somebody()).unwrap().board(BoardId(1)).is_some());
    assert_eq!(room.audited(), [Value::Null; 0]);
}

#[tokio::test]
async fn who_may_not_change_anything_may_not_forget_either() {
    let room = Room::read_only();
    left(&room).await;
    let error = room.gateway.forget(&somebody(), BoardId(1)).await.unwrap_err();
    assert_eq!(error.code(), "forbidden");

    let room = Room::with_drivers(1);
    left(&room).await;
    room.gateway.shutdown().await;
    let error = room.gateway.forget(&somebody(), BoardId(1)).await.unwrap_err();
    assert_eq!(error.code(), "shutting_down");
}

#[tokio::test]
async fn what_cannot_be_audited_is_not_forgotten() {
    let room = Room::without_an_audit_log();
    left(&room).await;
    let error = room.gateway.forget(&somebody(), BoardId(1)).await.unwrap_err();
    assert_eq!(error.code(), "audit_unavailable");
    assert!(room.gateway.view(somebody()).unwrap().board(BoardId(1)).is_some());
}

#[tokio::test]
async fn an_order_that_no_target_can_carry_out_is_not_taken_up() {
    let room = Room::with_drivers(1);
    *room.drivers[0].scan.lock().unwrap() = Ok(vec![board(1), board(2)]);
    seen(&room).await;
    let boards = room.gateway.view(somebody()).unwrap().boards();
    let able = |capability| Device::new(DeviceId(1), DeviceKind::Power, Capabilities::of(&[capability]));
    let submit = async |action: &JobAction, devices: [&Device; 2]| {
        let targets = boards.iter().map(|board| &**board).zip(devices);
        let order = Order::change(action, targets, Value::Null);
        room.gateway.submit(&somebody(), order, None).await
    };
    for (action, capability) in [
        (JobAction::Power(PowerAction::Off), Capability::PowerControl),
        (JobAction::SetFanSpeed { rpm: 1 }, Capability::FanControl),
        (JobAction::SetLed { on: true }, Capability::Led),
        (JobAction::SetAssetText("row 7".to_owned()), Capability::AssetTextControl),
    ] {
        let (yes, no) = (able(capability), able(Capability::Reading));
        let refused = submit(&action, [&no, &no]).await.unwrap_err();
        assert!(matches!(refused, SubmitError::Unsupported(lacked) if lacked == capability), "{refused}");
        assert_eq!(refused.code(), "unsupported");
        let taken = submit(&action, [&yes, &no]).await.unwrap();
        assert_eq!(taken.job.counts().total, 2, "the one that cannot fails when its turn comes");
    }
    assert_eq!(room.gateway.view(somebody()).unwrap().jobs().len(), 4);
}
