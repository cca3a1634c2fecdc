//! The product as a part of an appliance: supervised, with emulated boards where nobody answers, and with the last
//! configuration that worked where the new one is wrong.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use tempfile::TempDir;

use crate::support::{Gateway, PRODUCT, Program, Room, eventually, free_address, inventory, request, signal};

fn ready(gateway: &Gateway) -> Value {
    serde_json::from_str(&request(gateway.address, "GET", "/readyz").1).unwrap()
}

fn codes(ready: &Value) -> Vec<&str> {
    ready["defects"].as_array().unwrap().iter().map(|defect| defect["code"].as_str().unwrap()).collect()
}

/// What a supervisor hears until a message has all of `words`.
fn heard(socket: &UnixDatagram, words: &[&str]) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if words.iter().all(|word| message.contains(word)) {
            return message;
        }
    }
}

/// A supervisor that waits for a sign of life for `patience`: its socket, and the product as it starts it.
fn supervised(folder: &TempDir, patience: Duration) -> (UnixDatagram, Command) {
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = Command::new(PRODUCT);
    command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", patience.as_micros().to_string());
    (socket, command)
}

#[test]
fn a_supervisor_hears_nothing_of_a_program_that_hangs() {
    let (folder, patience) = (tempfile::tempdir().unwrap(), Duration::from_millis(200));
    let (socket, command) = supervised(&folder, patience);
    let gateway = Gateway::start_by(command, "", "");
    heard(&socket, &["WATCHDOG=1"]);
    signal(gateway.program.id(), "STOP");
    // What was said before is heard first.
    socket.set_read_timeout(Some(patience)).unwrap();
    let said = (0..100).take_while(|_| socket.recv(&mut [0; 4096]).is_ok()).count();
    assert!(said < 100, "there are signs of life of a program that hangs");

    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    signal(gateway.program.id(), "CONT");
    heard(&socket, &["WATCHDOG=1"]);
}

#[test]
fn a_supervisor_hears_that_it_serves_lives_reloads_and_stops() {
    let (room, folder) = (Room::new(), tempfile::tempdir().unwrap());
    let _emulator = room.emulate(&[]);
    let (socket, command) = supervised(&folder, Duration::from_millis(400));
    let bus = format!("[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n", room.tty());
    let mut gateway = Gateway::start_by(command, "", &bus);
    let config = gateway.directory.path().join("opendcre.toml");
    let first = heard(&socket, &["READY=1"]);
    assert!(first.contains("\nSTATUS=0 boards, hardware\nWATCHDOG=1\n"), "{first}");
    heard(&socket, &["WATCHDOG=1"]);
    assert_eq!(gateway.get("/scan").0, 200);
    heard(&socket, &["STATUS=1 board, hardware"]);

    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}nonsense = 1\n")).unwrap();
    signal(gateway.program.id(), "HUP");
    heard(&socket, &["RELOADING=1", "MONOTONIC_USEC="]);
    heard(&socket, &["READY=1"]);
    heard(&socket, &["STATUS=1 board, hardware; amiss: configuration (configuration_refused)"]);
    assert_eq!(codes(&ready(&gateway)), ["configuration_refused"]);
    std::fs::write(&config, text).unwrap();
    signal(gateway.program.id(), "HUP");
    eventually("the correction counts", || codes(&ready(&gateway)).is_empty().then_some(()));

    signal(gateway.program.id(), "TERM");
    heard(&socket, &["STOPPING=1"]);
    assert_eq!(gateway.program.terminate(), Some(0));
}

#[test]
fn where_nobody_answers_an_emulator_takes_the_place_of_the_bus_and_says_so() {
    let gateway = Gateway::start(std::path::Path::new("/nonexistent/tty"), "fallback = \"emulator\"");
    let told = ready(&gateway);
    assert_eq!((&told["mode"], &told["status"]), (&json!("emulator"), &json!("degraded")), "{told}");
    assert_eq!(codes(&told), ["emulated"]);
    assert_eq!(told["drivers"][0]["name"], "hat-emulator");
    let message = told["defects"][0]["message"].as_str().unwrap();
    assert!(message.contains("emulated") && message.contains("/nonexistent/tty"), "{message}");
    let (status, scan) = gateway.get("/scan");
    assert!(status == 200 && !scan["boards"].as_array().unwrap().is_empty(), "{scan}");
    let about: Value = serde_json::from_str(&request(gateway.address, "GET", "/opendcre/2/about").1).unwrap();
    assert_eq!(about["mode"], "emulator");
    let events = request(gateway.address, "GET", "/opendcre/2/events?kinds=service_degraded").1;
    assert!(events.contains("\"emulated\"") && events.contains("/nonexistent/tty"), "{events}");
}

#[test]
fn where_somebody_answers_there_is_no_emulator() {
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let gateway = Gateway::start(&room.tty(), "fallback = \"emulator\"");
    assert_eq!(gateway.get("/read/thermistor/1/01ff").0, 200);
    let told = ready(&gateway);
    assert_eq!((&told["mode"], &told["status"]), (&json!("hardware"), &json!("ok")), "{told}");
    assert_eq!(told["drivers"][0]["name"], "hat");
}

#[test]
fn a_wrong_configuration_falls_back_to_the_last_one_that_worked() {
    let folder = tempfile::tempdir().unwrap();
    let (address, config, log) =
        (free_address(), folder.path().join("opendcre.toml"), folder.path().join("log"));
    std::fs::create_dir(&log).unwrap();
    let state = inventory(folder.path(), "0s");
    let good = format!("[server]\nlisten = \"{address}\"\n{state}[log]\ndirectory = {log:?}\n");
    let start = || {
        let program = Program::start(
            Command::new(PRODUCT)
                .args(["serve", "--fall-back", "--config"])
                .arg(&config)
                .arg("--state")
                .arg(folder.path()),
        );
        eventually("it listens", || std::net::TcpStream::connect(address).ok());
        program
    };
    let told = || serde_json::from_str::<Value>(&request(address, "GET", "/readyz").1).unwrap();
    std::fs::write(&config, &good).unwrap();
    let mut program = start();
    assert_eq!(told()["status"], "ok");
    assert_eq!(program.terminate(), Some(0));
    assert_eq!(std::fs::read_to_string(folder.path().join("last-good.toml")).unwrap(), good);

    let missing = "[[ipmi]]\nrack = \"r\"\naddress = \"127.0.0.1\"\npassword_file = \"none\"\n";
    for (wrong, word) in [
        ("[server\n".to_owned(), "opendcre.toml:1"),
        (format!("{good}level = \"loud\"\n"), "loud"),
        (format!("{good}{missing}"), "password_file"),
    ] {
        std::fs::write(&config, wrong).unwrap();
        let mut program = start();
        let fallen_back = told();
        assert_eq!(codes(&fallen_back), ["configuration_fallen_back"]);
        let message = fallen_back["defects"][0]["message"].as_str().unwrap();
        assert!(message.contains(word) && message.contains("last-good.toml"), "{message}");
        eventually("it is told as an event", || {
            let events = request(address, "GET", "/opendcre/2/events?kinds=service_degraded").1;
            events.contains("configuration_fallen_back").then_some(())
        });
        // Corrected without a restart, and nothing is amiss any more.
        std::fs::write(&config, &good).unwrap();
        signal(program.id(), "HUP");
        eventually("the correction counts", || codes(&told()).is_empty().then_some(()));
        assert_eq!(program.terminate(), Some(0));
    }
    std::fs::remove_file(folder.path().join("last-good.toml")).unwrap();
    std::fs::write(&config, "[server\n").unwrap();
    let refused = Command::new(PRODUCT)
        .args(["serve", "--fall-back", "--config"])
        .arg(&config)
        .arg("--state")
        .arg(folder.path())
        .output()
        .unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("opendcre.toml:1") && error.contains("last-good.toml"), "{error}");
}
