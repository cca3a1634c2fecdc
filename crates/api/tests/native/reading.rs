//! Readings: values with unit, age and source; what fails beside what does not.

use std::time::Duration;

use opendcre_api::Limits;
use opendcre_gateway::Settings;
use opendcre_model::{
    Board, BoardId, Capability, DeviceAddress, DeviceId, DeviceKind, DriverError, Fault, Health, Observation,
    Query,
};
use serde_json::{Value, json};

use crate::support::{Call, Room, device, reading};

const TEMPERATURE: Query = Query::Sensor {
    device: DeviceAddress { board: BoardId(0x4000_0001), device: DeviceId(0x0030) },
    kind: DeviceKind::Temperature,
};

fn places(answer: &Value, key: &str) -> Vec<String> {
    let items = answer[key].as_array().unwrap().iter();
    items.map(|item| format!("{}/{}", item["board_name"], item["device"]).replace('"', "")).collect()
}

#[tokio::test]
async fn a_value_has_unit_time_age_source_and_quality() {
    let room = Room::new().await;
    let answer = room.json("/boards/web-01/devices/CPU1%20Temp/readings").await;
    let expected = json!({
        "board": "40000001", "board_name": "web-01", "rack": "rack_2", "device": "0030",
        "device_name": "CPU1 Temp", "kind": "temperature",
        "values": [{"quantity": "temperature", "value": 24.5, "unit": "°C"}], "power_state": null, "states": [],
        "health": "ok", "quality": "good", "raw": 656, "time": "2026-12-01T10:00:00Z", "age_ms": 0,
        "source": "ipmi",
    });
    assert_eq!(answer, json!({"items": [expected], "failures": []}));
    let power = &room.json("/boards/11/devices/4002/readings").await["items"][0];
    assert_eq!(power["power_state"], "on");
    assert_eq!(power["states"], json!(["over_current"]));
    assert_eq!(power["raw"], "0,12000,2400,3356");
    assert_eq!(power["values"][0], json!({"quantity": "power", "value": 198.5, "unit": "W"}));
    assert_eq!(room.json("/boards/11/devices/4003/readings").await["items"][0]["states"], json!(["on"]));
}

#[tokio::test]
async fn many_devices_are_read_in_one_answer_and_filtered() {
    let room = Room::new().await;
    let all = room.json("/readings").await;
    let expected = [
        "00000011/4001",
        "00000011/4002",
        "00000012/4001",
        "00000012/4002",
        "web-01/0030",
        "web-01/0100",
        "web-02/0030",
        "web-02/0100",
    ];
    assert_eq!(places(&all, "items"), expected);
    let asked = [room.bus.take_calls(), room.bmcs.take_calls()].concat();
    assert!(!asked.iter().any(|call| matches!(call, Call::Read(Query::Led(_)))), "{asked:?}");
    for (path, expected) in [
        ("/readings?kind=temperature", vec!["web-01/0030", "web-02/0030"]),
        ("/readings?nodes=web-01,11&device=led", vec!["web-01/0300"]),
        ("/readings?nodes=rack_1&device=4001", vec!["00000011/4001", "00000012/4001"]),
        ("/boards/12/readings?kind=led", vec!["00000012/4003"]),
        ("/racks/rack_2/readings?kind=power", vec!["web-01/0100", "web-02/0100"]),
        ("/boards/12/readings?device=4003", vec!["00000012/4003"]),
        ("/boards/12/readings?kind=pressure", vec![]),
    ] {
        assert_eq!(places(&room.json(path).await, "items"), expected, "{path}");
    }
}

#[tokio::test]
async fn what_fails_is_told_beside_what_does_not() {
    let room = Room::new().await;
    room.bmcs.fail(Some(DriverError::new(Fault::Timeout, "the BMC is silent").with_code("unreachable")));
    let answer = room.json("/readings?kind=power").await;
    assert_eq!(places(&answer, "items"), ["00000011/4002", "00000012/4002"]);
    assert_eq!(places(&answer, "failures"), ["web-01/0100", "web-02/0100"]);
    assert_eq!(answer["failures"][0]["code"], "unreachable");
    assert_eq!(answer["failures"][0]["message"], "the BMC is silent");
    room.bmcs.fail(None);
    room.bmcs.answer(TEMPERATURE, Ok(Observation::Done));
    let answer = room.json("/boards/web-01/devices/0030/readings").await;
    assert_eq!(answer["failures"][0]["code"], "malformed");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_young_enough_is_not_asked_for_again() {
    let room = Room::new().await;
    let path = "/boards/web-01/devices/0030/readings";
    let read = async |query: &str| {
        let age = room.json(&format!("{path}{query}")).await["items"][0]["age_ms"].as_u64().unwrap();
        (age, room.bmcs.take_calls().len())
    };
    assert_eq!(read("").await, (0, 1));
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(read("").await, (4000, 0));
    assert_eq!(read("?max_age=3999ms").await, (0, 1));
    assert_eq!(read("?max_age=0").await, (0, 1));
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(read("?max_age=1m").await, (59_000, 0));
    assert_eq!(read("").await, (0, 1));
}

#[tokio::test]
async fn the_worst_reading_is_the_health_of_its_board() {
    let room = Room::new().await;
    assert_eq!(room.json("/boards/web-01").await["health"], json!(null));
    let reading_of = |health| reading(DeviceKind::Temperature, 99.0, health);
    room.bmcs.answer(TEMPERATURE, Ok(reading_of(Health::Critical)));
    room.json("/readings?kind=temperature").await;
    assert_eq!(room.json("/boards/web-01").await["health"], "critical");
    assert_eq!(room.json("/boards/web-02").await["health"], "ok");
    let reading = room.json("/boards/web-01/devices/0030/readings").await;
    assert_eq!(reading["items"][0]["health"], "critical");
    // It is better only when it says so twice.
    room.bmcs.answer(TEMPERATURE, Ok(reading_of(Health::Ok)));
    for expected in ["critical", "ok"] {
        let reading = room.json("/boards/web-01/devices/0030/readings?max_age=0").await;
        assert_eq!(reading["items"][0]["health"], expected);
        assert_eq!(room.json("/boards/web-01/devices/0030").await["health"], expected);
    }
    room.bmcs.answer(TEMPERATURE, Ok(reading_of(Health::Critical)));
    room.json("/boards/web-01/devices/0030/readings?max_age=0").await;
    assert_eq!(room.json("/boards/web-01").await["condition"], "critical");
    let health = room.json("/racks/rack_2").await["health"].clone();
    let expected = json!({"condition": "critical", "unknown": 0, "ok": 1, "warning": 0, "critical": 1, "failed": 0,
        "missing": 0});
    assert_eq!(health, expected);
    let sorted = room.json("/boards?sort=-health&fields=id,health&limit=1").await;
    assert_eq!(sorted["items"][0]["id"], "40000001");
}

/// A room with so many boards on its bus, each with one sensor.
async fn large_room(boards: u32) -> Room {
    let room = Room::unseen(Limits::default(), Settings::default());
    let sensor = device(1, DeviceKind::Thermistor, None, &[Capability::Reading]);
    let board = |id| Board::new(BoardId(id), vec![sensor.clone()]);
    *room.bus.boards.lock().unwrap() = (1..=boards).map(board).collect();
    room.refresh().await;
    room
}

#[tokio::test]
async fn many_readings_are_sent_as_they_come() {
    let room = large_room(1500).await;
    let silent = DeviceAddress { board: BoardId(7), device: DeviceId(1) };
    let error = DriverError::new(Fault::Timeout, "silence");
    room.bus.answer(Query::Sensor { device: silent, kind: DeviceKind::Thermistor }, Err(error));
    let answer = room.get("/readings?kind=thermistor&nodes=all").await;
    assert_eq!(answer.length, None);
    let body = answer.json();
    assert_eq!(body["items"].as_array().unwrap().len(), 1499);
    assert_eq!(places(&body, "failures"), ["00000007/0001"]);
    assert_eq!(room.bus.take_calls().iter().filter(|call| matches!(call, Call::Read(_))).count(), 1500);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_equipment_that_does_not_answer() {
    for boards in [3, 1500] {
        let room = large_room(boards).await;
        room.bus.permits.forget_permits(usize::MAX);
        room.bus.permits.add_permits(2);
        let body = room.json("/readings?kind=thermistor").await;
        assert_eq!(body["items"].as_array().unwrap().len(), 2);
        let failures = body["failures"].as_array().unwrap();
        assert_eq!(failures.len(), boards as usize - 2);
        assert_eq!(failures[0]["code"], "timeout");
    }
}
