//! What protocol 1.3 adds: commands of servers and chambers, and devices that remember what was written.

use super::*;

const SYSTEM: u8 = 0x12;

fn room(devices: &str) -> Responder {
    responder(&room_of(devices), Protocol::V1_3)
}

#[test]
fn servers_answer_asset_boot_target_and_host_requests() {
    let mut room = room(
        r#"{"device_id": "0001", "device_type": "system",
            "asset_info": {"repeatable": true, "responses": ["a,b"], "retry_responses": [[5]]},
            "boot_target": {"repeatable": true, "responses": ["B1", "B2"]},
            "host_info": {"repeatable": true, "responses": ["hnode4,i10.2.0.4"]}}"#,
    );
    let mut system = |command: &[u8]| text(&mut room, &packet(9, SYSTEM, 1, 1, command));
    assert_eq!(system(b"A"), "a,b");
    assert_eq!(system(b"B?"), "B1");
    assert_eq!(system(b"B0"), "B2", "one list for all boot target commands");
    assert_eq!(system(b"H"), "hnode4,i10.2.0.4");
    assert_eq!(system(b"RI"), "-");
    assert_eq!(text(&mut room, &packet(9, 0x40, 1, 1, b"A")), "-");
    assert_eq!(text(&mut room, &packet(9, SYSTEM, 1, 1, b"A")), "a,b");
    assert_eq!(room.respond(&packet(9, SYSTEM, 1, 1, b"?")), [[5]]);
}

#[test]
fn only_servers_answer_as_servers() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "power",
            "asset_info": {"repeatable": true, "responses": ["a,b"]},
            "boot_target": {"repeatable": true, "responses": ["B1"]},
            "host_info": {"repeatable": true, "responses": ["hnode4"]}}"#,
    );
    for command in [b"A".as_slice(), b"B?", b"B1", b"H"] {
        for kind_code in [0x40, SYSTEM] {
            assert_eq!(text(&mut room, &packet(1, kind_code, 1, 1, command)), "-", "{command:?}");
        }
    }
}

#[test]
fn fan_requests_reach_chamber_fans() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "vapor_fan", "read": {"repeatable": true, "responses": [4100]}},
           {"device_id": "2", "device_type": "fan_speed", "read": {"repeatable": true, "responses": [50]}}"#,
    );
    let read = |kind_code, device| packet(1, kind_code, 1, device, b"R");
    assert_eq!(
        ask(&mut room, &read(0x82, 1)),
        [packet(1, 0x82, 1, 1, b"4100")],
        "the answer echoes the type that was asked for"
    );
    assert_eq!(text(&mut room, &read(0x88, 1)), "4100");
    assert_eq!(text(&mut room, &read(0x82, 2)), "50");
    assert_eq!(text(&mut room, &read(0x88, 2)), "-");
}

#[test]
fn power_requests_reach_power_equipment_of_any_type() {
    let devices = r#"
        {"device_id": "1", "device_type": "power", "power": {"repeatable": true, "responses": ["0,0,0,0"]}},
        {"device_id": "2", "device_type": "vapor_rectifier", "power": {"repeatable": true, "responses": ["0,1,2,3"]}},
        {"device_id": "3", "device_type": "vapor_battery", "power": {"repeatable": true, "responses": ["charging,88"]}},
        {"device_id": "4", "device_type": "led", "power": {"repeatable": true, "responses": ["0,0,0,0"]}}"#;
    let status = |kind_code, device| packet(0x39, kind_code, 1, device, b"P?");
    let mut new = room(devices);
    for kind_code in [0x40, 0x48, 0x4a, 0xff] {
        assert_eq!(text(&mut new, &status(kind_code, 1)), "0,0,0,0");
        assert_eq!(text(&mut new, &status(kind_code, 2)), "0,1,2,3");
        assert_eq!(text(&mut new, &status(kind_code, 3)), "charging,88");
        assert_eq!(text(&mut new, &status(kind_code, 4)), "-");
    }
    let mut old = responder(&room_of(devices), Protocol::V1_2);
    assert_eq!(text(&mut old, &status(0x40, 1)), "0,0,0,0");
    assert_eq!(text(&mut old, &status(0x40, 2)), "-");
}

#[test]
fn what_is_written_is_read_back() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "led", "has_state": true, "read": 0, "write": true},
           {"device_id": "2", "device_type": "vapor_fan", "has_state": true, "read": "1000", "write": {"any": "thing"}},
           {"device_id": "3", "device_type": "temperature", "has_state": true, "read": 28.5}"#,
    );
    let mut at =
        |kind_code, device, command: &[u8]| text(&mut room, &packet(1, kind_code, 1, device, command));
    assert_eq!(at(0x10, 1, b"R"), "0");
    assert_eq!(at(0x10, 1, b"W1"), "W1");
    assert_eq!(at(0x10, 1, b"R"), "1");
    assert_eq!(at(0x10, 1, b"W0"), "W1", "accepted, whatever is written");
    assert_eq!(at(0x10, 1, b"R"), "0");
    assert_eq!(at(0x82, 2, b"R"), "1000");
    assert_eq!(at(0x82, 2, b"W\xff0420"), "W1");
    assert_eq!(at(0x88, 2, b"R"), "0420");
    assert_eq!(at(0x9a, 3, b"R"), "28.5");
    assert_eq!(at(0x9a, 3, b"W1"), "-");
}

#[test]
fn power_has_a_state_whose_values_cycle() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "power", "has_state": true,
            "power": "64,1,1,1", "on": ["0,1,1,1", "0,2,2,2"], "off": "64,0,0,0"}"#,
    );
    let mut power = |command: &[u8]| text(&mut room, &packet(1, 0x40, 1, 1, command));
    assert_eq!(power(b"P?"), "64,1,1,1");
    assert_eq!(power(b"PC"), "64,1,1,1");
    assert_eq!(power(b"P1"), "0,1,1,1");
    assert_eq!(power(b"P?"), "0,2,2,2");
    assert_eq!(power(b"PC"), "0,1,1,1");
    assert_eq!(power(b"P0"), "64,0,0,0");
    assert_eq!(power(b"P?"), "64,0,0,0");
}

#[test]
fn a_boot_target_is_answered_with_the_code_that_was_set() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "system", "has_state": true,
            "boot_target": "B0", "hdd": "B0", "pxe": "B1", "no_override": "B2"}"#,
    );
    let mut boot = |command: &[u8]| text(&mut room, &packet(1, SYSTEM, 1, 1, command));
    assert_eq!(boot(b"B?"), "B0");
    for target in ["B1", "B2", "B0"] {
        assert_eq!(boot(target.as_bytes()), target);
        assert_eq!(boot(b"B?"), target);
    }
    assert_eq!(boot(b"B3"), "-");
}

#[test]
fn a_chamber_lamp_has_a_state_for_each_rack() {
    let mut room = room(
        r#"{"device_id": "1", "device_type": "vapor_led", "has_state": true, "write": "0,000000,0"},
           {"device_id": "2", "device_type": "vapor_led", "write": {"repeatable": true, "responses": ["1,ffffff,0"]}},
           {"device_id": "3", "device_type": "led", "write": {"repeatable": true, "responses": ["W1"]}}"#,
    );
    let mut lamp = |device, command: &[u8]| text(&mut room, &packet(0x35, 0x08, 1, device, command));
    assert_eq!(lamp(1, b"L-1,3,-1,-1"), "0,000000,0");
    assert_eq!(lamp(1, b"L1,3,ff8800,1"), "1,ff8800,1");
    assert_eq!(lamp(1, b"L0,3,00ff00,-1"), "1,ff8800,1", "blinking -1 changes nothing");
    assert_eq!(lamp(1, b"L-1,rack_1,-1,-1"), "0,000000,0", "another rack");
    assert_eq!(lamp(1, b"L1,rack_1,-1,0"), "1,-1,0");
    assert_eq!(lamp(2, b"L1,3,ff8800,1"), "1,ffffff,0");
    assert_eq!(lamp(3, b"L1,3,ff8800,1"), "-");
    assert_eq!(lamp(1, b"L1,3"), "-");
    assert_eq!(text(&mut room, &packet(1, 0x10, 1, 3, b"L1,3,ff8800,1")), "-");
}

#[test]
fn racks_beyond_memory_are_answered_and_forgotten() {
    let mut room =
        room(r#"{"device_id": "1", "device_type": "vapor_led", "has_state": true, "write": "0,000000,0"}"#);
    let mut lamp = |command: String| text(&mut room, &packet(1, 0x08, 1, 1, command.as_bytes()));
    for rack in 0..1100 {
        assert_eq!(lamp(format!("L1,{rack},ff8800,1")), "1,ff8800,1");
    }
    assert_eq!(lamp("L-1,7,-1,-1".into()), "1,ff8800,1");
    assert_eq!(lamp("L-1,1099,-1,-1".into()), "0,000000,0");
}

#[test]
fn configurations_of_1_1_serve_newer_masters() {
    let mut room = responder(SMALL, Protocol::V1_3);
    assert_eq!(text(&mut room, &packet(7, 0x40, 1, 0x0dff, b"RI")), "rack7-u12");
    assert_eq!(
        ask(&mut room, &packet(7, 0x40, 1, 0x0dff, b"P?")),
        [packet(7, 0x40, 1, 0x0dff, b"0,12000,2400,3356")]
    );
}

#[test]
fn one_code_under_two_names_is_one_type() {
    let devices = r#"{"device_id": "1", "device_type": "door_lock", "read": {"repeatable": true, "responses": [1]}},
           {"device_id": "2", "device_type": "voltage", "read": {"repeatable": true, "responses": [2]}}"#;
    let mut room = room(devices);
    assert_eq!(text(&mut room, &packet(1, 0x82, 1, 1, b"R")), "1");
    assert_eq!(text(&mut room, &packet(1, 0xff, 1, 2, b"R")), "-", "no code, so not to be reached");
}
