//! What is wrong with a configuration is said with its place.

use super::*;

/// What is said about a configuration.
fn complaint(json: &str) -> String {
    Room::from_json(json).unwrap_err().to_string()
}

/// What is said about a device with these keys, which stands at `boards[0].devices[0]`.
fn device_complaint(keys: &str) -> String {
    complaint(&room_of(&format!(r#"{{"device_id": "1", "device_type": "led", {keys}}}"#)))
}

#[test]
fn broken_json_is_named_with_line_and_column() {
    let text = complaint("{\n  \"boards\": [}");
    assert!(text.starts_with("not valid JSON: "), "{text}");
    assert!(text.ends_with("at line 2 column 14"), "{text}");
    assert!(complaint("").contains("line 1 column 0"));
    assert!(complaint(&"[".repeat(100_000)).contains("recursion limit"));
}

#[test]
fn boards_are_checked() {
    for (json, expected) in [
        ("[]", "top level: must be an object, not a list"),
        (r#"{"boards": null}"#, "boards: must be a list, not null"),
        ("{}", "top level: the key \"boards\" is missing"),
        (r#"{"boards": {}}"#, "boards: must be a list, not an object"),
        (r#"{"boards": [null]}"#, "boards[0]: must be an object, not null"),
        (r#"{"boards": [{}]}"#, "boards[0]: the key \"board_id\" is missing"),
        (r#"{"boards": [{"board_id": 1}]}"#, "boards[0].board_id: must be a text, not a number"),
        (
            r#"{"boards": [{"board_id": "1"}, {"board_id": "xyz"}]}"#,
            "boards[1].board_id: \"xyz\" is not a hexadecimal identifier",
        ),
        (
            r#"{"boards": [{"board_id": "1", "firmware_version": 3}]}"#,
            "boards[0].firmware_version: must be a text, not a number",
        ),
        (
            r#"{"boards": [{"board_id": "1", "firmware_version": [1, 256]}]}"#,
            "boards[0].firmware_version[1]: 256 is not a byte (0 to 255), 999 for the sequence or 1000 to 1255 for a checksum",
        ),
        (
            r#"{"boards": [{"board_id": "1", "raw_data": [[[1], [2, "x"]]]}]}"#,
            "boards[0].raw_data[0][1][1]: must be a byte, not a text",
        ),
        (
            r#"{"boards": [], "scanall": [{"initial": {"result": "maybe"}}]}"#,
            "scanall[0].initial.result: must be \"ok\" or \"error\", not \"maybe\"",
        ),
        (
            r#"{"boards": [], "scanall": [{"initial": {"result": "ok"}, "retry": [{"result": "error"}]}]}"#,
            "scanall[0].retry[0]: the key \"failed_board\" is missing",
        ),
    ] {
        assert_eq!(complaint(json), expected);
    }
}

#[test]
fn devices_are_checked() {
    for (keys, expected) in [
        (
            r#""read": {"repeatable": true, "responses": [1, 2, 3, true]}"#,
            ".read.responses[3]: must be a number, a text, a list of bytes or null, not true or false",
        ),
        (
            r#""read": {"repeatable": true, "responses": [[1, -1]]}"#,
            ".read.responses[0][1]: -1 is not a byte (0 to 255), 999 for the sequence or 1000 to 1255 for a checksum",
        ),
        (
            r#""read": {"repeatable": true, "responses": [1e300]}"#,
            ".read.responses[0]: a number this large loses digits; write it as a text",
        ),
        (
            r#""read": {"repeatable": "yes", "responses": []}"#,
            ".read.repeatable: must be true or false, not a text",
        ),
        (r#""power": {"repeatable": true}"#, ".power: the key \"responses\" is missing"),
        (r#""write": 3"#, ".write: must be an object, not a number"),
        (r#""read": 656"#, ".read: must be an object, not a number"),
        (
            r#""write": {"repeatable": true, "responses": [], "retry_responses": [[300]]}"#,
            ".write.retry_responses[0][0]: 300 is not a byte (0 to 255), 999 for the sequence or 1000 to 1255 for a checksum",
        ),
    ] {
        assert_eq!(device_complaint(keys), format!("boards[0].devices[0]{expected}"));
    }
    let long = "x".repeat(247);
    assert_eq!(
        device_complaint(&format!(r#""read": {{"repeatable": true, "responses": ["{long}"]}}"#)),
        "boards[0].devices[0].read.responses[0]: the text has 247 bytes, but a packet holds no more than 246"
    );
    assert_eq!(
        complaint(&room_of(r#"{"device_id": "10000", "device_type": "led"}"#)),
        "boards[0].devices[0].device_id: 10000 is larger than the largest identifier, ffff"
    );
    assert_eq!(
        complaint(&room_of(r#"{"device_id": "1", "device_type": 9}"#)),
        "boards[0].devices[0].device_type: must be a text, not a number"
    );
    for (id, expected) in [
        ("0x", "an identifier needs at least one hexadecimal digit"),
        ("0x0x1", "\"0x1\" is not a hexadecimal identifier"),
    ] {
        assert_eq!(
            complaint(&room_of(&format!(r#"{{"device_id": "{id}", "device_type": "led"}}"#))),
            format!("boards[0].devices[0].device_id: {expected}")
        );
    }
}

#[test]
fn complaints_are_short_however_long_the_wrong_text_is() {
    let long = "x".repeat(100_000);
    for complaint in [
        complaint(&format!(r#"{{"boards": [{{"board_id": "{long}"}}]}}"#)),
        complaint(&room_of(&format!(r#"{{"device_id": "{long}", "device_type": "led"}}"#))),
        complaint(&format!(r#"{{"boards": [], "scanall": [{{"initial": {{"result": "{long}"}}}}]}}"#)),
    ] {
        assert!(complaint.len() < 200, "{} bytes", complaint.len());
    }
}

#[test]
fn numbers_are_sent_as_they_are_written() {
    let mut room = responder(
        &room_of(
            r#"{"device_id": "1", "device_type": "led", "read": {"repeatable": true, "responses":
                [0, -5, 18446744073709551615, -9223372036854775808, 21.50, "007", ""]}}"#,
        ),
        Protocol::V1_1,
    );
    assert_eq!(
        texts(&mut room, &packet(1, 0x10, 1, 1, b"R"), 7),
        ["0", "-5", "18446744073709551615", "-9223372036854775808", "21.5", "007", ""]
    );
}

#[test]
fn raw_scan_data_comes_in_three_depths() {
    for (raw_data, expected) in [
        ("[1, 2]", vec![vec![vec![1, 2]], vec![vec![1, 2]]]),
        ("[[1], [2]]", vec![vec![vec![1]], vec![vec![2]]]),
        ("[[[1], [2]], []]", vec![vec![vec![1], vec![2]], vec![]]),
    ] {
        let json = format!(r#"{{"boards": [{{"board_id": "1", "raw_data": {raw_data}}}]}}"#);
        let mut room = responder(&json, Protocol::V1_2);
        let scan = packet(1, 0xff, 1, 0xffff, b"D");
        assert_eq!(room.respond(&scan), expected[0], "{raw_data}");
        assert_eq!(room.respond(&scan), expected[1], "{raw_data}");
    }
}
