//! Several buses behind one gateway: boards are found where they are, and never mixed up.

use serde_json::{Value, json};

use crate::support::{Gateway, Room, request};

/// A room with one board that has one thermistor.
fn room(board: &str, count: u32) -> Room {
    let read = json!({"repeatable": true, "responses": [count]});
    let devices = json!([{"device_id": "1", "device_type": "thermistor", "read": read}]);
    let board = json!({"board_id": board, "firmware_version": board, "devices": devices});
    Room::with_text(&json!({"boards": [board]}).to_string())
}

/// The section of the configuration for a second bus.
fn second_bus(room: &Room) -> String {
    format!("\n[[devicebus]]\nname = \"attic\"\nrack = \"rack_2\"\ndevice = {:?}", room.tty())
}

fn board_ids(scanned: &Value) -> Vec<&str> {
    let boards = scanned["boards"].as_array().unwrap();
    boards.iter().map(|board| board["board_id"].as_str().unwrap()).collect()
}

#[test]
fn a_board_is_found_on_its_bus_without_a_scan() {
    let (near, far) = (room("1", 656), room("2", 700));
    let _emulators = [near.emulate(&[]), far.emulate(&[])];
    let gateway = Gateway::start(&near.tty(), &second_bus(&far));
    assert_eq!(gateway.get("/read/thermistor/2/1").1["device_raw"], 700);
    assert_eq!(gateway.get("/read/thermistor/1/1").1["device_raw"], 656);
    let (_, scanned) = gateway.get("/scan");
    assert_eq!(board_ids(&scanned), ["00000001", "00000002", "40000000"]);
    let (status, unknown) = gateway.get("/read/thermistor/3/1");
    assert_eq!((status, &unknown["code"]), (500, &json!("timeout")));
}

#[test]
fn a_board_that_two_buses_claim_is_left_alone() {
    let (near, far) = (room("1", 656), room("1", 700));
    let _emulators = [near.emulate(&[]), far.emulate(&[])];
    let gateway = Gateway::start(&near.tty(), &second_bus(&far));
    let (status, refused) = gateway.post("/power/off/1/1");
    assert_eq!((status, &refused["code"]), (500, &json!("ambiguous_board")));
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("hat") && message.contains("attic"), "{message}");
}

#[test]
fn a_scan_goes_on_without_a_bus_that_is_gone() {
    let (near, far) = (room("1", 656), room("2", 700));
    let _emulator = near.emulate(&[]);
    let mut lost = far.emulate(&[]);
    let gateway = Gateway::start(&near.tty(), &second_bus(&far));
    assert_eq!(lost.terminate(), Some(0));
    let (status, scanned) = gateway.get("/scan");
    assert_eq!((status, board_ids(&scanned)), (200, vec!["00000001", "40000000"]));
    let (status, ready) = request(gateway.address, "GET", "/readyz");
    assert_eq!(status, 503);
    assert!(ready.contains("not usable: attic; see drivers"), "{ready}");
}
