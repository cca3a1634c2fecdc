//! What the container must do: run with the original's run lines, on emulated and on real ttys, find others by their names,
//! and run without any right at all.
//!
//! Podman keeps what belongs to these trials in folders of its own, so that images and containers of others stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{NAME, USER, run};
use crate::binary::{Profile, Sources};
use crate::bus::Bus;
use crate::step::{answer, program, run as run_program};
use crate::target::Target;
use crate::{root, say, tool};

/// For machines on which limits cannot be raised and systemd is not the first process.
const SETTINGS: &str = "packaging/container/podman-test.conf";

/// How systemd starts the container.
const UNIT: &str = "packaging/container/opendcre.container";

/// A network of containers that ask each other's names by DNS, as they would those of others.
const NETWORK: &str = "trial";

/// The tty of the HAT.
const TTY: &str = "/dev/ttyAMA0";

/// The boards that answer there.
const ROOM: &str = "crates/opendcre/src/demo/room.json";

/// How often, and how long apart, a container is asked whether it is ready.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// Makes the image for this machine and tries it. Needs root.
///
/// # Errors
/// The first thing that is not as it must be.
pub(crate) fn check(profile: Profile) -> Result<()> {
    ensure!(tool::is_root()?, "containers with ports and devices can only be tried by root");
    tool::install_for_container_tests()?;
    let archive = run(&[Target::X86_64], profile)?;
    let binary = Sources::in_folder(root())?.build(Target::X86_64, profile)?;
    let podman = Podman::new()?;
    podman.load(&archive)?;
    podman.runs_as_the_original()?;
    podman.speaks_to_boards(&binary)?;
    podman.runs_without_any_right()?;
    podman.answers_on_a_full_disk()?;
    say("the container runs as it must").map_err(Into::into)
}

/// Podman with folders of its own.
struct Podman {
    folder: PathBuf,
}

impl Podman {
    fn new() -> Result<Self> {
        let podman = Self { folder: root().join("target/container") };
        fs::create_dir_all(podman.folder.join("logs"))?;
        // One that a trial has left behind is as good; whether there is one shows when it is used.
        let _ = podman.podman(&["network", "create", NETWORK]).output().context("cannot start podman")?;
        Ok(podman)
    }

    /// Loads the image, for which it needs nothing but the archive.
    fn load(&self, archive: &Path) -> Result<()> {
        let mut command = self.podman(&["load", "--quiet", "--input"]);
        command.arg(archive);
        run_program(command)?;
        // The image of the trial before has lost its name.
        run_program(self.podman(&["image", "prune", "--force"]))
    }

    /// With the emulator, as the original's documents start it: port 5000, logs in a folder of root.
    fn runs_as_the_original(&self) -> Result<()> {
        let line = ["--volume", &self.logs(), NAME, "./start_opendcre_emulator.sh"];
        let container = self.start("original", &line)?;
        container.is_ready()?;
        let said = container.curl("http", "/opendcre/1.1/test")?;
        ensure!(said.contains("ok"), "/opendcre/1.1/test says {said}");
        let found = container.curl("http", "/opendcre/1.1/scan")?;
        ensure!(found.contains("board_id"), "/opendcre/1.1/scan says {found}");
        let log = self.folder.join("logs/opendcre.log");
        ensure!(log.exists(), "there is no log in {}", log.display());
        self.finds_by_name(&container)
    }

    /// From another container, whose C library is a part of the program: by /etc/hosts and by DNS.
    fn finds_by_name(&self, container: &Container<'_>) -> Result<()> {
        let format = format!("{{{{.NetworkSettings.Networks.{NETWORK}.IPAddress}}}}");
        let address = answer(self.podman(&["inspect", "--format", &format, container.name]))?;
        let host = format!("--add-host=by-hosts.example:{address}");
        for name in ["by-hosts.example", container.name] {
            let url = format!("http://{name}:5000");
            let line =
                ["run", "--rm", "--network", NETWORK, &host, NAME, "opendcre", "--server", &url, "racks"];
            let said = answer(self.podman(&line))?;
            ensure!(said.contains("RACK"), "`opendcre --server {url} racks` says {said}");
        }
        Ok(())
    }

    /// With a bus, as the original's documents start it, except that its tty is a pseudo terminal: such a one works only
    /// where it is, so that it is mounted instead of made again by `--device`.
    fn speaks_to_boards(&self, binary: &Path) -> Result<()> {
        let bus = Bus::start(binary, ROOM, &self.folder.join("tty"))?;
        let tty = format!("{}:{TTY}", bus.tty().display());
        let line = ["--volume", &self.logs(), "--volume", &tty, NAME, "./start_opendcre.sh"];
        let container = self.start("hardware", &line)?;
        container.is_ready()?;
        let said = answer(self.podman(&["logs", "hardware"]))?;
        let token = said.split_whitespace().find(|word| word.starts_with("odcre_"));
        let token =
            format!("Authorization: Bearer {}", token.context("no token is shown at the first start")?);
        let url = format!("https://{}/opendcre/1.1/scan", container.address);
        let curl = ["--silent", "--show-error", "--fail", "--insecure", "--header", &token, &url];
        let found = answer(program("curl", &curl))?;
        ensure!(found.contains("board_id"), "/opendcre/1.1/scan says {found}");
        Ok(())
    }

    /// The original's volume.
    fn logs(&self) -> String {
        format!("{}:/logs", self.folder.join("logs").display())
    }

    /// As a user, without capabilities, on a root file system that cannot be written, with a configuration of its own.
    fn runs_without_any_right(&self) -> Result<()> {
        let configuration = self.configuration("[server]\nlisten = \"0.0.0.0:5000\"\n")?;
        let line = [
            "--read-only",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            "--user=opendcre",
            "--volume",
            &configuration,
            NAME,
            "opendcre",
            "serve",
        ];
        let container = self.start("strict", &line)?;
        container.is_ready()?;
        let said = container.curl("https", "/opendcre/1.1/test")?;
        ensure!(said.contains("ok"), "/opendcre/1.1/test says {said}");
        container.is_without_rights()
    }

    /// Where there is no room for a single record from the start: it serves all the same, and says what is missing.
    fn answers_on_a_full_disk(&self) -> Result<()> {
        let open = "[server]\nlisten = \"0.0.0.0:5000\"\ninsecure = true\n[auth]\nrequired = false\n";
        let configuration = self.configuration(open)?;
        let disk = "type=tmpfs,tmpfs-size=4k,destination=/var/lib/opendcre";
        let line = ["--mount", disk, "--volume", &configuration, NAME, "opendcre", "serve"];
        let container = self.start("full", &line)?;
        container.is_ready()?;
        let said = container.curl("http", "/readyz")?;
        for expected in ["audit_unavailable", "events_unavailable", "history_unavailable", "is full"] {
            ensure!(said.contains(expected), "/readyz is without {expected:?}: {said}");
        }
        let said = container.curl("http", "/opendcre/1.1/test")?;
        ensure!(said.contains("ok"), "/opendcre/1.1/test says {said}");
        Ok(())
    }

    /// A volume with the configuration `text`.
    fn configuration(&self, text: &str) -> Result<String> {
        let folder = self.folder.join("etc");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("opendcre.toml"), text)?;
        Ok(format!("{}:/etc/opendcre:ro", folder.display()))
    }

    fn start(&self, name: &'static str, line: &[&str]) -> Result<Container<'_>> {
        let mut command = self.podman(&[
            "run",
            "--detach",
            "--replace",
            "--publish",
            "127.0.0.1::5000",
            "--network",
            NETWORK,
        ]);
        command.args(["--name", name, "--health-interval", "disable", "--health-cmd", &health()?]).args(line);
        run_program(command)?;
        // It is removed also if nobody can tell where it is reached.
        let mut container = Container { podman: self, name, address: String::new() };
        container.address = answer(self.podman(&["port", name, "5000"]))?;
        Ok(container)
    }

    fn podman(&self, args: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.arg("--root").arg(self.folder.join("storage")).arg("--runroot").arg(self.folder.join("run"));
        command.args(args).current_dir(root()).env("CONTAINERS_CONF", root().join(SETTINGS));
        command
    }
}

/// The health check that systemd lets podman do.
fn health() -> Result<String> {
    let unit = fs::read_to_string(root().join(UNIT)).with_context(|| format!("cannot read {UNIT}"))?;
    let command = unit.lines().find_map(|line| line.strip_prefix("HealthCmd="));
    command.map(str::to_owned).with_context(|| format!("{UNIT} has no HealthCmd="))
}

/// A running container. It ends with this value.
struct Container<'a> {
    podman: &'a Podman,
    name: &'static str,
    /// Where port 5000 can be reached.
    address: String,
}

impl Container<'_> {
    /// Waits until the program says that it is ready, as a health check asks it.
    fn is_ready(&self) -> Result<()> {
        for _ in 0..TRIES {
            let mut command = self.podman.podman(&["healthcheck", "run", self.name]);
            if command.output().context("cannot start podman")?.status.success() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        // The log says more than the health check.
        run_program(self.podman.podman(&["logs", self.name]))?;
        bail!("the container {} is not ready", self.name)
    }

    /// What the program answers.
    fn curl(&self, scheme: &str, path: &str) -> Result<String> {
        let url = format!("{scheme}://{}{path}", self.address);
        answer(program("curl", &["--silent", "--show-error", "--fail", "--insecure", &url]))
    }

    /// Whether the program runs as the user of the image, and may do nothing that others may not (proc_pid_status(5)).
    fn is_without_rights(&self) -> Result<()> {
        let pid = answer(self.podman.podman(&["inspect", "--format", "{{.State.Pid}}", self.name]))?;
        let status = fs::read_to_string(Path::new("/proc").join(pid).join("status"))?;
        for expected in
            [format!("Uid:\t{USER}\t"), "CapEff:\t0000000000000000".into(), "NoNewPrivs:\t1".into()]
        {
            ensure!(status.contains(&expected), "the process is without {expected:?}: {status}");
        }
        Ok(())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // What became of it was asked before; if it cannot be removed, the next trial replaces it.
        let _ = self.podman.podman(&["rm", "--force", "--volumes", self.name]).output();
    }
}
