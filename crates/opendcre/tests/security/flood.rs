//! Attackers who have not logged in: slow ones, and many at once. Everybody else must not notice.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::gateway::{Gateway, Settings};

/// What the gateway may grow by during an attack, in KiB. 256 connections of one address, with TLS (some 40 KiB each),
/// a header of 16 KiB and a body of 64 KiB each at most, are 30 MiB.
const MEMORY: u64 = 48 * 1024;

/// How long a health check from elsewhere may take on a machine that is busy with the attack itself.
const HEALTHY: Duration = Duration::from_secs(2);

/// How many connections the attacker tries to open.
const CONNECTIONS: &str = "400";

/// A gateway that does not wait long, so that the attack need not last long either.
fn start() -> Gateway {
    let server = "header_timeout = \"3s\"\nsend_timeout = \"3s\"\nrequest_timeout = \"3s\"";
    Gateway::start_with(&Settings { server, auth: "[auth]\nrequired = true\n", ..Settings::default() })
}

/// Resident memory, in KiB.
fn memory(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Open files, of which connections are some.
fn open_files(gateway: &Gateway) -> usize {
    fs::read_dir(format!("/proc/{}/fd", gateway.process())).unwrap().count()
}

/// What became of an attack.
struct Attack {
    /// Whether the gateway got rid of all connections while the attacker still tried to keep them.
    shaken_off: bool,
    /// What the attacker says.
    report: String,
}

/// Attacks with a program, and asks for the health of the gateway from another address meanwhile.
fn withstand(gateway: &Gateway, attack: &mut Command) -> Attack {
    // A first request fills what is kept in any case.
    assert_eq!(gateway.request("/healthz").send().status, 200);
    let (memory_before, files_before) = (memory(gateway), open_files(gateway));
    let attacker = attack.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let report = thread::spawn(move || attacker.wait_with_output().unwrap());
    let (mut checks, mut attacked, mut shaken_off) = (0, false, false);
    while !report.is_finished() {
        let started = Instant::now();
        let answer = gateway.request("/healthz").from("127.0.5.1").send();
        let duration = started.elapsed();
        assert_eq!(answer.status, 200);
        assert!(duration < HEALTHY, "a health check took {duration:?}");
        let grown = memory(gateway).saturating_sub(memory_before);
        assert!(grown < MEMORY, "grown by {grown} KiB");
        let connections = open_files(gateway).saturating_sub(files_before);
        assert!(connections < 256 + 10, "{connections} connections");
        attacked |= connections > 50;
        // The health check may not be gone yet.
        shaken_off = attacked && connections < 3;
        checks += 1;
        thread::sleep(Duration::from_millis(50));
    }
    assert!(attacked && checks > 10, "that was no attack");
    Attack { shaken_off, report: String::from_utf8(report.join().unwrap().stdout).unwrap() }
}

/// What keeps its connections for 20 s if nobody prevents it.
fn slow_attack(gateway: &Gateway, path: &str, args: &[&str]) -> Attack {
    let mut command = Command::new("slowhttptest");
    command.args(["-c", CONNECTIONS, "-r", "200", "-l", "20", "-u", &gateway.url(path)]).args(args);
    withstand(gateway, &mut command)
}

#[test]
fn slow_headers_are_cut_off() {
    let gateway = start();
    let attack = slow_attack(&gateway, "/opendcre/2/boards", &["-H", "-i", "1"]);
    assert!(attack.report.contains("No open connections left"), "{}", attack.report);
    gateway.finish();
}

#[test]
fn slow_readers_are_cut_off() {
    let gateway = start();
    // What everybody may read, several times in a row.
    let args = ["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3"];
    let attack = slow_attack(&gateway, "/opendcre/2/openapi.json", &args);
    assert!(attack.shaken_off, "{}", attack.report);
    gateway.finish();
}

#[test]
fn many_requests_on_many_connections_are_answered() {
    let gateway = start();
    let mut command = Command::new("h2load");
    command.args(["--requests", "30000", "--clients", "100", "--max-concurrent-streams", "30"]);
    let attack = withstand(&gateway, command.arg(gateway.url("/opendcre/2/boards")));
    assert!(attack.report.contains("30000 done"), "{}", attack.report);
    assert!(attack.report.contains("30000 4xx, 0 5xx"), "{}", attack.report);
    gateway.finish();
}

#[test]
fn slow_bodies_are_cut_off() {
    // A body is waited for only where somebody has logged in; this is somebody who has.
    let anonymous = "[auth]\nanonymous = \"operator\"\n";
    let server = "request_timeout = \"3s\"\nheader_timeout = \"3s\"";
    let gateway = Gateway::start_with(&Settings { server, auth: anonymous, ..Settings::default() });
    let json = ["-B", "-i", "1", "-s", "8192", "-t", "POST", "-f", "application/json"];
    let attack = slow_attack(&gateway, "/opendcre/2/power", &json);
    assert!(attack.report.contains("No open connections left"), "{}", attack.report);
    gateway.finish();
}
