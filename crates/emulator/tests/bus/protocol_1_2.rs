//! What protocol 1.2 adds: sequence numbers, writes, repetition, filled-in bytes, errors in scans.

use super::*;

const REPEAT: &[u8] = b"?";
const SCAN_ALL: u32 = 0x8023_544b;
const SHUFFLE: u32 = 0x2000_0000;

fn room(devices: &str) -> Responder {
    responder(&room_of(devices), Protocol::V1_2)
}

#[test]
fn answers_carry_sequence_and_addresses_of_the_request() {
    let devices = r#"{"device_id": "01ff", "device_type": "thermistor", "read": {"repeatable": true, "responses": [656]}}"#;
    let read = Packet::decode(&hex("01 0A 0B 9C 00 00 00 01 01 FF 52 06 04")).unwrap();
    assert_eq!(room(devices).respond(&read), [hex("01 0C 0B 9C 00 00 00 01 01 FF 36 35 36 B7 04")]);
    let mut legacy = responder_with(&room_of(devices), Protocol::V1_2, Headers::Legacy);
    assert_eq!(ask(&mut legacy, &read), [packet(0x0b, 0xff, 0, 0xffff, b"656")]);
    let scan = packet(0x10, 0xff, 1, 0xffff, b"D");
    assert_eq!(ask(&mut legacy, &scan), [packet(0x10, 0x9c, 1, 0x01ff, &[0x9c])]);
    let version = Packet::decode(&hex("01 0A 0A FF 00 00 00 01 FF FF 56 A2 04")).unwrap();
    assert_eq!(ask(&mut room(devices), &version), [packet(0x0a, 0xff, 1, 0xffff, b"v1")]);
}

#[test]
fn writes_are_answered_from_their_list() {
    let mut room = room(
        r#"{"device_id": "0005", "device_type": "led", "write": {"repeatable": true, "responses": ["W1", "W0"]}},
           {"device_id": "0002", "device_type": "fan_speed", "write": {"repeatable": false, "responses": ["W1"]}}"#,
    );
    let led_on = hex("01 0B 20 10 00 00 00 01 00 05 57 31 42 04");
    assert_eq!(room.respond(&Packet::decode(&led_on).unwrap()), [led_on], "vector 28");
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 5, b"W0")), "W0");
    let fan = Packet::decode(&hex("01 0F 22 82 00 00 00 01 00 02 57 FF 34 31 30 30 3E 04")).unwrap();
    assert_eq!(texts(&mut room, &fan, 2), ["W1", "-"]);
    let led_read = packet(1, 0x10, 1, 5, b"R");
    assert_eq!(text(&mut room, &led_read), "-");
}

#[test]
fn raw_answers_are_filled_in() {
    let mut room = room(
        r#"{"device_id": "01ff", "device_type": "thermistor", "read": {"repeatable": true, "responses": [
            [0,2,3,1,12,999,255,0,0,0,0,255,255,54,53,54,1005,4]]}}"#,
    );
    let read = packet(0x2a, 0x9c, 1, 0x01ff, b"R");
    assert_eq!(room.respond(&read), [hex("00 02 03 01 0C 2A FF 00 00 00 00 FF FF 36 35 36 38 04")]);
}

#[test]
fn repetition_has_answers_of_its_own_that_cycle() {
    let mut room = room(
        r#"{"device_id": "01ff", "device_type": "thermistor", "read": {
            "repeatable": false, "responses": [[9], [9], "3"], "retry_responses": [[8, 999], null, [7]]}}"#,
    );
    let read = packet(1, 0x9c, 1, 0x01ff, b"R");
    let repeat = |sequence| packet(sequence, 0x9c, 1, 0x01ff, REPEAT);
    assert_eq!(room.respond(&read), [[9]]);
    assert_eq!(room.respond(&repeat(2)), [[8, 2]]);
    assert!(room.respond(&repeat(3)).is_empty());
    assert_eq!(room.respond(&repeat(4)), [[7]]);
    assert_eq!(room.respond(&repeat(5)), [[8, 5]], "they begin again");
    assert_eq!(room.respond(&read), [[9]], "the list itself has not advanced");
}

#[test]
fn repetition_without_answers_of_its_own_advances_the_list() {
    let mut room = room(
        r#"{"device_id": "0dff", "device_type": "power", "power": {"repeatable": true, "responses": ["1", "2", "3"]}}"#,
    );
    let status = packet(0x11, 0x40, 1, 0x0dff, b"P?");
    let repeat = packet(0x12, 0x40, 1, 0x0dff, REPEAT);
    assert_eq!(text(&mut room, &status), "1");
    assert_eq!(ask(&mut room, &repeat), [packet(0x12, 0x40, 1, 0x0dff, b"2")]);
    assert_eq!(text(&mut room, &repeat), "3");
}

#[test]
fn writes_and_power_commands_are_repeated_from_their_lists() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "led",
            "write": {"repeatable": true, "responses": [[1, 999]], "retry_responses": [[2, 999], [3]]}},
           {"device_id": "2", "device_type": "power",
            "power": {"repeatable": true, "responses": [[4, 999]], "retry_responses": [[5, 999]]}}"#,
    );
    let lamp = |sequence, command: &[u8]| packet(sequence, 0x10, 1, 1, command);
    let power = |sequence, command: &[u8]| packet(sequence, 0x40, 1, 2, command);
    assert_eq!(room.respond(&power(0x30, b"P1")), [[4, 0x30]]);
    assert_eq!(room.respond(&lamp(0x31, b"W1")), [[1, 0x31]], "its own sequence number");
    assert_eq!(room.respond(&lamp(0x32, REPEAT)), [vec![2, 0x32]]);
    assert_eq!(room.respond(&lamp(0x33, REPEAT)), [[3]]);
    assert_eq!(room.respond(&lamp(0x34, REPEAT)), [vec![2, 0x34]], "they begin again");
    assert_eq!(room.respond(&power(0x35, b"P?")), [[4, 0x35]]);
    assert_eq!(room.respond(&power(0x36, REPEAT)), [[5, 0x36]]);
}

#[test]
fn nothing_before_it_means_nothing_to_repeat() {
    let devices = r#"{"device_id": "01ff", "device_type": "thermistor", "read": {"repeatable": true, "responses": [1]}}"#;
    let mut room = room(devices);
    let repeat = packet(1, 0x9c, 1, 0x01ff, REPEAT);
    assert_eq!(text(&mut room, &repeat), "-");
    let read = packet(1, 0x9c, 1, 0x01ff, b"R");
    assert_eq!(texts(&mut room, &read, 1), ["1"]);
    assert_eq!(text(&mut room, &packet(2, 0xff, 1, 0xffff, b"~")), "-");
    assert_eq!(text(&mut room, &repeat), "-", "what was not understood cannot be repeated");
}

#[test]
fn version_and_scan_are_repeated_only_from_their_own_lists() {
    let mut room = responder(
        r#"{"boards": [
            {"board_id": "1", "firmware_version": [1], "retry_firmware_version": [[2, 999], [3]],
             "raw_data": [[[10], [11, 999]], [[12]]], "retry_raw_data": [[[13], [14]]], "devices": []},
            {"board_id": "2", "firmware_version": "v", "devices": [{"device_id": "1", "device_type": "led"}]}
        ]}"#,
        Protocol::V1_2,
    );
    let to = |board, sequence, data| packet(sequence, 0xff, board, 0xffff, data);
    assert_eq!(room.respond(&to(1, 1, b"V")), [[1]]);
    assert_eq!(room.respond(&to(1, 2, REPEAT)), [[2, 2]]);
    assert_eq!(room.respond(&to(1, 3, REPEAT)), [[3]]);
    assert_eq!(room.respond(&to(1, 4, b"D")), [vec![10], vec![11, 4]]);
    assert_eq!(room.respond(&to(1, 5, b"D")), [vec![12]]);
    assert_eq!(room.respond(&to(1, 6, REPEAT)), [[13], [14]]);
    assert_eq!(room.respond(&to(1, 7, b"D")), [vec![10], vec![11, 7]]);
    assert_eq!(ask(&mut room, &to(2, 8, b"V")).len(), 1);
    assert!(room.respond(&to(2, 9, REPEAT)).is_empty());
    assert_eq!(ask(&mut room, &to(2, 10, b"D")).len(), 1);
    assert!(room.respond(&to(2, 11, REPEAT)).is_empty());
}

#[test]
fn the_save_bit_silences_everything() {
    let mut room = room("");
    assert_eq!(text(&mut room, &packet(1, 0xff, 1, 0xffff, b"V")), "v1");
    for board in [0x9000_0000, 0x1000_0001] {
        assert_eq!(text(&mut room, &packet(1, 0xff, board, 0xffff, b"V")), "-");
        assert_eq!(text(&mut room, &packet(1, 0xff, board, 0xffff, b"D")), "-");
    }
}

#[test]
fn scans_of_all_are_damaged_as_configured() {
    let mut room = responder(
        r#"{"boards": [
            {"board_id": "00000010", "devices": [{"device_id": "2001", "device_type": "temperature"}]},
            {"board_id": "00000011", "devices": [{"device_id": "2001", "device_type": "temperature"}]}],
         "scanall": [
            {"initial": {"result": "ok"}},
            {"initial": {"result": "error", "failed_board": "00000011"},
             "retry": [{"result": "error", "failed_board": "00000010"}, {"result": "ok"}]}]}"#,
        Protocol::V1_2,
    );
    let scan = packet(2, 0xff, SCAN_ALL, 0xffff, b"D");
    let shuffled = packet(2, 0xff, SCAN_ALL | SHUFFLE, 0xffff, b"D");
    let clean =
        [hex("01 0A 02 9A 00 00 00 10 20 01 9A 99 04"), hex("01 0A 02 9A 00 00 00 11 20 01 9A 98 04")];
    let damaged_10 = hex("01 0B 03 9B 01 01 01 11 21 01 9B 9A 04");
    let damaged_11 = hex("01 0B 03 9B 01 01 01 12 21 01 9B 99 04");
    for _ in 0..2 {
        assert_eq!(room.respond(&scan), clean);
        assert_eq!(room.respond(&scan), [clean[0].clone(), damaged_11.clone()]);
        assert_eq!(room.respond(&shuffled), [damaged_10.clone(), clean[1].clone()]);
        assert_eq!(room.respond(&shuffled), clean);
    }
    let single = packet(2, 0xff, 0x11, 0xffff, b"D");
    assert_eq!(room.respond(&single), clean[1..], "single scans are left alone");
}

#[test]
fn commands_of_1_3_are_not_known_yet() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "system",
            "asset_info": {"repeatable": true, "responses": ["a"]},
            "boot_target": {"repeatable": true, "responses": ["B0"]}}"#,
    );
    for command in [b"A".as_slice(), b"B?", b"RI", b"H"] {
        assert_eq!(text(&mut room, &packet(1, 0x12, 1, 1, command)), "-");
    }
}
