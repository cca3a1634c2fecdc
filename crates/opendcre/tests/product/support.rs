//! Programs that run for the length of a test, and plain HTTP requests to them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const PRODUCT: &str = env!("CARGO_BIN_EXE_opendcre");
/// Debian's Python, which is the one that Debian's `python3-serial` belongs to.
const PYTHON: &str = "/usr/bin/python3";

/// A program that is stopped when this goes away.
pub(crate) struct Program {
    child: Child,
    /// The lines of its standard output, up to its end.
    lines: mpsc::Receiver<String>,
}

/// How long a program has for a line that is waited for.
const LINE_LIMIT: Duration = Duration::from_secs(60);

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap_or_else(
                |error| panic!("{command:?}: {error}; `cargo xtask test` installs what tests need"),
            );
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        // Nobody may be left to hear it.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The next line on its standard output; nothing at its end.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(LINE_LIMIT) {
            Ok(line) => line.trim_end().to_owned(),
            Err(mpsc::RecvTimeoutError::Disconnected) => String::new(),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the program says nothing for {LINE_LIMIT:?}"),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Asks it to end, and says how it ended.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        signal(self.child.id(), "TERM");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Asked first, because a program that is killed cannot clean up after itself.
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.child.id(), "TERM");
        }
        for _ in 0..500 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status().expect("kill");
    assert!(status.success());
}

/// Tries until it works; the other side is a process that needs a moment.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(result) = attempt() {
            return result;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("did not happen: {what}");
}

/// Two ttys joined by `socat`, as the original's start script makes them.
pub(crate) fn tty_pair(directory: &Path) -> (Program, PathBuf, PathBuf) {
    let (near, far) = (directory.join("near"), directory.join("far"));
    let end = |path: &Path| format!("PTY,link={},rawer", path.display());
    let socat = Program::start(Command::new("socat").arg(end(&near)).arg(end(&far)));
    eventually("socat makes its ttys", || (near.exists() && far.exists()).then_some(()));
    (socat, near, far)
}

/// A program of the independent implementation under `tests/peer`.
pub(crate) fn peer(program: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peer").join(program);
    let mut command = Command::new(PYTHON);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(path);
    command
}

/// A gateway in front of one bus.
pub(crate) struct Gateway {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    pub(crate) directory: tempfile::TempDir,
}

impl Gateway {
    /// Starts the gateway with a bus on `tty`; `bus` adds lines to the bus's section of the configuration.
    pub(crate) fn start(tty: &Path, bus: &str) -> Self {
        Self::start_logging(tty, bus, "")
    }

    /// The same, with lines for the section on logging.
    pub(crate) fn start_logging(tty: &Path, bus: &str, logging: &str) -> Self {
        let bus = format!("[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {tty:?}\n{bus}\n");
        Self::start_with(logging, &bus)
    }

    /// Starts the gateway with these tables of equipment, and lines for the section on logging.
    pub(crate) fn start_with(logging: &str, equipment: &str) -> Self {
        Self::start_by(Command::new(PRODUCT), logging, equipment)
    }

    /// The same by a `command`, which is the program with its environment.
    pub(crate) fn start_by(mut command: Command, logging: &str, equipment: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let log = directory.path().join("log");
        std::fs::create_dir(&log).expect("a log directory");
        // Nothing is looked for in the background: tests count what is on the wire.
        let inventory = inventory(directory.path(), "0s");
        let text = format!(
            "[server]\nlisten = \"{address}\"\n{inventory}[log]\ndirectory = {log:?}\n{logging}\n{equipment}"
        );
        let config = directory.path().join("opendcre.toml");
        std::fs::write(&config, text).expect("a configuration");
        let program = Program::start(command.arg("serve").arg("--config").arg(&config));
        eventually("the gateway listens", || TcpStream::connect(address).ok());
        Self { program, address, directory }
    }

    /// What its audit log says of changes, oldest first.
    pub(crate) fn changes(&self) -> Vec<Value> {
        let file = self.directory.path().join("audit.db");
        if !file.exists() {
            // The address is bound before the log is begun.
            return Vec::new();
        }
        let export =
            Command::new(PRODUCT).args(["audit", "export", "--file"]).arg(&file).output().expect("an export");
        assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
        let text = String::from_utf8(export.stdout).expect("text");
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("json"));
        let entries = records.map(|record| record["entry"].clone());
        entries.filter(|entry| entry["kind"] == "intent" || entry["kind"] == "outcome").collect()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> (u16, Value) {
        self.request("POST", path)
    }

    fn request(&self, method: &str, path: &str) -> (u16, Value) {
        let (status, body) = request(self.address, method, &format!("/opendcre/1.1{path}"));
        let json = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error} in {body:?}"));
        (status, json)
    }
}

/// The tables of a configuration that keeps everything in `directory` and looks for everything every `refresh`.
pub(crate) fn inventory(directory: &Path, refresh: &str) -> String {
    format!("[state]\ndirectory = {directory:?}\n[inventory]\nrefresh = \"{refresh}\"\n")
}

pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// Status and body of one request on a connection of its own.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a server");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

/// An emulated room whose tty stays at the same path.
pub(crate) struct Room {
    directory: tempfile::TempDir,
}

impl Room {
    /// One thermistor and one switch whose state changes.
    pub(crate) fn new() -> Self {
        Self::with_devices(&json!([
            {"device_id": "01ff", "device_type": "thermistor", "read": {"repeatable": true, "responses": [656]}},
            {"device_id": "0dff", "device_type": "power", "has_state": true, "asset_info": "rack7-u12",
             "power": "0,12000,2400,3356", "on": "0,12000,2400,3356", "off": "64,0,0,0"}
        ]))
    }

    /// One board, number 1, with these devices.
    pub(crate) fn with_devices(devices: &Value) -> Self {
        let board = json!({"board_id": "1", "firmware_version": "fw 3.2", "devices": devices});
        Self::with_text(&json!({"boards": [board]}).to_string())
    }

    /// The room of a configuration of the emulator.
    pub(crate) fn with_text(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("room.json"), text).unwrap();
        Self { directory }
    }

    pub(crate) fn tty(&self) -> PathBuf {
        self.directory.path().join("tty")
    }

    /// Our emulator in this room, with its first line read: the name of its tty and that of its link.
    pub(crate) fn emulate(&self, options: &[&str]) -> Program {
        let mut command = Command::new(PRODUCT);
        command.args(["emulate", "bus", "--config"]).arg(self.directory.path().join("room.json"));
        let mut emulator = Program::start(command.arg("--link").arg(self.tty()).args(options));
        let first = emulator.line();
        let tty = std::fs::read_link(self.tty()).unwrap();
        assert_eq!(first, format!("{} {}", tty.display(), self.tty().display()));
        emulator
    }
}
