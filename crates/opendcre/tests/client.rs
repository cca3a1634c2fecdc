//! Drives the client commands of the real binary against a server that plays back one answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

/// How a run of the client ended.
struct Run {
    exit: i32,
    out: String,
    err: String,
}

/// Answers every one of `answers` on a connection of its own, then goes away.
struct Server {
    address: String,
    requests: JoinHandle<Vec<String>>,
}

impl Server {
    fn start(answers: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers: Vec<_> = answers
            .iter()
            .map(|(status, body)| {
                format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
            })
            .collect();
        let serve = move || answers.iter().map(|answer| serve_one(&listener, answer)).collect();
        Self { address, requests: thread::spawn(serve) }
    }

    /// The first line of every request, without the HTTP version.
    fn requests(self) -> Vec<String> {
        self.requests.join().unwrap()
    }
}

fn serve_one(listener: &TcpListener, answer: &str) -> String {
    let (stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    // Everything up to the empty line that ends the headers.
    assert!(lines.any(|line| line.is_empty()));
    (&stream).write_all(answer.as_bytes()).unwrap();
    first.strip_suffix(" HTTP/1.1").unwrap().to_owned()
}

fn opendcre(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opendcre"));
    command.args(args).env_remove("OPENDCRE_SERVER");
    command
}

fn run(args: &[&str]) -> Run {
    let output = opendcre(args).output().unwrap();
    Run {
        exit: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the client against a server that answers `answer` once. Returns the request that it saw, too.
fn ask(args: &[&str], answer: (&str, &str)) -> (String, Run) {
    let server = Server::start(&[answer]);
    let run = run(&[&["--server", &server.address], args].concat());
    (server.requests().remove(0), run)
}

const OK: (&str, &str) = ("200 OK", r#"{"status": "ok"}"#);

#[test]
fn every_command_has_its_method_and_path() {
    for (line, request) in [
        ("scan 1", "GET /opendcre/1.1/scan/00000001"),
        ("read THERMISTOR 1 1FF", "GET /opendcre/1.1/read/thermistor/00000001/01ff"),
        ("read door_lock 00ABCDEF 0", "GET /opendcre/1.1/read/door_lock/00abcdef/0000"),
        ("watch humidity 1 2 --count 1", "GET /opendcre/1.1/read/humidity/00000001/0002"),
        ("power status 1 dff", "GET /opendcre/1.1/power/status/00000001/0dff"),
        ("power status 0x1 0X0DFF", "GET /opendcre/1.1/power/status/00000001/0dff"),
        ("power on 1 dff", "POST /opendcre/1.1/power/on/00000001/0dff"),
        ("power off 1 dff", "POST /opendcre/1.1/power/off/00000001/0dff"),
        ("power cycle 40000000 1", "POST /opendcre/1.1/power/cycle/40000000/0001"),
        ("asset get 1 dff", "GET /opendcre/1.1/read/power/00000001/0dff/info"),
        ("asset set 1 dff a+b?", "POST /opendcre/1.1/write/power/00000001/0dff/info/a%2Bb%3F"),
        ("version 1", "GET /opendcre/1.1/version/00000001"),
        ("version", "GET /opendcre/1.1/test"),
    ] {
        let mut args: Vec<_> = line.split(' ').collect();
        args.extend(["-o", "json"]);
        let (seen, run) = ask(&args, OK);
        assert_eq!((seen.as_str(), run.exit), (request, 0), "{line}: {}", run.err);
        assert_eq!(run.err, "", "{line}");
        assert!(run.out.contains(r#""status":"ok""#), "{line}: {}", run.out);
    }
}

#[test]
fn a_scan_of_everything_is_a_table() {
    let body = r#"{"boards": [{"board_id": "00000001", "devices": [
        {"device_id": "01ff", "device_type": "thermistor"}]}, {"board_id": "40000000", "devices": []}]}"#;
    let (seen, run) = ask(&["scan"], ("200 OK", body));
    assert_eq!((seen.as_str(), run.exit), ("GET /opendcre/1.1/scan", 0));
    insta::assert_snapshot!(run.out, @r"
    BOARD     DEVICE  KIND
    00000001  01ff    thermistor
    40000000  -       -
    ");
}

#[test]
fn a_reading_for_programs_has_the_digits_of_the_server() {
    let body = "{\n  \"device_raw\": 123456789012345678901234567890\n}\n";
    let (_, run) = ask(&["-o", "json", "read", "pressure", "1", "2"], ("200 OK", body));
    assert_eq!(run.out, "{\"device_raw\":123456789012345678901234567890}\n");
}

#[test]
fn the_version_without_a_board_tells_both_sides() {
    let server = Server::start(&[OK]);
    let run = run(&["version", "-o", "json", "--server", &server.address]);
    let expected = format!(
        "{{\"client_version\":\"{}\",\"server\":\"http://{}\",\"status\":\"ok\"}}\n",
        env!("CARGO_PKG_VERSION"),
        server.address
    );
    assert_eq!(run.out, expected);
    assert_eq!(server.requests(), ["GET /opendcre/1.1/test"]);
}

#[test]
fn the_server_may_come_from_the_environment() {
    let server = Server::start(&[OK]);
    let status = opendcre(&["version"])
        .env("OPENDCRE_SERVER", &server.address)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn errors_of_the_server_have_its_words_and_an_exit_code() {
    let timeout = r#"{"message": "board 00000009 is silent", "code": "timeout", "http_code": 500}"#;
    let busy = r#"{"message": "too much is waiting", "code": "busy", "http_code": 503}"#;
    for (answer, exit, err) in [
        (("500 Internal Server Error", timeout), 1, "error: board 00000009 is silent (timeout, HTTP 500)\n"),
        (("503 Service Unavailable", busy), 4, "error: too much is waiting (busy, HTTP 503)\n"),
        (("404 Not Found", "<html></html>"), 1, "error: the server answered \"Not Found\" (HTTP 404)\n"),
        (("302 Found", ""), 1, "error: the server answered \"Found\" (HTTP 302)\n"),
    ] {
        let (_, run) = ask(&["version", "9"], answer);
        assert_eq!((run.exit, run.out.as_str(), run.err.as_str()), (exit, "", err));
    }
}

#[test]
fn errors_for_programs_are_json() {
    let timeout = r#"{"http_code": 500, "code": "timeout", "message": "board 00000009 is silent"}"#;
    let (_, run) = ask(&["-o", "json", "version", "9"], ("500 Oops", timeout));
    assert_eq!((run.exit, run.out.as_str()), (1, ""));
    assert_eq!(
        run.err,
        "{\"message\":\"board 00000009 is silent\",\"code\":\"timeout\",\"http_code\":500}\n"
    );
}

#[test]
fn an_answer_of_something_else_is_an_error() {
    let (_, run) = ask(&["scan"], ("200 OK", "<html>It works!</html>"));
    assert_eq!(run.exit, 1);
    assert!(run.err.starts_with("error: the answer is not one of an OpenDCRE server"), "{}", run.err);
}

#[test]
fn a_watch_goes_on_after_an_error() {
    let server = Server::start(&[
        ("200 OK", r#"{"device_raw": 1}"#),
        ("503 Service Unavailable", ""),
        ("200 OK", r#"{"device_raw": 3}"#),
    ]);
    let run =
        run(&["watch", "led", "1", "1", "--interval", "1ms", "--count", "3", "--server", &server.address]);
    assert_eq!(server.requests(), vec!["GET /opendcre/1.1/read/led/00000001/0001"; 3]);
    let lines: Vec<_> = run.out.lines().map(|line| line.split_once("Z  ").unwrap().1).collect();
    assert_eq!((run.exit, lines.as_slice()), (0, ["device_raw=1", "device_raw=3"].as_slice()));
    assert_eq!(run.err, "error: the server answered \"Service Unavailable\" (HTTP 503)\n");
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let run = run(&["--server", &address, "scan"]);
    assert_eq!(run.exit, 3);
    assert_eq!(
        run.err,
        format!(
            "error: cannot reach http://{address}: Connection refused (os error 111); is the server running \
             there?\n"
        )
    );
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    // The kernel takes the connection, nobody ever answers it.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let run = run(&["--server", &address, "--timeout", "20ms", "power", "cycle", "1", "dff"]);
    assert_eq!(run.exit, 3);
    assert_eq!(
        run.err,
        format!(
            "error: no answer from http://{address} within 20ms; what was asked may still happen, so check \
             before repeating it, or allow more time with --timeout\n"
        )
    );
}

#[test]
fn wrong_usage_is_told_apart_and_sends_nothing() {
    let long = "x".repeat(128);
    for (args, words) in [
        (vec!["scan", "xyz"], "\"xyz\" is not a hexadecimal identifier"),
        (vec!["scan", "100000000"], "larger than the largest identifier"),
        (vec!["read", "sofa", "1", "1"], "'sofa'"),
        (vec!["read", "led", "1", "10000"], "larger than the largest identifier, ffff"),
        (vec!["power", "explode", "1", "1"], "possible values: status, on, off, cycle"),
        (vec!["asset", "set", "1", "1", ".."], "the API cannot carry this text"),
        (vec!["asset", "set", "1", "1", ""], "must not be empty"),
        (vec!["asset", "set", "1", "1", "Gerät"], "must be ASCII"),
        (vec!["asset", "set", "1", "1", &long], "a device keeps 127"),
        (vec!["watch", "led", "1", "1", "--interval", "0s"], "between 1ms and 24h"),
        (vec!["--server", "https://rack7", "scan"], "does not have yet"),
        (vec!["--server", "not a server", "scan"], "does not name a server"),
        (vec!["dance"], "unrecognized subcommand"),
    ] {
        let run = run(&args);
        assert_eq!((run.exit, run.out.as_str()), (2, ""), "{args:?}");
        assert!(run.err.starts_with("error: "), "{args:?}: {}", run.err);
        assert!(run.err.contains(words), "{args:?}: {}", run.err);
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let server = Server::start(&[OK]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = opendcre(&["version", "--server", &server.address])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    server.requests();
}

#[test]
fn version_and_help_are_no_errors() {
    let version = run(&["--version"]);
    assert_eq!(version.out, format!("opendcre {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.exit, 0);
    let help = run(&["--help"]);
    assert_eq!(help.exit, 0);
    assert!(help.out.contains("Exit codes:") && help.out.contains("Examples:"));
}

#[test]
fn completions_know_the_commands() {
    // fish completes commands and options, but no values of arguments.
    for (shell, word) in [("bash", "thermistor"), ("zsh", "thermistor"), ("fish", "watch")] {
        let run = run(&["completions", shell]);
        assert_eq!(run.exit, 0, "{shell}: {}", run.err);
        assert!(run.out.contains(word), "{shell}");
    }
}

#[test]
fn an_incomplete_scan_is_shown_with_a_warning() {
    let answer = ("200 OK\r\nx-opendcre-failed: attic, cellar", r#"{"boards": []}"#);
    let (_, run) = ask(&["scan"], answer);
    assert_eq!(run.exit, 0);
    assert_eq!(run.err, "warning: the boards of these buses are missing: attic, cellar\n");
}
