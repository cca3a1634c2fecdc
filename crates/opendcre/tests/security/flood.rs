//! Attackers who have not logged in: slow ones, and many at once. Everybody else must not notice.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::gateway::{Gateway, Settings};
use crate::service::pki;
use crate::support::eventually;

/// What the gateway may grow by during an attack, in KiB. 256 connections of one address, with TLS (some 40 KiB each),
/// a header of 16 KiB and a body of 64 KiB each at most, are 30 MiB.
const MEMORY: u64 = 48 * 1024;

/// How long a health check from elsewhere may take on a machine that is busy with the attack itself, in seconds.
const HEALTHY: &str = "5";

/// One attack at a time, or it would be the other attackers that make health checks slow.
static ALONE: Mutex<()> = Mutex::new(());

/// How many connections the attacker tries to open.
const CONNECTIONS: &str = "400";

/// A gateway that does not wait long, so that the attack need not last long either, and logs as gateways usually do.
fn start(auth: &str) -> Gateway {
    let server = "header_timeout = \"3s\"\nsend_timeout = \"3s\"\nrequest_timeout = \"3s\"";
    Gateway::start_with(&Settings { server, auth, level: "info", ..Settings::default() })
}

const LOGIN: &str = "[auth]\nrequired = true\n";

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
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A first request fills what is kept in any case.
    assert_eq!(gateway.request("/healthz").send().status, 200);
    let (memory_before, files_before) = (memory(gateway), open_files(gateway));
    let attacker = attack.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let report = thread::spawn(move || attacker.wait_with_output().unwrap());
    let (mut checks, mut attacked, mut shaken_off) = (0, false, false);
    while !report.is_finished() {
        let answer = gateway.request("/healthz").from("127.0.5.1").with(&["--max-time", HEALTHY]).try_send();
        assert_eq!(answer.expect("an answer in time").status, 200);
        let grown = memory(gateway).saturating_sub(memory_before);
        assert!(grown < MEMORY, "grown by {grown} KiB");
        let connections = open_files(gateway).saturating_sub(files_before);
        // Those beyond 256 from one address are closed at once, which is not the moment when they come.
        assert!(connections < 320, "{connections} connections");
        attacked |= connections > 30;
        // The health check may not be gone yet.
        shaken_off = attacked && connections < 3;
        checks += 1;
        thread::sleep(Duration::from_millis(50));
    }
    let report = String::from_utf8(report.join().unwrap().stdout).unwrap();
    assert!(attacked && checks > 10, "that was no attack: {checks} checks, {report}");
    Attack { shaken_off, report }
}

/// What keeps its connections for 20 s if nobody prevents it.
fn slow_attack(gateway: &Gateway, path: &str, args: &[&str]) -> Attack {
    let mut command = Command::new("slowhttptest");
    command.args(["-c", CONNECTIONS, "-r", "200", "-l", "20", "-u", &gateway.url(path)]).args(args);
    withstand(gateway, &mut command)
}

#[test]
fn slow_headers_are_cut_off() {
    let gateway = start(LOGIN);
    let attack = slow_attack(&gateway, "/opendcre/2/boards", &["-H", "-i", "1"]);
    assert!(attack.report.contains("No open connections left"), "{}", attack.report);
    gateway.finish();
}

#[test]
fn slow_readers_are_cut_off() {
    let gateway = start(LOGIN);
    // What everybody may read, several times in a row.
    let args = ["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3"];
    let attack = slow_attack(&gateway, "/opendcre/2/openapi.json", &args);
    assert!(attack.shaken_off, "{}", attack.report);
    gateway.finish();
}

#[test]
fn many_requests_on_many_connections_are_answered() {
    let gateway = start(LOGIN);
    let mut command = Command::new("h2load");
    command.args(["--requests", "30000", "--clients", "50", "--max-concurrent-streams", "10"]);
    let attack = withstand(&gateway, command.arg(gateway.url("/opendcre/2/boards")));
    assert!(attack.report.contains("30000 done"), "{}", attack.report);
    assert!(attack.report.contains("30000 4xx, 0 5xx"), "{}", attack.report);
    gateway.finish();
}

#[test]
fn bodies_that_never_end_are_cut_off() {
    // Nobody waits for the body of somebody who may not send one; this is somebody who may.
    let gateway = start("[auth]\nanonymous = \"operator\"\n");
    for version in ["--http1.1", "--http2"] {
        let files = open_files(&gateway);
        let attackers: Vec<_> = (0..40).map(|_| endless_body(&gateway, version)).collect();
        eventually("all are connected", || (open_files(&gateway) >= files + 40).then_some(()));
        eventually("all are cut off", || (open_files(&gateway) <= files).then_some(()));
        for mut attacker in attackers {
            attacker.kill().unwrap();
            attacker.wait().unwrap();
        }
    }
    gateway.finish();
}

fn endless_body(gateway: &Gateway, version: &str) -> Child {
    let mut curl = Command::new("curl");
    curl.args(["-sS", version, "--cacert"]).arg(pki("ca.pem")).arg(gateway.url("/opendcre/2/power"));
    // The body is what comes to its standard input, where nothing comes.
    curl.args(["-X", "POST", "-H", "Content-Type: application/json", "-H", "Expect:", "-T", "."]);
    curl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
