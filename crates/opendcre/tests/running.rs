//! Runs the program as a user does: what it prints, what it answers, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed expectation is how a test fails"
)]

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const ROOM: &str = r#"{"boards": [{"board_id": "1", "firmware_version": "fw", "devices": [
    {"device_id": "01ff", "device_type": "thermistor", "read": {"repeatable": true, "responses": [700]}}]}]}"#;

/// A running program, which does not outlive its test.
struct Program {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut child = command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, out, err }
    }

    /// Reads the log until a line holds `text`.
    fn wait_for_log(&mut self, text: &str) -> String {
        let mut lines = self.err.by_ref().map(Result::unwrap);
        lines
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("never logged: {text}"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Tells the program to stop; returns how it ended.
    fn stop(mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .expect("the program ends");
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opendcre"));
    command
        .args(args)
        .env_remove("OPENDCRE_LOG")
        .env_remove("OPENDCRE_SERVER");
    command
}

/// The head and body of the answer to a request.
fn http(method: &str, url: &str) -> String {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn everything_that_the_demo_suggests_works() {
    let mut demo = Program::start(&["demo", "--listen", "127.0.0.1:0"]);
    let lines = demo.out.by_ref().map(Result::unwrap);
    let welcome: Vec<String> = lines.take_while(|line| !line.starts_with("Ctrl-C")).collect();
    let suggestions: Vec<Vec<&str>> = welcome
        .iter()
        .filter_map(|line| line.strip_prefix("  "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(suggestions.len(), 12, "{welcome:#?}");
    for words in &suggestions {
        let works = match words.as_slice() {
            ["curl", url] => http("GET", url).starts_with("HTTP/1.1 200 OK\r\n"),
            ["curl", "-X", "POST", url] => http("POST", url).starts_with("HTTP/1.1 200 OK\r\n"),
            [_, args @ ..] => command(args).output().unwrap().status.success(),
            [] => false,
        };
        assert!(works, "{words:?}");
    }
    assert!(demo.stop(Signal::INT).success());
}

#[test]
fn the_power_of_the_demo_really_changes() {
    let mut demo = Program::start(&["demo", "--listen", "127.0.0.1:0"]);
    let lines = demo.out.by_ref().map(Result::unwrap);
    let suggestion = lines
        .map(|line| line.trim().to_owned())
        .find(|line| line.ends_with("/scan"))
        .unwrap();
    let power = suggestion.trim_start_matches("curl ").replace("/scan", "/power");
    for (order, state) in [
        ("on", "on"),
        ("off", "off"),
        ("status", "off"),
        ("on", "on"),
        ("status", "on"),
    ] {
        let answer = http("GET", &format!("{power}/{order}/13/0dff"));
        assert!(
            answer.contains(&format!("\"power_status\":\"{state}\"")),
            "{order}: {answer}"
        );
    }
    assert!(demo.stop(Signal::TERM).success());
}

/// A folder with a running emulator at `bus`, and a configuration for it at `opendcre.toml`.
struct Bench {
    folder: TempDir,
    emulator: Program,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let room = folder.path().join("room.json");
        fs::write(&room, ROOM).unwrap();
        let link = folder.path().join("bus");
        let args = [
            "emulate",
            "bus",
            "--config",
            room.to_str().unwrap(),
            "--link",
            link.to_str().unwrap(),
        ];
        let mut emulator = Program::start(&args);
        let first = emulator.out.next().unwrap().unwrap();
        let tty = fs::read_link(&link).unwrap();
        assert_eq!(first, format!("{} {}", tty.display(), link.display()));
        Self { folder, emulator }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes the configuration; `more` begins within its table `[log]`.
    fn configure(&self, listen: &str, more: &str) -> String {
        let path = self.path("opendcre.toml");
        let (bus, logs) = (self.path("bus"), self.path("logs"));
        let text = format!(
            "[server]\nlisten = \"{listen}\"\n\n[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = \"{bus}\"\n\n\
             [log]\ndirectory = \"{logs}\"\n{more}"
        );
        fs::write(&path, text).unwrap();
        path
    }
}

#[test]
fn the_server_serves_reloads_and_stops() {
    let bench = Bench::new();
    let config = bench.configure("127.0.0.1:0", "");
    let mut server = Program::start(&["serve", "--config", &config]);
    let serving = server.wait_for_log("serving address=");
    let address = serving
        .split("address=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let reading = format!("http://{address}/opendcre/1.1/read/thermistor/1/01ff");
    assert!(http("GET", &reading).contains("{\"device_raw\":700,\"temperature_c\":24.45}"));

    bench.configure("127.0.0.1:0", "level = \"debug\"\nmax_files = 7\n");
    server.signal(Signal::HUP);
    server.wait_for_log("needs a restart: log.max_files");
    server.wait_for_log("configuration read again");
    assert!(http("GET", &reading).contains("24.45"));
    server.wait_for_log("DEBUG");

    bench.configure("127.0.0.1:0", "level = \"loud\"\n");
    server.signal(Signal::HUP);
    let refused = server.wait_for_log("the configuration stays as it is: ");
    assert!(
        refused.contains("opendcre.toml:11: log.level: \"loud\" is not a level"),
        "{refused}"
    );

    assert!(server.stop(Signal::TERM).success());
    let access = fs::read_to_string(bench.path("logs/access.log")).unwrap();
    assert_eq!(access.lines().count(), 2, "{access}");
    assert!(
        access.contains("path=\"/opendcre/1.1/read/thermistor/1/01ff\" status=200"),
        "{access}"
    );
    let log = fs::read_to_string(bench.path("logs/opendcre.log")).unwrap();
    assert!(log.contains("stopped") && !log.contains("access"), "{log}");

    let link = bench.path("bus");
    assert!(bench.emulator.stop(Signal::TERM).success());
    assert!(fs::symlink_metadata(link).is_err());
}

/// The one line on standard error of a server that does not start.
fn refusal(config: &str) -> String {
    let output = command(&["serve", "--config", config]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    let mut errors = text.lines().filter(|line| !line.contains(" INFO "));
    let (first, more) = (errors.next().unwrap(), errors.next());
    assert_eq!(more, None, "{text}");
    first.to_owned()
}

#[test]
fn a_server_that_cannot_start_says_why_in_one_line() {
    let bench = Bench::new();
    fs::write(bench.path("bmc.json"), "{}").unwrap();
    let config = bench.configure("127.0.0.1:0", "[legacy]\nbmc_config = \"bmc.json\"\n");
    assert!(refusal(&config).ends_with("bmc.json: needs a list \"bmcs\" at the top"));

    let config = bench.configure("127.0.0.1:0", "[audit]\nfile = \"/proc/none/audit.jsonl\"\n");
    assert!(refusal(&config).starts_with("error: cannot open the audit log /proc/none/audit.jsonl: "));
}
