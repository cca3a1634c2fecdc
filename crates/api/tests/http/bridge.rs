//! Board 40000000, under which BMCs appear, with and without BMCs behind it.

use http::Method;
use opendcre_model::{
    Action, BoardId, DeviceAddress, DeviceKind, DriverError, Fault, Observation, PowerAction, Query,
    SERVER_POWER,
};

use crate::support::{Call, Room, board, power};

/// What board 40000000 calls its device 0010.
const BMC: DeviceAddress = DeviceAddress { board: BoardId(0x4000_0010), device: SERVER_POWER };

const EMPTY: &str = r#"{"board_id":"40000000","devices":[]}"#;
const BOARD: &str = r#"{"board_id":"40000000","devices":[{"device_id":"0010","device_type":"power"}]}"#;
const BUS_BOARD: &str = r#"{"board_id":"00000001","devices":[{"device_id":"0dff","device_type":"power"}]}"#;

/// A room with one board on the bus and one BMC.
fn room() -> Room {
    let room = Room::with_servers(vec![board(0x4000_0010, &[])]);
    *room.bus.boards.lock().unwrap() = vec![board(1, &[(0x0dff, DeviceKind::Power)])];
    room
}

async fn expect(room: &Room, path: &str, body: &str) {
    let answer = room.get(path).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, body), "{path}");
}

#[tokio::test]
async fn its_version_is_constant_and_asks_nobody() {
    let body =
        r#"{"firmware_version":"OpenDCRE IPMI Bridge 1.1.1","opendcre_version":"1.1.1","api_version":"1.1"}"#;
    for room in [Room::new(), room()] {
        expect(&room, "/version/40000000", body).await;
        assert!(room.bus.calls().is_empty() && room.second.calls().is_empty());
    }
}

#[tokio::test]
async fn without_bmcs_it_is_there_and_empty() {
    for room in [Room::new(), Room::with(0, opendcre_api::Limits::default())] {
        expect(&room, "/scan/40000000", &format!(r#"{{"boards":[{EMPTY}]}}"#)).await;
        expect(&room, "/scan", &format!(r#"{{"boards":[{EMPTY}]}}"#)).await;
        expect(&room, "/scan/80000000", r#"{"boards":[]}"#).await;
    }
}

#[tokio::test]
async fn a_scan_of_everything_ends_with_it() {
    let room = room();
    expect(&room, "/scan", &format!(r#"{{"boards":[{BUS_BOARD},{BOARD}]}}"#)).await;
    expect(&room, "/scan/80000000", &format!(r#"{{"boards":[{BUS_BOARD}]}}"#)).await;
    expect(&room, "/scan/1", &format!(r#"{{"boards":[{BUS_BOARD}]}}"#)).await;
    room.forget_calls();

    expect(&room, "/scan/40000000", &format!(r#"{{"boards":[{BOARD}]}}"#)).await;
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn it_lists_its_bmcs_by_their_ids_in_whatever_state_they_are() {
    let servers = [0x4000_ffff, 0x4000_0002, 0x4001_0000, 0x4000_0001].map(|id| board(id, &[]));
    let room = Room::with_servers(servers.to_vec());
    let device = |id| format!(r#"{{"device_id":"{id}","device_type":"power"}}"#);
    let devices = ["0001", "0002", "ffff"].map(device).join(",");
    let body = format!(r#"{{"boards":[{{"board_id":"40000000","devices":[{devices}]}}]}}"#);
    expect(&room, "/scan/40000000", &body).await;
    expect(&room, "/scan", &body).await;
    room.look_around().await;
    expect(&room, "/scan/40000000", &body).await;
    room.second.fail(Fault::Timeout);
    expect(&room, "/scan", &body).await;
}

#[tokio::test]
async fn boards_of_a_bus_that_do_not_answer_any_more_are_not_listed() {
    let room = room();
    room.look_around().await;
    room.bus.boards.lock().unwrap().clear();
    expect(&room, "/scan", &format!(r#"{{"boards":[{BOARD}]}}"#)).await;
}

#[tokio::test]
async fn it_does_not_make_up_for_silent_buses() {
    let room = room();
    room.bus.fail(Fault::Timeout);
    for path in ["/scan", "/scan/80000000"] {
        let message = room.get(path).await.failure(500, "timeout");
        assert!(message.contains("no answer within 250 ms"), "{message}");
    }
    expect(&room, "/scan/40000000", &format!(r#"{{"boards":[{BOARD}]}}"#)).await;
}

#[tokio::test]
async fn power_of_a_bmc() {
    let room = room();
    room.second.answers(power(None));
    let body = concat!(
        r#"{"pmbus_raw":0,"power_status":"on","power_ok":true,"over_current":false,"under_voltage":false,"#,
        r#""input_power":0,"input_voltage":0,"output_current":0}"#,
    );
    let switch = |action| Call::Perform(Action::Power { device: BMC, kind: DeviceKind::Power, action });
    for (word, call) in [
        ("status", Call::Read(Query::Power { device: BMC, kind: DeviceKind::Power })),
        ("on", switch(PowerAction::On)),
        ("off", switch(PowerAction::Off)),
        ("cycle", switch(PowerAction::Cycle)),
    ] {
        room.second.calls.lock().unwrap().clear();
        expect(&room, &format!("/power/{word}/40000000/10"), body).await;
        assert_eq!(room.second.calls(), [call]);
    }
    assert!(room.bus.calls().is_empty());
}

#[tokio::test]
async fn asset_information_of_a_bmc_has_its_address() {
    let room = room();
    room.second.answers(Observation::AssetText {
        text: "web front end".to_owned(),
        management_address: Some("10.1.0.20".parse().unwrap()),
    });
    let body =
        r#"{"board_id":"40000000","device_id":"0010","asset_info":"web front end","bmc_ip":"10.1.0.20"}"#;
    expect(&room, "/read/power/40000000/10/info", body).await;
    assert_eq!(room.second.calls(), [Call::Read(Query::AssetText(BMC))]);
}

#[tokio::test]
async fn what_the_driver_refuses_is_500_with_its_code() {
    let room = room();
    for (fault, code) in [
        (Fault::Unsupported, "unsupported"),
        (Fault::NotPermitted, "wrong_password"),
        (Fault::Invalid, "unknown_device"),
    ] {
        let error = DriverError::new(fault, "bmc 10.1.0.20 says no").with_code(code);
        *room.second.failure.lock().unwrap() = Some(error);
        for path in [
            "/power/on/40000000/10",
            "/power/status/40000000/10",
            "/read/power/40000000/10/info",
            "/write/power/40000000/10/info/x",
        ] {
            let message = room.get(path).await.failure(500, code);
            assert!(message.contains("device 0010 of board 40000000: bmc 10.1.0.20 says no"), "{message}");
        }
    }
}

#[tokio::test]
async fn its_devices_have_no_readings() {
    let room = room();
    let message = room.get("/read/power/40000000/10").await.failure(500, "unsupported");
    assert!(message.starts_with("power reading of device 0010 of board 40000000: BMCs have no"), "{message}");
    assert!(room.calls().is_empty());
}

#[tokio::test]
async fn without_a_driver_it_has_no_devices() {
    let room = Room::new();
    for path in [
        "/power/on/40000000/10",
        "/power/status/40000000/10",
        "/read/power/40000000/10/info",
        "/write/power/40000000/10/info/x",
    ] {
        let message = room.get(path).await.failure(500, "unknown_device");
        assert!(message.starts_with("there is no device 0010 of board 40000000"), "{message}");
    }
    assert_eq!(room.ask(Method::HEAD, "/power/on/40000000/10").await.status, 200);
    assert!(room.bus.calls().is_empty());
}
