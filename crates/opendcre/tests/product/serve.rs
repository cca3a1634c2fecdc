//! The product as a process: what it serves, what it records, how it loses its line, reloads and stops.

use std::io::{Read, Write};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Gateway, PRODUCT, Room, eventually, request, signal};

#[test]
fn a_reading_an_action_and_the_record_of_it() {
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let mut gateway = Gateway::start(&room.tty(), "");
    assert_eq!(
        gateway.get("/read/thermistor/1/01ff"),
        (200, json!({"device_raw": 656, "temperature_c": 28.78}))
    );
    assert_eq!(gateway.get("/power/off/1/0dff").1["power_status"], "off");
    assert_eq!(gateway.post("/power/on/1/0dff").1["power_status"], "on");

    let records = gateway.changes();
    let told: Vec<[&str; 3]> = records
        .iter()
        .map(|record| ["kind", "action", "code"].map(|key| record[key].as_str().unwrap_or("-")))
        .collect();
    let (off, on) = ("power_off", "power_on");
    assert_eq!(
        told,
        [["intent", off, "-"], ["outcome", off, "ok"], ["intent", on, "-"], ["outcome", on, "ok"]]
    );
    assert!(records[0]["id"] == records[1]["id"] && records[1]["id"] != records[2]["id"]);

    let (status, page) = request(gateway.address, "GET", "/opendcre/2/audit?kind=outcome&limit=1");
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((status, &page["items"][0]["entry"]), (200, &records[3]), "{page}");
    let file = gateway.directory.path().join("audit.db");
    assert_eq!(gateway.program.terminate(), Some(0));
    let head = format!("{}:{}", page["head"]["sequence"], page["head"]["hash"].as_str().unwrap());
    let log = std::fs::read_to_string(gateway.directory.path().join("log/opendcre.log")).unwrap();
    let verified = Command::new(PRODUCT)
        .args(["audit", "verify", "--head", &head, "--file"])
        .arg(&file)
        .output()
        .unwrap();
    let report = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success(), "{report}");
    // What is logged at the end is what the log ends with.
    assert!(log.contains(report.trim_end().rsplit(' ').next().unwrap()), "{report}{log}");
}

#[test]
fn an_unplugged_line_is_an_error_that_says_so_until_it_is_back() {
    let room = Room::new();
    let emulator = room.emulate(&[]);
    let gateway = Gateway::start(&room.tty(), "");
    assert_eq!(gateway.get("/read/thermistor/1/01ff").0, 200);
    assert_eq!(request(gateway.address, "GET", "/readyz").0, 200);

    drop(emulator);
    let tty = room.tty();
    let gone = eventually("the loss is noticed", || {
        let (status, body) = gateway.get("/read/thermistor/1/01ff");
        (body["code"] == "gone").then_some((status, body))
    });
    assert_eq!(gone.0, 500);
    assert!(gone.1["message"].as_str().unwrap().contains(tty.to_str().unwrap()), "{}", gone.1);
    assert_eq!(request(gateway.address, "GET", "/readyz").0, 503);
    assert_eq!(request(gateway.address, "GET", "/healthz").0, 200);

    let _emulator = room.emulate(&[]);
    eventually("the line is back", || (gateway.get("/read/thermistor/1/01ff").0 == 200).then_some(()));
}

#[test]
fn it_stops_when_told_and_finishes_what_runs() {
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let mut gateway = Gateway::start_logging(&room.tty(), "", "level = \"debug\"");
    // A scan waits for the silence at its end, which leaves time to send the signal.
    let address = gateway.address;
    let scan = std::thread::spawn(move || request(address, "GET", "/opendcre/1.1/scan/1"));
    let log = gateway.directory.path().join("log/opendcre.log");
    eventually("the scan is on the wire", || {
        let log = std::fs::read_to_string(&log).ok()?;
        log.contains("44 bd 04").then_some(())
    });
    assert_eq!(gateway.program.terminate(), Some(0));
    let (status, body) = scan.join().unwrap();
    assert_eq!(status, 200, "{body}");
}

#[test]
fn a_change_that_a_forced_end_cuts_off_is_recorded_as_uncertain_and_logged() {
    let room = Room::new();
    let _emulator = room.emulate(&["--fault", "silence=1"]);
    let mut gateway = Gateway::start(&room.tty(), "timeout = \"30s\"");
    let address = gateway.address;
    // The answer may be cut off, too, so nothing is expected of it.
    let change = std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream
            .write_all(
                b"POST /opendcre/1.1/power/off/1/0dff HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            )
            .unwrap();
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let directory = gateway.directory.path().join("log");
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap_or_default();
    eventually("the change has begun", || (gateway.changes().len() == 1).then_some(()));

    let status = eventually("it ends", || {
        signal(gateway.program.id(), "TERM");
        gateway.program.ended()
    });
    change.join().unwrap();
    assert_eq!(status.code(), Some(1));
    let audit = gateway.changes();
    let outcome = audit.last().unwrap();
    assert_eq!((&outcome["kind"], &outcome["code"]), (&json!("outcome"), &json!("uncertain")), "{audit:?}");
    let message = outcome["message"].as_str().unwrap();
    assert!(message.contains("the process was told to end before the outcome was known"), "{message}");
    let log = read("opendcre.log");
    assert!(log.lines().any(|line| line.contains(message) && line.contains("power_off")), "{log}");
}

#[test]
fn the_log_level_changes_without_a_restart() {
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let gateway = Gateway::start(&room.tty(), "");
    let config = gateway.directory.path().join("opendcre.toml");
    let log = gateway.directory.path().join("log/opendcre.log");
    let text = std::fs::read_to_string(&config).unwrap();
    let changed = text
        .replace("[log]\n", "[log]\nlevel = \"debug\"\n")
        .replace("name = \"hat\"\n", "name = \"hat\"\ntimeout = \"300ms\"\n");
    std::fs::write(&config, changed).unwrap();
    signal(gateway.program.id(), "HUP");
    // The bytes on the wire are logged at debug level only.
    eventually("debug lines appear", || {
        gateway.get("/read/thermistor/1/01ff");
        let log = std::fs::read_to_string(&log).ok()?;
        log.contains("01 0c").then_some(())
    });
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("needs a restart: devicebus.hat.timeout"), "what cannot change is named: {log}");

    std::fs::write(&config, text.replace("[log]\n", "[log]\nlevel = \"loud\"\n")).unwrap();
    signal(gateway.program.id(), "HUP");
    eventually("the mistake is named", || {
        let log = std::fs::read_to_string(gateway.directory.path().join("log/opendcre.log")).ok()?;
        log.contains("\"loud\" is not a level").then_some(())
    });
}

#[test]
fn more_requests_than_the_bus_can_take_are_told_when_to_come_back() {
    let room = Room::with_devices(&json!([]));
    let _emulator = room.emulate(&[]);
    let gateway = Gateway::start(&room.tty(), "backlog = 1");
    let address = gateway.address;
    // None of these devices answers, so the first request holds the bus and the second fills the queue.
    let path = |device| format!("/opendcre/1.1/read/thermistor/1/{device}");
    let asked = (0..8).map(|device| std::thread::spawn(move || request(address, "GET", &path(device))));
    let answers: Vec<_> =
        asked.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect();
    let count = |status, code: &str| {
        answers.iter().filter(|answer| answer.0 == status && answer.1.contains(code)).count()
    };
    assert!(count(503, "\"busy\"") > 0 && count(500, "\"timeout\"") > 0, "{answers:?}");
    assert_eq!(count(503, "\"busy\"") + count(500, "\"timeout\""), answers.len(), "{answers:?}");
}
