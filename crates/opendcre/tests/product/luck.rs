//! Bad luck with the machine: no state, no log, no tty, no network. The service comes up, answers, and says what is missing;
//! only what needs a record is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::demo::shell;
use crate::support::{Gateway, PRODUCT, Program, Room, eventually, free_address, request};

/// A folder that nobody can make, nor write to, not even root.
const NOWHERE: &str = "/proc/none";

fn codes(ready: &str) -> Vec<String> {
    let ready: Value = serde_json::from_str(ready).unwrap();
    let defects = ready["defects"].as_array().unwrap_or_else(|| panic!("{ready}"));
    defects.iter().map(|defect| defect["code"].as_str().unwrap().to_owned()).collect()
}

/// The product with this configuration.
fn start(folder: &tempfile::TempDir, text: &str) -> Program {
    let config = folder.path().join("opendcre.toml");
    fs::write(&config, text).unwrap();
    Program::start(Command::new(PRODUCT).args(["serve", "--config"]).arg(config))
}

#[test]
fn without_any_place_to_write_it_reads_and_refuses_power() {
    let (room, folder, address) = (Room::new(), tempfile::tempdir().unwrap(), free_address());
    let _emulator = room.emulate(&[]);
    let text = format!(
        "[server]\nlisten = \"{address}\"\n[state]\ndirectory = {NOWHERE:?}\n[log]\ndirectory = {NOWHERE:?}\n\
         [[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n",
        room.tty()
    );
    let mut program = start(&folder, &text);
    eventually("it listens", || std::net::TcpStream::connect(address).ok());
    assert_eq!(request(address, "GET", "/opendcre/1.1/read/thermistor/1/01ff").0, 200);
    let (status, body) = request(address, "POST", "/opendcre/1.1/power/off/1/0dff");
    assert!(status == 503 && body.contains("audit_unavailable"), "{body}");
    let (status, ready) = request(address, "GET", "/readyz");
    assert_eq!(status, 200, "{ready}");
    let mut codes = codes(&ready);
    codes.sort_unstable();
    let expected = [
        "audit_unavailable",
        "events_unavailable",
        "history_unavailable",
        "log_unavailable",
        "store_unavailable",
    ];
    assert_eq!(codes, expected, "{ready}");
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn a_log_disk_that_fills_while_it_runs_is_a_defect_until_there_is_room() {
    let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
    let log = folder.path().join("log");
    let text = format!(
        "[server]\nlisten = \"{address}\"\n[state]\ndirectory = {:?}\n[log]\ndirectory = {log:?}\naccess = true\n",
        folder.path().join("state")
    );
    let mut program = start(&folder, &text);
    eventually("it listens", || std::net::TcpStream::connect(address).ok());
    let ready = || request(address, "GET", "/readyz").1;
    assert!(!ready().contains("log_unavailable"));
    // Takes the place of the file at the next line, which every request is.
    let access = log.join("access.log");
    fs::remove_file(&access).unwrap();
    std::os::unix::fs::symlink("/dev/full", &access).unwrap();
    let full = eventually("a defect", || Some(ready()).filter(|ready| ready.contains("log_unavailable")));
    assert!(full.contains("access.log: No space left on device"), "{full}");
    fs::remove_file(&access).unwrap();
    eventually("no defect", || Some(ready()).filter(|ready| !ready.contains("log_unavailable")));
    assert!(fs::read_to_string(&access).unwrap().contains("/readyz"));
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn without_a_place_for_its_certificate_and_tokens_it_still_answers_over_tls() {
    let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
    let log = folder.path().join("log");
    let text = format!(
        "[server]\nlisten = \"{address}\"\n[tls]\nenabled = true\n[auth]\nrequired = true\n\
         [state]\ndirectory = {NOWHERE:?}\n[log]\ndirectory = {log:?}\n"
    );
    let mut program = start(&folder, &text);
    eventually("it listens", || std::net::TcpStream::connect(address).ok());
    let ready = shell(&format!("curl --insecure https://{address}/readyz"));
    assert_eq!(ready, r#"{"status":"degraded","mode":"hardware"}"#, "strangers are told no more");
    let token = format!("odcre_{}", "a".repeat(60));
    let refused = Command::new("curl")
        .args(["--silent", "--insecure", "-H", &format!("Authorization: Bearer {token}")])
        .arg(format!("https://{address}/opendcre/2/boards"))
        .output()
        .unwrap();
    let refused = String::from_utf8(refused.stdout).unwrap();
    assert!(refused.contains("auth_unavailable"), "{refused}");
    let log = fs::read_to_string(log.join("opendcre.log")).unwrap();
    assert!(log.contains("tls.certificate") && log.contains("no token is accepted"), "{log}");
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn a_state_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    // For root, nothing is read-only by its mode; a file in the place of the folder is for everybody.
    fs::set_permissions(&state, fs::Permissions::from_mode(0o500)).unwrap();
    fs::remove_dir(&state).unwrap();
    fs::write(&state, "").unwrap();
    let address = free_address();
    let text =
        format!("[server]\nlisten = \"{address}\"\n[state]\ndirectory = {state:?}\n[log]\nfiles = false\n");
    let mut program = start(&folder, &text);
    eventually("it listens", || std::net::TcpStream::connect(address).ok());
    let ready = request(address, "GET", "/readyz").1;
    assert!(ready.contains("inventory.db") && ready.contains(state.to_str().unwrap()), "{ready}");
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn a_missing_or_busy_tty_is_named_and_waited_for() {
    let room = Room::new();
    let tty = room.tty();
    let waiting = Gateway::start(&tty, "");
    let (status, ready) = request(waiting.address, "GET", "/readyz");
    assert!(
        status == 503 && ready.contains(tty.to_str().unwrap()) && ready.contains("no such tty"),
        "{ready}"
    );
    assert_eq!(request(waiting.address, "GET", "/opendcre/1.1/test").0, 200);

    let _emulator = room.emulate(&[]);
    eventually("the tty is opened", || (waiting.get("/read/thermistor/1/01ff").0 == 200).then_some(()));
    let second = Gateway::start(&tty, "");
    let (status, ready) = request(second.address, "GET", "/readyz");
    assert!(status == 503 && ready.contains("in use by another program"), "{ready}");
}

#[test]
fn an_address_that_no_interface_has_yet_is_no_reason_not_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, log) = (folder.path().join("socket"), folder.path().join("log"));
    let text = format!(
        "[server]\nlisten = \"192.0.2.1:5000\"\nsocket = {socket:?}\ninsecure = true\n\
         [state]\ndirectory = {:?}\n[log]\ndirectory = {log:?}\n",
        folder.path()
    );
    let mut program = start(&folder, &text);
    eventually("it listens", || std::os::unix::net::UnixStream::connect(&socket).ok());
    let ready = shell(&format!("curl --unix-socket {} http://localhost/readyz", socket.display()));
    assert_eq!(codes(&ready), ["address_missing"], "{ready}");
    assert_eq!(program.terminate(), Some(0));
}
