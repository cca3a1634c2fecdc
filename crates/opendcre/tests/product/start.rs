//! How the product refuses to start: one line that says what is wrong and how to mend it.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::support::{Gateway, PRODUCT, Room, free_address, inventory, request};

fn run(arguments: &[&str]) -> Output {
    Command::new(PRODUCT).args(arguments).output().unwrap()
}

/// It failed, with one line that says all of `words`, and what the system said once.
#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    assert!(stderr.matches("(os error").count() <= 1, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is missing in: {stderr}");
    }
}

fn write(directory: &Path, text: &str) -> String {
    let path = directory.join("opendcre.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let text = format!("[server]\nlisten = \"{address}\"\n[log]\ndirectory = {:?}\n", directory.path());
    let output = run(&["serve", "--config", &write(directory.path(), &text)]);
    refused(&output, &[&address.port().to_string(), "in use"]);
}

#[test]
fn a_broken_configuration_is_one_line_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let config = write(directory.path(), "[server]\nlisten = \"127.0.0.1:5000\"\nlisten_too = 1\n");
    refused(&run(&["serve", "--config", &config]), &["opendcre.toml:3", "listen_too"]);
    refused(&run(&["config", "check", "--config", &config]), &["opendcre.toml:3", "listen_too"]);
    refused(&run(&["serve", "--config", "/nonexistent/opendcre.toml"]), &["/nonexistent/opendcre.toml"]);
}

#[test]
fn serving_beyond_this_machine_without_protection_has_to_be_written_out() {
    let directory = tempfile::tempdir().unwrap();
    for (table, key) in [("tls", "enabled"), ("auth", "required")] {
        let text = format!("[server]\nlisten = \"0.0.0.0:5000\"\n[{table}]\n{key} = false\n");
        let config = write(directory.path(), &text);
        refused(&run(&["config", "check", "--config", &config]), &["insecure", key]);
    }
}

#[test]
fn a_secret_that_everybody_can_write_is_named_and_one_that_they_can_read_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let set_mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    set_mode(directory.path(), 0o755);
    let password = directory.path().join("bmc");
    std::fs::write(&password, "calvin").unwrap();
    let (address, log) = (free_address(), directory.path().join("log"));
    let text = format!(
        "[server]\nlisten = \"{address}\"\n[log]\ndirectory = {log:?}\n\
         [[ipmi]]\nrack = \"r\"\naddress = \"127.0.0.1\"\npassword_file = \"bmc\"\n"
    );
    let config = write(directory.path(), &text);
    set_mode(&password, 0o666);
    for command in [&["serve"][..], &["config", "check"]] {
        let output = run(&[command, &["--config", &config]].concat());
        refused(&output, &["everybody on this machine can write", password.to_str().unwrap(), "chmod 600"]);
    }
    set_mode(&password, 0o644);
    let checked = String::from_utf8(run(&["config", "check", "--config", &config]).stdout).unwrap();
    let warning = format!("warning: everybody on this machine can read {}; ", password.display());
    assert!(checked.starts_with(&warning) && checked.contains("chmod 600"), "{checked}");
}

#[test]
fn a_missing_password_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let serve = |more: &str| {
        let (address, log) = (free_address(), directory.path());
        let inventory = inventory(log, "0s");
        let text = format!("[server]\nlisten = \"{address}\"\n{inventory}[log]\ndirectory = {log:?}\n{more}");
        run(&["serve", "--config", &write(directory.path(), &text)])
    };
    refused(
        &serve("[[ipmi]]\nrack = \"r\"\naddress = \"127.0.0.1\"\npassword_file = \"none\"\n"),
        &["ipmi \"127.0.0.1\".password_file", "cannot read it", "No such file"],
    );
}

#[test]
fn without_an_audit_log_it_reads_and_changes_nothing() {
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let bus = format!("[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n", room.tty());
    let gateway = Gateway::start_with("", &format!("{bus}[audit]\nfile = \"/proc/none/audit.db\"\n"));
    assert_eq!(gateway.get("/read/thermistor/1/01ff").0, 200);
    let (status, refusal) = gateway.post("/power/off/1/0dff");
    assert_eq!((status, &refusal["code"]), (503, &json!("audit_unavailable")), "{refusal}");
    let (status, ready) = request(gateway.address, "GET", "/readyz");
    assert!(status == 200 && ready.contains("degraded") && ready.contains("/proc/none/audit.db"), "{ready}");
    let (status, problem) = request(gateway.address, "GET", "/opendcre/2/audit");
    assert!(status == 503 && problem.contains("audit_unavailable"), "{problem}");
}

#[test]
fn a_pipe_in_place_of_the_originals_file_does_not_hold_up_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("bmc_config.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let gateway = Gateway::start_with("", &format!("[legacy]\nbmc_config = {pipe:?}\n"));
    let (status, body) = request(gateway.address, "GET", "/readyz");
    assert!(status == 200 && body.contains("is no regular file"), "{body}");
}

#[test]
fn what_keeps_an_emulator_from_starting_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("room.json");
    refused(&run(&["emulate", "bus", "--config", missing.to_str().unwrap()]), &["room.json", "No such file"]);

    std::fs::write(&missing, r#"{"boards": []}"#).unwrap();
    let link = directory.path().join("none/tty");
    let output =
        run(&["emulate", "bus", "--config", missing.to_str().unwrap(), "--link", link.to_str().unwrap()]);
    refused(&output, &["cannot make the link", "none/tty", "No such file"]);
}
