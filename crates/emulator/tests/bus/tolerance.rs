//! What the configurations of old releases carry without a meaning is no error; most of it is logged.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// The lines of a log.
#[derive(Debug, Default, Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a configuration that is sound, and gives the warnings about it.
fn warnings(json: &str) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || Room::from_json(json).unwrap());
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The warnings about a device with these keys.
fn device_warnings(keys: &str) -> Vec<String> {
    warnings(&room_of(&format!(r#"{{"device_id": "1", "device_type": "system", {keys}}}"#)))
}

#[test]
fn asset_information_and_boot_targets_of_another_shape_are_not_served() {
    for (keys, expected) in [
        (r#""asset_info": {"manufacturer": "x"}"#, "asset_info: the key \"repeatable\" is missing"),
        (r#""asset_info": 5"#, "asset_info: must be a text or an object with responses, not a number"),
        (r#""boot_target": "hdd""#, "boot_target: must be an object, not a text"),
        (
            r#""has_state": true, "boot_target": {"current": "hdd"}"#,
            "boot_target: the key \"repeatable\" is missing",
        ),
        (
            r#""boot_target": {"repeatable": true, "responses": [{}]}"#,
            "boot_target.responses[0]: must be a number, a text, a list of bytes or null, not an object",
        ),
    ] {
        let expected = format!("WARN not served error=boards[0].devices[0].{expected}");
        assert_eq!(device_warnings(keys), [expected]);
    }
}

#[test]
fn what_is_not_served_is_silent_and_the_rest_is_served() {
    let devices = r#"{"device_id": "1", "device_type": "system", "asset_info": {"manufacturer": "x"}, "boot_target": "hdd",
        "host_info": {"repeatable": true, "responses": ["names"]}}"#;
    let mut room = responder(&room_of(devices), Protocol::V1_3);
    let mut at = |command: &[u8]| text(&mut room, &packet(1, 0x12, 1, 1, command));
    assert_eq!(at(b"A"), "-");
    assert_eq!(at(b"B?"), "-");
    assert_eq!(at(b"B1"), "-");
    assert_eq!(at(b"H"), "names");
}

#[test]
fn a_null_is_as_good_as_no_key() {
    let json = r#"{"scanall": null, "boards": [{"board_id": "1", "firmware_version": null, "raw_data": null,
        "retry_raw_data": null, "retry_firmware_version": null, "devices": [
            {"device_id": "1", "device_type": "led", "has_state": null, "read": null, "power": null,
             "asset_info": null, "boot_target": null, "host_info": null, "on": null,
             "write": {"repeatable": true, "responses": ["W1"], "retry_responses": null}}]},
        {"board_id": "2", "devices": null}]}"#;
    assert_eq!(warnings(json), [""; 0]);
    let mut room = responder(json, Protocol::V1_2);
    assert_eq!(ask(&mut room, &packet(1, 0xff, 1, 0xffff, b"D")).len(), 1);
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 1, b"R")), "-");
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 1, b"W1")), "W1");
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 1, b"?")), "W1");
}

#[test]
fn a_null_for_a_state_is_no_state() {
    let device = r#"{"device_id": "1", "device_type": "led", "has_state": true, "read": null, "write": ""}"#;
    let mut room = responder(&room_of(device), Protocol::V1_3);
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 1, b"R")), "-");
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 1, b"W1")), "W1");
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 1, b"R")), "1");
}

#[test]
fn devices_of_unknown_kinds_are_served_as_none() {
    let devices =
        r#"{"device_id": "1", "device_type": "lock", "read": {"repeatable": true, "responses": [1]}}"#;
    let json = room_of(devices);
    assert_eq!(
        warnings(&json),
        ["WARN unknown device kind, served as none place=\"boards[0].devices[0].device_type\" name=\"lock\""]
    );
    let mut room = responder(&json, Protocol::V1_3);
    assert_eq!(
        ask(&mut room, &packet(1, 0xff, 1, 0xffff, b"D")),
        [packet(1, 0xff, 1, 1, &[0xff])],
        "it is there"
    );
    assert_eq!(text(&mut room, &packet(1, 0xff, 1, 1, b"R")), "1");
}

#[test]
fn ids_may_begin_with_0x() {
    let json = r#"{"boards": [{"board_id": "0x0000000A", "devices": [
        {"device_id": "0X1ff", "device_type": "thermistor", "read": {"repeatable": true, "responses": [700]}}]}]}"#;
    let mut room = responder(json, Protocol::V1_1);
    assert_eq!(text(&mut room, &packet(1, 0x9c, 10, 0x01ff, b"R")), "700");
}

#[test]
fn unknown_keys_are_named_with_their_place() {
    let json = r#"{"comment": 1, "boards": [{"board_id": "1", "firmware_version": "v", "location": {},
        "devices": [{"device_id": "1", "device_type": "none", "hdd": 3, "on": {}, "colour\n": null}]}]}"#;
    assert_eq!(
        warnings(json),
        [
            "WARN unknown key, ignored place=\"boards[0]\" key=\"location\"",
            r#"WARN unknown key, ignored place="boards[0].devices[0]" key="colour\n""#,
        ]
    );
    let mut room = responder(json, Protocol::V1_3);
    assert_eq!(ask(&mut room, &packet(1, 0xff, 1, 0xffff, b"D")).len(), 1);
}

#[test]
fn warnings_are_short_however_long_the_text_is() {
    let long = "x".repeat(100_000);
    for warnings in [
        device_warnings(&format!(r#""{long}": 1"#)),
        device_warnings(&format!(r#""asset_info": "{long}""#)),
        warnings(&room_of(&format!(r#"{{"device_id": "1", "device_type": "{long}"}}"#))),
    ] {
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].len() < 200, "{} bytes", warnings[0].len());
    }
}
