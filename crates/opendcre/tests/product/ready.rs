//! `opendcre ready`: the health check of containers, in front of servers with and without TLS.

use std::path::Path;
use std::process::Command;

use crate::support::{Gateway, PRODUCT, Room, eventually};

/// Exit code and output of `opendcre ready`.
fn ready(config: &Path, options: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PRODUCT);
    let output = command.arg("ready").arg("--config").arg(config).args(options).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn it_says_what_is_missing_and_ends_accordingly() {
    let room = Room::new();
    let emulator = room.emulate(&[]);
    let mut gateway = Gateway::start(&room.tty(), "");
    let config = gateway.directory.path().join("opendcre.toml");
    assert_eq!(ready(&config, &[]), (Some(0), "ready (hardware)\n".to_owned()));
    let (exit, json) = ready(&config, &["-o", "json"]);
    assert!(exit == Some(0) && json.starts_with("{\"status\":\"ok\""), "{json}");

    drop(emulator);
    let told = eventually("the loss is noticed", || {
        gateway.get("/read/thermistor/1/01ff");
        Some(ready(&config, &[])).filter(|(exit, _)| *exit == Some(1))
    });
    let tty = room.tty();
    assert!(told.1.starts_with("not ready (hardware): not usable: hat"), "{}", told.1);
    assert!(told.1.contains(&format!("hat: {}", tty.display())) || told.1.contains(tty.to_str().unwrap()));

    gateway.program.terminate();
    let (exit, text) = ready(&config, &["--timeout", "2s"]);
    assert!(exit == Some(1) && text.contains("cannot reach"), "{text}");
    let (exit, text) = ready(Path::new("/nonexistent/opendcre.toml"), &["--state", "/nonexistent"]);
    assert!(exit == Some(1) && text.contains("/nonexistent/opendcre.toml"), "{text}");
}

#[test]
fn a_certificate_that_the_server_has_made_is_trusted_and_no_other() {
    let protected = "[tls]\nenabled = true\n[auth]\nrequired = true\n";
    let gateway = Gateway::start_with("", protected);
    let folder = gateway.directory.path();
    let config = folder.join("opendcre.toml");
    let certificate = folder.join("tls/cert.pem");
    let answer = eventually("it serves", || Some(ready(&config, &[])).filter(|answer| answer.0 == Some(0)));
    assert_eq!(answer.1, "ready (hardware)\n");

    let token = folder.join("token");
    let made = Command::new(PRODUCT)
        .args(["token", "create", "check", "--role", "viewer", "--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    std::fs::write(&token, &made.stdout).unwrap();
    let (exit, json) = ready(&config, &["-o", "json", "--token-file", token.to_str().unwrap()]);
    assert!(exit == Some(0) && json.contains("\"defects\":[]"), "who may read is told all: {json}");
    std::fs::write(&token, format!("odcre_{}", "a".repeat(60))).unwrap();
    let (exit, text) = ready(&config, &["--token-file", token.to_str().unwrap()]);
    assert_eq!(exit, Some(1), "a login that fails is not that of a stranger: {text}");

    let other = Gateway::start_with("", protected);
    eventually("it serves", || std::fs::copy(other.directory.path().join("tls/cert.pem"), &certificate).ok());
    let (exit, text) = ready(&config, &[]);
    assert!(exit == Some(1) && text.contains("another certificate"), "{text}");
    std::fs::remove_file(&certificate).unwrap();
    let (exit, text) = ready(&config, &[]);
    assert!(exit == Some(1) && text.contains("cert.pem"), "{text}");
}

#[test]
fn the_last_good_configuration_says_where_the_server_is_if_the_file_does_not() {
    let gateway = Gateway::start_with("", "");
    let (folder, config) = (gateway.directory.path(), gateway.directory.path().join("opendcre.toml"));
    std::fs::rename(&config, folder.join("last-good.toml")).unwrap();
    std::fs::write(&config, "[server\n").unwrap();
    let (exit, text) = ready(&config, &["--state", folder.to_str().unwrap()]);
    assert_eq!((exit, text.as_str()), (Some(0), "ready (hardware)\n"));
}
