//! Whole commands against an emulated BMC, over real sockets.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

use clap::Parser;
use opendcre_emulator::bmc::{Fleet, FleetConfig, Handle, MachineConfig};
use opendcre_gateway::{AuditFile, AuditQuery};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UdpSocket;

use super::*;
use crate::cli::{Cli, Command, OutputFormat};

/// An emulated BMC, and a folder for passwords and records.
struct Bench {
    fleet: Handle,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        // A machine that reacts at once, so that no test waits for it.
        let machine = MachineConfig { power_up_delay: Duration::from_millis(1), ..MachineConfig::default() };
        let listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let config = FleetConfig { listen, machine, ..FleetConfig::default() };
        let fleet = Fleet::bind(&config).unwrap().spawn().unwrap();
        Self { fleet, folder: tempfile::tempdir().unwrap() }
    }

    fn audit_file(&self) -> PathBuf {
        self.folder.path().join("state/audit.db")
    }

    /// What `opendcre ipmi` prints as JSON on both outputs, and how it ends.
    async fn run(&self, user: &str, password: &str, audit_file: &Path, words: &str) -> (Value, Exit) {
        let password_file = self.folder.path().join("password");
        std::fs::write(&password_file, password).unwrap();
        let options = format!(
            "--user {user} --password-file {} --audit-file {}",
            password_file.display(),
            audit_file.display()
        );
        let address = self.fleet.bmcs().addresses()[0];
        run_until(address.into(), pending(), &format!("{options} {words}")).await
    }

    /// The options of an administrator.
    fn files(&self) -> String {
        let password = self.folder.path().join("password");
        std::fs::write(&password, "ADMIN").unwrap();
        let audit = self.audit_file();
        format!("--user ADMIN --password-file {} --audit-file {}", password.display(), audit.display())
    }

    fn sessions(&self) -> usize {
        self.fleet.bmcs().with(0, |bmc, _| bmc.sessions()).unwrap()
    }

    async fn ask(&self, words: &str) -> Value {
        let (answer, exit) = self.run("ADMIN", "ADMIN", &self.audit_file(), words).await;
        assert_eq!(exit, Exit::Done, "{words}: {answer}");
        answer
    }

    /// The changes in the audit log: what was done, and what came of it.
    fn records(&self) -> Vec<(String, Value)> {
        if !self.audit_file().exists() {
            return Vec::new();
        }
        let query = AuditQuery { limit: usize::MAX, ..AuditQuery::default() };
        let page = AuditFile::new(self.audit_file()).page(&query).unwrap();
        let entries = page.entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.text).unwrap());
        let changes = entries.filter(|entry| entry["kind"] != "created");
        changes.map(|entry| (entry["action"].as_str().unwrap().to_owned(), entry["code"].clone())).collect()
    }
}

/// What `opendcre ipmi` prints as JSON on both outputs, and how it ends.
async fn run_until(address: SocketAddr, interrupted: impl Future<Output = ()>, words: &str) -> (Value, Exit) {
    let line = format!("opendcre ipmi --host {address} {words}");
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Command::Ipmi(args) = cli.command else { panic!("not a command to a BMC") };
    let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console::new(OutputFormat::Json, &mut out, &mut err);
    let outcome = converse(&args, cli.client.timeout, &clock, interrupted, &mut console).await;
    let exit = outcome.unwrap_or_else(|error| console.report(&error));
    (serde_json::from_slice(&[out, err].concat()).unwrap(), exit)
}

#[tokio::test]
async fn questions_are_answered_and_leave_no_record() {
    let bench = Bench::new();
    assert_eq!(bench.ask("ping").await["ipmi"], true);
    let info = bench.ask("info").await;
    assert_eq!((&info["problems"], &info["users"][0]["name"]), (&json!([]), &json!("ADMIN")));
    let sensors = bench.ask("sensors --thresholds").await;
    let temperature = &sensors["sensors"][0];
    assert_eq!(
        (&temperature["unit"], &temperature["health"], &temperature["thresholds"]["upper_critical"]),
        (&json!("C"), &json!("ok"), &json!(95.0))
    );
    assert_eq!(bench.ask("fru").await["product"]["manufacturer"], "OpenDCRE");
    assert_eq!(bench.ask("sel list").await["entries"].as_array().unwrap().len(), 2);
    assert_eq!(bench.ask("dcmi info").await["power_management"], true);
    assert_eq!(bench.ask("dcmi temps").await["temperatures"][0]["entity"], "inlet");
    assert_eq!(bench.records(), []);
}

#[tokio::test]
async fn changes_take_effect_and_are_recorded() {
    let bench = Bench::new();
    assert_eq!(bench.ask("power off").await, json!({"power": "off"}));
    assert_eq!(bench.ask("power status").await["power"], "off");
    let boot = json!({"target": "pxe", "persistent": true, "efi": true});
    assert_eq!(bench.ask("boot set pxe --persistent --efi").await, boot);
    assert_eq!(bench.ask("boot get").await, boot);
    bench.ask("identify on").await;
    assert_eq!(bench.ask("power status").await["identify"], "on");
    bench.ask("dcmi limit set 350 --correction 2s --exception power-off").await;
    let limit = bench.ask("dcmi limit get").await;
    assert_eq!(
        limit,
        json!({"active": true, "watts": 350, "correction_ms": 2000, "sampling_s": 5, "exception": "power_off"})
    );
    bench.ask("dcmi limit off").await;
    assert_eq!(bench.ask("dcmi limit get").await["active"], false);
    bench.ask("sel clear").await;
    assert_eq!(bench.ask("sel info").await["entries"], 1, "the log says that it was cleared");
    let actions =
        ["power_off", "set_boot_target", "identify", "set_power_limit", "set_power_limit", "clear_event_log"];
    let expected: Vec<(String, Value)> = actions
        .iter()
        .flat_map(|action| [((*action).to_owned(), Value::Null), ((*action).to_owned(), json!("ok"))])
        .collect();
    assert_eq!(bench.records(), expected);
}

#[tokio::test]
async fn an_interruption_lets_a_change_that_has_begun_finish() {
    let bench = Bench::new();
    bench.ask("power off").await;
    let address = bench.fleet.bmcs().addresses()[0];
    // As soon as the machine is on: the answer has not been read then.
    let is_on = || bench.fleet.bmcs().with(0, |bmc, now| bmc.is_on(now)).unwrap();
    let interrupted = async {
        while !is_on() {
            tokio::task::yield_now().await;
        }
    };
    let words = format!("{} power on", bench.files());
    let (error, exit) = run_until(address.into(), interrupted, &words).await;
    assert_eq!((&error["code"], exit), (&json!("interrupted"), Exit::Interrupted));
    assert!(error["message"].as_str().unwrap().contains("carried on to its end"), "{error}");
    assert_eq!(bench.records().last(), Some(&("power_on".to_owned(), json!("ok"))));
    assert_eq!(bench.sessions(), 0);
}

/// On the paused clock, where a wait would not go unnoticed.
#[tokio::test(start_paused = true)]
async fn an_interruption_ends_what_waits_for_a_session_at_once() {
    let bench = Bench::new();
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let called = async || {
        silent.recv_from(&mut [0; 64]).await.unwrap();
    };
    for (command, message) in
        [("power status", "interrupted"), ("power off", "interrupted; nothing was sent")]
    {
        let began = tokio::time::Instant::now();
        let words = format!("{} {command}", bench.files());
        let (error, exit) = run_until(address, called(), &words).await;
        assert_eq!((&error["message"], exit), (&json!(message), Exit::Interrupted));
        assert!(began.elapsed() < Duration::from_millis(900), "{command}");
    }
    assert_eq!(
        bench.records(),
        [("power_off".to_owned(), Value::Null), ("power_off".to_owned(), json!("interrupted"))]
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_time_is_kept_when_nobody_answers() {
    let bench = Bench::new();
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let words = format!("--timeout 2s {} power status", bench.files());
    let began = tokio::time::Instant::now();
    let (error, exit) = run_until(silent.local_addr().unwrap(), pending(), &words).await;
    assert_eq!(exit, Exit::Unreachable, "{error}");
    assert!(began.elapsed() < Duration::from_millis(2100), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_power_policy_is_shown_and_set_with_a_record() {
    let bench = Bench::new();
    assert_eq!(bench.ask("power policy").await, json!({"restore_policy": "previous"}));
    assert_eq!(bench.ask("power policy always-off").await, json!({"restore_policy": "always-off"}));
    assert_eq!(bench.ask("power status").await["restore_policy"], "always-off");
    assert_eq!(bench.records(), [("raw_ipmi".to_owned(), Value::Null), ("raw_ipmi".to_owned(), json!("ok"))]);
}

#[tokio::test]
async fn a_raw_command_that_would_end_the_session_is_wrong_usage() {
    let bench = Bench::new();
    for words in ["raw 06 39 01", "raw 06 3a", "raw 06 3c"] {
        let (error, exit) = bench.run("ADMIN", "ADMIN", &bench.audit_file(), words).await;
        assert_eq!((&error["code"], exit), (&json!("usage"), Exit::Usage), "{words}");
    }
    assert_eq!(bench.records(), []);
}

#[tokio::test]
async fn without_a_record_nothing_is_sent() {
    let bench = Bench::new();
    let blocked = bench.folder.path().join("password/audit.db");
    let (error, exit) = bench.run("ADMIN", "ADMIN", &blocked, "power off").await;
    assert_eq!((&error["code"], exit), (&json!("audit_unavailable"), Exit::Failed));
    assert_eq!(bench.ask("power status").await["power"], "on");
}

#[tokio::test]
async fn raw_commands_are_changes_and_a_refusal_is_no_success() {
    let bench = Bench::new();
    let answer = bench.ask("raw 06 01").await;
    assert_eq!(answer["completion"], 0);
    assert!(answer["data"].as_str().unwrap().starts_with("20 01 "), "{answer}");
    let (answer, exit) = bench.run("ADMIN", "ADMIN", &bench.audit_file(), "raw 06 99").await;
    assert_eq!((&answer["completion"], exit), (&json!(0xc1), Exit::Failed));
    assert_eq!(bench.records().len(), 4);
}

#[tokio::test]
async fn who_may_not_is_told_so_and_passwords_are_not_repeated() {
    let bench = Bench::new();
    for (user, password, words, code) in [
        ("nobody", "s3cr3t-17", "power status", "wrong_user"),
        ("ADMIN", "s3cr3t-17", "power status", "wrong_password"),
        ("ADMIN", "s3cr3t-17", "power off", "wrong_password"),
        ("user", "user", "power off", "insufficient_privilege"),
    ] {
        let (error, exit) = bench.run(user, password, &bench.audit_file(), words).await;
        assert_eq!((&error["code"], exit), (&json!(code), Exit::Denied), "{error}");
        let address = bench.fleet.bmcs().addresses()[0].to_string();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&address) && !message.contains("s3cr3t"), "{message}");
    }
    let (info, exit) = bench.run("user", "user", &bench.audit_file(), "info").await;
    assert_eq!((exit, &info["users"]), (Exit::Done, &Value::Null));
    assert!(info["problems"].to_string().contains("users: bmc "), "{info}");
}
