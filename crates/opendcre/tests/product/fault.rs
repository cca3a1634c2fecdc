//! A line on which everything goes wrong at once: answers may fail to come, but never the wrong ones.

use serde_json::json;

use crate::support::{Gateway, Room};

const FAULTS: &[&str] = &[
    "--seed",
    "7",
    "--delay-max",
    "60ms",
    "--fault",
    "drop=0.1",
    "--fault",
    "corrupt=0.15",
    "--fault",
    "delay=0.15",
    "--fault",
    "duplicate=0.15",
    "--fault",
    "noise=0.15",
    "--fault",
    "truncate=0.1",
    "--fault",
    "silence=0.02",
];

#[test]
fn a_bad_line_costs_answers_but_gives_no_wrong_ones() {
    let room = Room::with_devices(&json!([
        {"device_id": "0001", "device_type": "thermistor", "read": {"repeatable": true, "responses": [656]}},
        {"device_id": "0002", "device_type": "thermistor", "read": {"repeatable": true, "responses": [700]}},
        {"device_id": "0003", "device_type": "humidity", "read": {"repeatable": true, "responses": [1486313281]}}
    ]));
    let _emulator = room.emulate(FAULTS);
    let gateway = Gateway::start(&room.tty(), "timeout = \"40ms\"");
    let reads = [("thermistor/1/1", 656_u64), ("thermistor/1/2", 700), ("humidity/1/3", 1_486_313_281)];
    let (mut right, mut failed) = (0, 0);
    for (path, value) in reads.iter().cycle().take(150) {
        match gateway.get(&format!("/read/{path}")) {
            (200, body) => {
                assert_eq!(body["device_raw"], json!(value), "{path}");
                right += 1;
            }
            (500, body) => {
                assert!(["timeout", "corrupt"].contains(&body["code"].as_str().unwrap()), "{body}");
                failed += 1;
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    // The seed decides, but both must have been seen for this test to mean anything.
    assert!(right > 50 && failed > 5, "{right} answered, {failed} failed");
}

#[test]
fn a_power_command_on_a_bad_line_says_what_is_known() {
    let room = Room::new();
    let _emulator = room.emulate(FAULTS);
    let gateway = Gateway::start(&room.tty(), "timeout = \"40ms\"");
    for round in 0..40 {
        let wanted = if round % 2 == 0 { "off" } else { "on" };
        match gateway.post(&format!("/power/{wanted}/1/0dff")) {
            (200, report) => assert_eq!(report["power_status"], wanted),
            (500, error) => assert_eq!(error["code"], "uncertain", "{error}"),
            other => panic!("{other:?}"),
        }
    }
}
