//! What boards of protocol 1.1 answer.

use super::*;

const SCAN_ALL: u32 = 0x8056_784b;

fn small() -> Responder {
    responder(SMALL, Protocol::V1_1)
}

/// The request of hexadecimal digits, answered.
fn exchange(responder: &mut Responder, request: &str) -> Vec<Vec<u8>> {
    responder.respond(&Packet::decode(&hex(request)).unwrap())
}

#[test]
fn readings_cycle_with_a_fixed_header() {
    let mut room = small();
    let read = "01 0A 0B 9C 00 00 00 01 01 FF 52 06 04";
    let answers: Vec<_> = (0..4).map(|_| exchange(&mut room, read)).collect();
    assert_eq!(answers[0], [hex("01 0C 01 FF 00 00 00 00 FF FF 37 30 30 6B 04")]);
    assert_eq!(answers[3], answers[0]);
    let read = packet(0x0b, 0x9c, 1, 0x01ff, b"R");
    assert_eq!(texts(&mut room, &read, 3), ["655", "600", "700"]);
}

#[test]
fn silence_and_text_have_their_turn_and_then_the_list_is_used_up() {
    let mut room = small();
    let read = packet(9, 0x4e, 1, 0x03ff, b"R");
    assert_eq!(texts(&mut room, &read, 5), ["536903680", "-", "garbage", "-", "-"]);
}

#[test]
fn all_power_commands_share_one_list() {
    let mut room = small();
    let mut power = |command: &[u8]| text(&mut room, &packet(1, 0x40, 1, 0x0dff, command));
    assert_eq!(power(b"P?"), "0,12000,2400,3356");
    assert_eq!(power(b"P0"), "64,0,0,0");
    assert_eq!(power(b"P1"), "2072,0,0,0");
    assert_eq!(power(b"PC"), "0,12000,2400,3356");
}

#[test]
fn version_is_a_packet_or_raw_bytes() {
    let mut room = small();
    let version = |board| packet(0x0a, 0xff, board, 0xffff, b"V");
    assert_eq!(ask(&mut room, &version(1)), [packet(1, 0xff, 0, 0xffff, b"PLC fw 3.2")]);
    assert_eq!(room.respond(&version(2)), [hex("01 09 01 FF 00 00 00 00 FF FF 02 04")]);
    assert_eq!(room.respond(&version(10)), [hex("01 0D 01 FF 00 00 00 00 FF FF 76 31 2E 31 00 04")]);
    assert!(room.respond(&version(3)).is_empty());
}

#[test]
fn a_scan_gives_one_packet_per_device_or_raw_bytes() {
    let mut room = small();
    let answers = exchange(&mut room, "01 0A 01 FF 00 00 00 01 FF FF 44 BD 04");
    assert_eq!(
        answers,
        [
            hex("01 0A 01 9C 00 00 00 01 01 FF 9C C6 04"),
            hex("01 0A 01 FF 00 00 00 01 02 FF FF FF 04"),
            packet(1, 0x4e, 1, 0x03ff, &[0x4e]).encode().unwrap(),
            hex("01 0A 01 40 00 00 00 01 0D FF 40 72 04"),
        ]
    );
    assert!(ask(&mut room, &packet(1, 0xff, 2, 0xffff, b"D")).is_empty());
    let raw = hex("01 0A 01 9C 00 00 00 0A 01 FF 9C BD 04");
    for _ in 0..2 {
        assert_eq!(room.respond(&packet(1, 0xff, 10, 0xffff, b"D")), [raw.as_slice()]);
    }
    let all = exchange(&mut room, "01 0A 02 FF 80 56 78 4B FF FF 44 24 04");
    assert_eq!(all.len(), 5);
    assert_eq!(all[..4], answers);
    assert_eq!(all[4], raw);
}

#[test]
fn save_stays_unanswered() {
    let mut room = small();
    assert!(exchange(&mut room, "01 0A 03 FF 90 00 00 00 FF FF 44 2C 04").is_empty());
}

#[test]
fn asset_text_is_stored_and_echoed_with_real_addresses() {
    let mut room = small();
    let read = "01 0B 15 40 00 00 00 01 0D FF 52 49 03 04";
    let stored = |text: &[u8]| [packet(1, 0x40, 1, 0x0dff, text).encode().unwrap()];
    assert_eq!(exchange(&mut room, read), stored(b"rack7-u12"));
    let write = "01 13 16 40 00 00 00 01 0D FF 57 49 31 30 2E 30 2E 30 2E 39 79 04";
    assert_eq!(exchange(&mut room, write), stored(b"10.0.0.9"));
    assert_eq!(exchange(&mut room, read), stored(b"10.0.0.9"));
    let other = packet(1, 0x9c, 1, 0x01ff, b"RI");
    assert_eq!(text(&mut room, &other), "-");
}

#[test]
fn what_is_not_addressed_or_not_known_stays_unanswered() {
    let mut room = small();
    for request in [
        packet(1, 0x9c, 2, 0x01ff, b"R"),
        packet(1, 0x9c, 1, 0x02ff, b"R"),
        packet(1, 0x9a, 1, 0x01ff, b"R"),
        packet(1, 0x9c, 1, 0x01ff, b"RX"),
        packet(1, 0x9c, 1, 0x01ff, b"X"),
        packet(1, 0x9c, 1, 0x01ff, b""),
        packet(1, 0x9c, 1, 0x01ff, b"?"),
        packet(1, 0x9c, 1, 0x01ff, b"P?"),
        packet(1, 0xff, 1, 0x02ff, b"R"),
        packet(1, 0xff, SCAN_ALL, 0xffff, b"V"),
        packet(1, 0xff, 0x2000_0001, 0xffff, b"D"),
    ] {
        assert!(room.respond(&request).is_empty(), "{request:?}");
    }
    let read = packet(1, 0x9c, 1, 0x01ff, b"R");
    assert_eq!(text(&mut room, &read), "700", "none of them used up a reading");
}

#[test]
fn boards_with_the_same_id_all_answer() {
    let mut room = responder(
        r#"{"boards": [
            {"board_id": "1", "firmware_version": "first", "devices": []},
            {"board_id": "00000001", "firmware_version": "second", "devices": []}
        ]}"#,
        Protocol::V1_1,
    );
    let answers = ask(&mut room, &packet(1, 0xff, 1, 0xffff, b"V"));
    let versions: Vec<_> = answers.iter().map(|answer| answer.data.as_slice()).collect();
    assert_eq!(versions, [b"first".as_slice(), b"second".as_slice()]);
}

#[test]
fn full_headers_echo_addresses_but_the_sequence_stays_fixed() {
    let mut room = responder_with(SMALL, Protocol::V1_1, Headers::Full);
    let read = packet(0x0b, 0x9c, 1, 0x01ff, b"R");
    assert_eq!(ask(&mut room, &read), [packet(1, 0x9c, 1, 0x01ff, b"700")]);
}
