//! The product as a process: how it starts, refuses to start, loses its line, and stops.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Gateway, PRODUCT, Program, eventually, free_address, request, signal};
use serde_json::{Value, json};

fn run(arguments: &[&str]) -> Output {
    Command::new(PRODUCT).args(arguments).output().unwrap()
}

/// It failed, with one line that says all of `words`.
#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is missing in: {stderr}");
    }
}

/// A room with one thermistor and one switch, on a tty that stays at the same path.
struct Room {
    directory: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let devices = json!([
            {"device_id": "01ff", "device_type": "thermistor", "read": {"repeatable": true, "responses": [656]}},
            {"device_id": "0dff", "device_type": "power", "has_state": true, "asset_info": "rack7-u12",
             "power": "0,12000,2400,3356", "on": "0,12000,2400,3356", "off": "64,0,0,0"}
        ]);
        let board = json!({"board_id": "1", "firmware_version": "fw 3.2", "devices": devices});
        std::fs::write(
            directory.path().join("room.json"),
            json!({"boards": [board]}).to_string(),
        )
        .unwrap();
        Self { directory }
    }

    fn tty(&self) -> PathBuf {
        self.directory.path().join("tty")
    }

    fn emulate(&self) -> Program {
        let mut command = Command::new(PRODUCT);
        command
            .args(["emulate", "bus", "--config"])
            .arg(self.directory.path().join("room.json"));
        let emulator = Program::start(command.arg("--link").arg(self.tty()));
        eventually("the link appears", || self.tty().exists().then_some(()));
        emulator
    }
}

fn write(directory: &Path, text: &str) -> String {
    let path = directory.join("opendcre.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_reading_an_action_and_the_record_of_it() {
    let room = Room::new();
    let _emulator = room.emulate();
    let gateway = Gateway::start(&room.tty(), "");
    assert_eq!(
        gateway.get("/read/thermistor/1/01ff"),
        (200, json!({"device_raw": 656, "temperature_c": 28.78}))
    );
    assert_eq!(gateway.get("/power/off/1/0dff").1["power_status"], "off");
    assert_eq!(gateway.post("/power/on/1/0dff").1["power_status"], "on");

    let audit = std::fs::read_to_string(gateway.directory.path().join("log/audit.jsonl")).unwrap();
    let records: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        records.len(),
        4,
        "an intent and an outcome for each action: {audit}"
    );
}

#[test]
fn an_unplugged_line_is_an_error_that_says_so_until_it_is_back() {
    let room = Room::new();
    let emulator = room.emulate();
    let gateway = Gateway::start(&room.tty(), "");
    assert_eq!(gateway.get("/read/thermistor/1/01ff").0, 200);
    assert_eq!(request(gateway.address, "GET", "/readyz").0, 200);

    drop(emulator);
    let tty = room.tty();
    if tty.symlink_metadata().is_ok() {
        // Killed, so it could not clean up.
        std::fs::remove_file(&tty).unwrap();
    }
    let gone = eventually("the loss is noticed", || {
        let (status, body) = gateway.get("/read/thermistor/1/01ff");
        (body["code"] == "gone").then_some((status, body))
    });
    assert_eq!(gone.0, 500);
    assert!(
        gone.1["message"]
            .as_str()
            .unwrap()
            .contains(tty.to_str().unwrap()),
        "{}",
        gone.1
    );
    assert_eq!(request(gateway.address, "GET", "/readyz").0, 503);
    assert_eq!(request(gateway.address, "GET", "/healthz").0, 200);

    let _emulator = room.emulate();
    eventually("the line is back", || {
        (gateway.get("/read/thermistor/1/01ff").0 == 200).then_some(())
    });
}

#[test]
fn it_stops_when_told_and_finishes_what_runs() {
    let room = Room::new();
    let _emulator = room.emulate();
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
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "[server]\nlisten = \"{address}\"\n[log]\ndirectory = {:?}\n",
        directory.path()
    );
    let output = run(&["serve", "--config", &write(directory.path(), &text)]);
    refused(&output, &[&address.to_string(), "in use"]);
}

#[test]
fn a_missing_or_busy_tty_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let config = |tty: &Path| {
        let (address, log) = (free_address(), directory.path());
        let text = format!(
            "[server]\nlisten = \"{address}\"\n[log]\ndirectory = {log:?}\n\
             [[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {tty:?}\n"
        );
        write(directory.path(), &text)
    };
    let missing = directory.path().join("ttyNone");
    let output = run(&["serve", "--config", &config(&missing)]);
    refused(&output, &[missing.to_str().unwrap(), "no such tty"]);

    let room = Room::new();
    let _emulator = room.emulate();
    let _owner = Gateway::start(&room.tty(), "");
    let output = run(&["serve", "--config", &config(&room.tty())]);
    refused(
        &output,
        &[room.tty().to_str().unwrap(), "in use by another program"],
    );
}

#[test]
fn a_log_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let text = format!(
        "[server]\nlisten = \"{}\"\n[log]\ndirectory = {:?}\n",
        free_address(),
        file.join("log")
    );
    let output = run(&["serve", "--config", &write(directory.path(), &text)]);
    refused(&output, &[file.join("log").to_str().unwrap()]);
}

#[test]
fn a_broken_configuration_is_one_line_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let config = write(
        directory.path(),
        "[server]\nlisten = \"127.0.0.1:5000\"\nlisten_too = 1\n",
    );
    refused(
        &run(&["serve", "--config", &config]),
        &["opendcre.toml:3", "listen_too"],
    );
    refused(
        &run(&["config", "check", "--config", &config]),
        &["opendcre.toml:3", "listen_too"],
    );
    refused(
        &run(&["serve", "--config", "/nonexistent/opendcre.toml"]),
        &["/nonexistent/opendcre.toml"],
    );
}

#[test]
fn serving_beyond_this_machine_has_to_be_written_out() {
    let directory = tempfile::tempdir().unwrap();
    let config = write(directory.path(), "[server]\nlisten = \"0.0.0.0:5000\"\n");
    refused(&run(&["config", "check", "--config", &config]), &["insecure"]);
}

#[test]
fn the_log_level_changes_without_a_restart() {
    let room = Room::new();
    let _emulator = room.emulate();
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
    assert!(
        log.contains("restart") && log.contains("devicebus"),
        "what cannot change is named: {log}"
    );
}

/// `demo` listens where it is told, and everything it suggests works.
#[test]
fn every_line_that_the_demo_suggests_works() {
    let address: SocketAddr = free_address();
    let mut demo = Program::start(Command::new(PRODUCT).args(["demo", "--listen", &address.to_string()]));
    let mut lines = Vec::new();
    while lines
        .iter()
        .filter(|line: &&String| line.contains("curl"))
        .count()
        < 5
    {
        lines.push(demo.line());
    }
    eventually("the demo listens", || TcpStream::connect(address).ok());
    let root = format!("http://{address}");
    let mut tried = 0;
    for line in lines.iter().filter(|line| line.contains("curl")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let url = words
            .iter()
            .find_map(|word| word.trim_matches(['\'', '"']).strip_prefix(&root))
            .expect(line);
        let method = if words.contains(&"POST") { "POST" } else { "GET" };
        let (status, body) = request(address, method, url);
        assert_eq!(status, 200, "{line}: {body}");
        tried += 1;
    }
    assert!(tried >= 5);
    assert_eq!(demo.terminate(), Some(0));
}
