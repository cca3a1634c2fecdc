//! Against an implementation of the protocol that shares no line with ours (`tests/peer`, Python), over real ttys, in
//! both directions: our gateway with its emulator, its master with our emulator.

use crate::support::{Gateway, Program, Room, peer, tty_pair};
use serde_json::{Value, json};

/// The room with which the peer tests itself, too.
const ROOM: &str = include_str!("../../../../tests/peer/room-1.1.json");

/// Their emulator and our gateway on the two ends of a pair of ttys.
struct TheirRoom {
    gateway: Gateway,
    _emulator: Program,
    _ttys: Program,
    _directory: tempfile::TempDir,
}

impl TheirRoom {
    fn start(room: &str, emulator_options: &[&str], bus: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("room.json");
        std::fs::write(&file, room).unwrap();
        let (ttys, near, far) = tty_pair(directory.path());
        let mut emulator = Program::start(peer("bus_emulator.py").arg(far).arg(file).args(emulator_options));
        assert_eq!(emulator.line(), "ready");
        Self { gateway: Gateway::start(&near, bus), _emulator: emulator, _ttys: ttys, _directory: directory }
    }
}

#[test]
fn our_gateway_serves_their_room_of_1_1() {
    let room = TheirRoom::start(ROOM, &["--protocol", "1.1"], "replies = \"compatible\"\nprotocol = \"1.1\"");
    let gateway = &room.gateway;

    let (status, scanned) = gateway.get("/scan");
    assert_eq!(status, 200);
    let ids: Vec<&Value> =
        scanned["boards"].as_array().unwrap().iter().map(|board| &board["board_id"]).collect();
    assert_eq!(ids, ["00000001", "0000000a", "40000000"]);
    assert_eq!(scanned["boards"][0]["devices"][3], json!({"device_id": "0dff", "device_type": "power"}));

    for celsius in [24.45, 28.88, 34.3, 24.45] {
        let (status, reading) = gateway.get("/read/thermistor/1/01ff");
        assert_eq!((status, &reading["temperature_c"]), (200, &json!(celsius)));
    }
    let humidity: Vec<u16> = (0..4).map(|_| gateway.get("/read/humidity/1/03ff").0).collect();
    assert_eq!(humidity, [200, 500, 500, 500], "a number, silence, garbage, exhausted");
    let power: Vec<Value> = (0..3).map(|_| gateway.get("/power/status/1/0dff").1).collect();
    assert_eq!(power[0]["input_power"], json!(198.57686579513486));
    assert_eq!(
        [&power[0]["power_status"], &power[1]["power_status"], &power[2]["power_status"]],
        ["on", "off", "on"]
    );
    assert_eq!((&power[2]["power_ok"], &power[2]["over_current"]), (&json!(false), &json!(true)));

    assert_eq!(gateway.get("/version/1").1["firmware_version"], "PLC fw 3.2");
    assert_eq!(gateway.get("/version/2").1["firmware_version"], "");
    assert_eq!((gateway.get("/version/a").0, gateway.get("/scan/2").0), (500, 500));
    let board_a =
        json!({"board_id": "0000000a", "devices": [{"device_id": "01ff", "device_type": "thermistor"}]});
    assert_eq!(gateway.get("/scan/a"), (200, json!({"boards": [board_a]})));

    let asset = |text: &str| json!({"board_id": "00000001", "device_id": "0dff", "asset_info": text});
    assert_eq!(gateway.get("/read/power/1/0dff/info"), (200, asset("rack7-u12")));
    assert_eq!(gateway.post("/write/power/1/0dff/info/rack7-u13"), (200, asset("rack7-u13")));
    assert_eq!(gateway.get("/read/power/1/0dff/info"), (200, asset("rack7-u13")));
}

#[test]
fn our_gateway_is_strict_with_boards_that_echo() {
    let room = TheirRoom::start(ROOM, &["--protocol", "1.3", "--echo"], "");
    let gateway = &room.gateway;
    assert_eq!(gateway.get("/read/thermistor/1/01ff").1["temperature_c"], json!(24.45));
    assert_eq!(gateway.get("/power/status/1/0dff").1["power_status"], "on");
    assert_eq!(gateway.get("/version/1").1["firmware_version"], "PLC fw 3.2");
    assert_eq!(gateway.get("/scan/1").1["boards"][0]["board_id"], "00000001");
}

#[test]
fn our_gateway_asks_their_board_for_a_damaged_answer_again() {
    let damaged = [1, 12, 999, 156, 0, 0, 0, 1, 1, 255, 54, 53, 54, 0, 4];
    let intact = [1, 12, 999, 156, 0, 0, 0, 1, 1, 255, 54, 53, 54, 1002, 4];
    let read = json!({"repeatable": true, "responses": [damaged], "retry_responses": [intact]});
    let device = json!({"device_id": "01ff", "device_type": "thermistor", "read": read});
    let board = json!({"board_id": "00000001", "firmware_version": "x", "devices": [device]});
    let room =
        TheirRoom::start(&json!({"boards": [board]}).to_string(), &["--protocol", "1.3", "--echo"], "");
    let (status, reading) = room.gateway.get("/read/thermistor/1/01ff");
    assert_eq!((status, &reading["device_raw"]), (200, &json!(656)), "{reading}");
}

/// Our emulator on its own tty.
struct OurRoom {
    room: Room,
    _emulator: Program,
}

impl OurRoom {
    fn start(room: Room, options: &[&str]) -> Self {
        let emulator = room.emulate(options);
        Self { room, _emulator: emulator }
    }

    /// What their master makes of one run of commands, which are separated by `--`.
    fn ask(&self, options: &[&str], commands: &[&str]) -> Vec<Value> {
        let output =
            peer("bus_master.py").arg(self.room.tty()).args(options).args(commands).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn their_master_reads_our_room_of_1_1() {
    let room = OurRoom::start(Room::with_text(ROOM), &["--protocol", "1.1"]);
    let commands = "scan 1 -- scan -- version 1 -- read thermistor 1 01ff -- read humidity 1 03ff -- \
                    read humidity 1 03ff -- power status 1 0dff -- asset-get 1 0dff -- \
                    asset-set 1 0dff 10.0.0.9 -- asset-get 1 0dff -- version a -- scan 2";
    let commands: Vec<&str> = commands.split_whitespace().collect();
    let answers = room.ask(&["--protocol", "1.1"], &commands);
    let payload = |index: usize| &answers[index]["result"]["payload"];
    assert_eq!(payload(0)[0], json!(["00000001", "01ff", "thermistor"]));
    assert_eq!(payload(1).as_array().unwrap().len(), 5);
    assert_eq!(payload(2), "PLC fw 3.2");
    assert_eq!(payload(3)["temperature_c"], json!(24.45));
    assert_eq!(payload(4)["value"], json!(536_903_680));
    assert_eq!(answers[5]["error"], "timeout");
    assert_eq!(payload(6)["power_status"], "on");
    assert_eq!(
        (payload(7), payload(8), payload(9)),
        (&json!("rack7-u12"), &json!("10.0.0.9"), &json!("10.0.0.9"))
    );
    assert_eq!(answers[10]["error"], "checksum");
    assert_eq!(answers[11]["error"], "timeout");
    // As 1.1 responders do: the sequence is always 01, and a version answer carries no addresses.
    let header = &answers[2]["result"];
    assert_eq!(
        (&header["seq"], &header["board"], &header["device"]),
        (&json!(1), &json!("00000000"), &json!("ffff"))
    );
}

#[test]
fn their_strict_master_drives_our_stateful_room_of_1_3() {
    let devices = json!([
        {"device_id": "0001", "device_type": "power", "has_state": true,
         "power": "0,12000,2400,3356", "on": "0,12000,2400,3356", "off": "64,0,0,0"},
        {"device_id": "0002", "device_type": "led", "has_state": true, "read": "0", "write": ""},
        {"device_id": "0003", "device_type": "vapor_fan", "has_state": true, "read": "0", "write": ""},
        {"device_id": "0004", "device_type": "system",
         "asset_info": {"repeatable": true, "responses": ["a,b,c,d,e,f,g,h,i,j,k,l,m"]},
         "host_info": {"repeatable": true, "responses": ["hnode4,i10.2.0.4"]},
         "boot_target": {"repeatable": true, "responses": ["B1"]}}
    ]);
    let room = OurRoom::start(Room::with_devices(&devices), &["--baud", "115200"]);
    let commands = "power off 1 1 -- power status 1 1 -- power on 1 1 -- write-led on 1 2 -- read led 1 2 -- \
                    write-fan 4100 1 3 -- read vapor_fan 1 3 -- asset-info 1 4 -- host-info 1 4 -- \
                    boot status 1 4";
    let commands: Vec<&str> = commands.split_whitespace().collect();
    let answers = room.ask(&["--protocol", "1.3"], &commands);
    for answer in &answers {
        assert_eq!(answer["ok"], true, "{answer}");
    }
    let payload = |index: usize| &answers[index]["result"]["payload"];
    assert_eq!(payload(0)["power_status"], "off");
    assert_eq!(payload(1)["power_status"], "off");
    assert_eq!(payload(2)["power_status"], "on");
    assert_eq!(payload(4)["value"], json!(1));
    assert_eq!(payload(6)["value"], json!(4100));

    let strict =
        room.ask(&["--protocol", "1.3", "--strict"], &["read", "led", "1", "2", "--", "version", "1"]);
    assert!(strict.iter().all(|answer| answer["ok"] == true), "{strict:?}");
}

#[test]
fn our_emulator_survives_what_their_program_throws_at_it() {
    let room = OurRoom::start(Room::with_text(ROOM), &["--protocol", "1.1"]);
    let noise: Vec<String> = (0..200_u32).map(|n| format!("{:02x}", n.wrapping_mul(167) % 256)).collect();
    let mut commands = vec!["raw"];
    commands.extend(noise.iter().map(String::as_str));
    commands.extend(["--", "version", "1"]);
    let answers = room.ask(&["--protocol", "1.1"], &commands);
    assert_eq!(answers[1]["result"]["payload"], "PLC fw 3.2", "{answers:?}");
}
