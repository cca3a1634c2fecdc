//! Every route with its body, byte for byte.

use http::Method;
use opendcre_model::{
    Action, BoardId, DeviceAddress, DeviceId, DeviceKind, Fault, Observation, PowerAction, Query, Scope,
};

use crate::support::{Call, Room, asset_text, board, electrical, power, reading, request};

const DEVICE: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(0x01ff) };

/// Asserts the whole body of a success, and the header fields that every success has.
async fn expect(room: &Room, path: &str, body: &str) {
    let answer = room.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.text, body, "{path}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn test_is_ok_and_asks_nobody() {
    let room = Room::new();
    expect(&room, "/test", r#"{"status":"ok"}"#).await;
    assert!(room.bus.calls().is_empty());
}

#[tokio::test]
async fn an_encoded_path_is_the_same_path() {
    let room = Room::new();
    for path in ["/opendcre/1%2E1/test", "/%6fpendcre/1.1%2Ftest", "/opendcre/1.1/%74est"] {
        let answer = room.send(request(Method::GET, path)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    assert_eq!(room.send(request(Method::GET, "/health%7a")).await.status, 200);
}

#[tokio::test]
async fn an_encoded_path_is_decoded_only_once() {
    let room = Room::new();
    for path in ["/opendcre/1%252E1/test", "/opendcre/1.1/%2574est"] {
        room.send(request(Method::GET, path)).await.failure(404, "not_found");
    }
    room.bus.answers(asset_text("%61"));
    assert_eq!(room.get("/write/power/1/1ff/info/%2561").await.status, 200);
    let action = Action::SetAssetText { device: DEVICE, text: "%61".to_owned() };
    assert_eq!(room.bus.calls(), [Call::Perform(action)]);
}

#[tokio::test]
async fn version_of_a_board() {
    let room = Room::new();
    let body = r#"{"firmware_version":"PLC fw 3.2","opendcre_version":"1.1.1","api_version":"1.1"}"#;
    expect(&room, "/version/1", body).await;
    assert_eq!(room.bus.calls(), [Call::Read(Query::Version(BoardId(1)))]);

    room.bus.answers(Observation::Version(String::new()));
    let body = r#"{"firmware_version":"","opendcre_version":"1.1.1","api_version":"1.1"}"#;
    expect(&room, "/version/00000001", body).await;
}

#[tokio::test]
async fn scan_of_everything_ends_with_the_bridge() {
    let room = Room::new();
    let devices = [(0x01ff, DeviceKind::Thermistor), (0x02ff, DeviceKind::None), (0x0dff, DeviceKind::Power)];
    *room.bus.boards.lock().unwrap() = vec![board(1, &devices), board(0x00ff_ff0a, &[])];
    let buses = concat!(
        r#"{"board_id":"00000001","devices":["#,
        r#"{"device_id":"01ff","device_type":"thermistor"},"#,
        r#"{"device_id":"02ff","device_type":"none"},"#,
        r#"{"device_id":"0dff","device_type":"power"}]},"#,
        r#"{"board_id":"00ffff0a","devices":[]}"#,
    );
    let all = format!(r#"{{"boards":[{buses},{{"board_id":"40000000","devices":[]}}]}}"#);
    expect(&room, "/scan", &all).await;

    let without_bridge = format!(r#"{{"boards":[{buses}]}}"#);
    expect(&room, "/scan/80000000", &without_bridge).await;
    expect(&room, "/scan/c0000001", &without_bridge).await;
    assert_eq!(room.bus.calls(), vec![Call::Discover(Scope::All); 3]);
}

#[tokio::test]
async fn scan_of_one_board_has_only_what_answered() {
    let room = Room::new();
    *room.bus.boards.lock().unwrap() = vec![board(2, &[(1, DeviceKind::Led)])];
    let body = r#"{"boards":[{"board_id":"00000002","devices":[{"device_id":"0001","device_type":"led"}]}]}"#;
    expect(&room, "/scan/2", body).await;
    assert_eq!(room.bus.calls(), [Call::Discover(Scope::Board(BoardId(2)))]);
}

#[tokio::test]
async fn kinds_have_the_names_that_this_generation_knows() {
    let room = Room::new();
    let devices: Vec<_> = (0..).zip(DeviceKind::ALL.iter().copied()).collect();
    *room.bus.boards.lock().unwrap() = vec![board(1, &devices)];
    let body = room.get("/scan/1").await.json();
    let names: Vec<_> = body["boards"][0]["devices"].as_array().unwrap().iter().collect();
    for ((_, kind), device) in devices.iter().zip(names) {
        let expected = match kind.name() {
            "system" => "ipmb",
            "fan_speed" => "door_lock",
            "airflow" | "power_supply" | "sensor" | "vapor_battery" | "vapor_fan" | "vapor_led"
            | "vapor_rectifier" | "voltage" => "none",
            same => same,
        };
        assert_eq!(device["device_type"], expected);
    }
}

#[tokio::test]
async fn a_scan_that_misses_a_bus_names_it() {
    let room = Room::with_two_buses();
    *room.bus.boards.lock().unwrap() = vec![board(1, &[])];
    room.second.fail(Fault::Gone);
    let answer = room.get("/scan").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-opendcre-failed"), Some("loft"));

    *room.second.failure.lock().unwrap() = None;
    assert_eq!(room.get("/scan").await.header("x-opendcre-failed"), None);
}

#[tokio::test]
async fn readings() {
    let room = Room::new();
    let long = "-123456789012345678901234567890";
    for (kind, raw, celsius, body) in [
        ("thermistor", "656", Some(28.78), r#"{"device_raw":656,"temperature_c":28.78}"#.to_owned()),
        ("Thermistor", "-5", Some(-3.0), r#"{"device_raw":-5,"temperature_c":-3.0}"#.to_owned()),
        ("HUMIDITY", "1486313281", Some(20.1), r#"{"device_raw":1486313281}"#.to_owned()),
        ("none", long, None, format!(r#"{{"device_raw":{long}}}"#)),
        ("voltage", "0", None, r#"{"device_raw":0}"#.to_owned()),
    ] {
        let asked = kind.parse().unwrap();
        room.bus.answers(reading(asked, raw.parse().unwrap(), celsius));
        room.bus.calls.lock().unwrap().clear();
        expect(&room, &format!("/read/{kind}/1/1ff"), &body).await;
        let query = Query::Sensor { device: DEVICE, kind: asked };
        assert_eq!(room.bus.calls(), [Call::Read(query)]);
    }
}

#[tokio::test]
async fn asset_information_is_read_and_written() {
    let room = Room::new();
    room.bus.answers(asset_text("10.0.0.9"));
    let body = r#"{"board_id":"00000001","device_id":"01ff","asset_info":"10.0.0.9"}"#;
    expect(&room, "/read/power/1/1FF/info", body).await;
    expect(&room, "/write/power/0x1/01ff/info/10.0.0.9%20%22a%22", body).await;
    let text = "10.0.0.9 \"a\"".to_owned();
    let action = Action::SetAssetText { device: DEVICE, text };
    assert_eq!(room.bus.calls(), [Call::Read(Query::AssetText(DEVICE)), Call::Perform(action)]);
}

#[tokio::test]
async fn power_of_a_bus_device_has_text_and_fractions() {
    let room = Room::new();
    room.bus.answers(power(Some(electrical())));
    let body = concat!(
        r#"{"pmbus_raw":"0,12000,2400,3356","power_status":"on","power_ok":true,"over_current":false,"#,
        r#""under_voltage":false,"input_power":198.57686579513486,"input_voltage":12.500651075576853,"#,
        r#""output_current":15.879801734820322}"#,
    );
    for (word, call) in [
        ("status", Call::Read(Query::Power { device: DEVICE, kind: DeviceKind::Power })),
        ("on", switch(PowerAction::On)),
        ("OFF", switch(PowerAction::Off)),
        ("Cycle", switch(PowerAction::Cycle)),
    ] {
        room.bus.calls.lock().unwrap().clear();
        expect(&room, &format!("/power/{word}/1/1ff"), body).await;
        assert_eq!(room.bus.calls(), [call]);
    }
}

fn switch(action: PowerAction) -> Call {
    Call::Perform(Action::Power { device: DEVICE, kind: DeviceKind::Power, action })
}

#[tokio::test]
async fn power_of_equipment_that_does_not_measure_has_integer_zeros() {
    let room = Room::new();
    room.bus.answers(power(None));
    let body = concat!(
        r#"{"pmbus_raw":0,"power_status":"on","power_ok":true,"over_current":false,"under_voltage":false,"#,
        r#""input_power":0,"input_voltage":0,"output_current":0}"#,
    );
    expect(&room, "/power/status/1/1ff", body).await;
}
