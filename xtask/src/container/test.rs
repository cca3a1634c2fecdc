//! What the container must do: run with the original's run lines, and without any right at all.
//!
//! Podman keeps what belongs to these trials in folders of its own, so that images and containers of others stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{NAME, USER, run};
use crate::binary::Profile;
use crate::step::{answer, program, run as run_program};
use crate::target::Target;
use crate::{root, say, tool};

/// For machines on which limits cannot be raised and systemd is not the first process.
const SETTINGS: &str = "packaging/container/podman-test.conf";

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
    let podman = Podman::new()?;
    podman.load(&archive)?;
    podman.runs_as_the_original()?;
    podman.runs_without_any_right()?;
    say("the container runs as it must").map_err(Into::into)
}

/// Podman with folders of its own.
struct Podman {
    folder: PathBuf,
}

impl Podman {
    fn new() -> Result<Self> {
        let folder = root().join("target/container");
        fs::create_dir_all(folder.join("logs"))?;
        Ok(Self { folder })
    }

    /// Loads the image, for which it needs nothing but the archive.
    fn load(&self, archive: &Path) -> Result<()> {
        let mut command = self.podman(&["load", "--quiet", "--input"]);
        command.arg(archive);
        run_program(command)
    }

    /// With the emulator, as the original's documents start it: port 5000, logs in a folder of root.
    fn runs_as_the_original(&self) -> Result<()> {
        let logs = format!("{}:/logs", self.folder.join("logs").display());
        let line = ["--volume", &logs, NAME, "./start_opendcre_emulator.sh"];
        let container = self.start("original", &line)?;
        container.is_ready()?;
        let said = container.curl("http", "/opendcre/1.1/test")?;
        ensure!(said.contains("ok"), "/opendcre/1.1/test says {said}");
        let found = container.curl("http", "/opendcre/1.1/scan")?;
        ensure!(found.contains("board_id"), "/opendcre/1.1/scan says {found}");
        let log = self.folder.join("logs/opendcre.log");
        ensure!(log.exists(), "there is no log in {}", log.display());
        Ok(())
    }

    /// As a user, without capabilities, on a root file system that cannot be written, with a configuration of its own.
    fn runs_without_any_right(&self) -> Result<()> {
        let configuration = self.folder.join("etc");
        fs::create_dir_all(&configuration)?;
        let file = configuration.join("opendcre.toml");
        fs::write(file, "[server]\nlisten = \"0.0.0.0:5000\"\n")?;
        let configuration = format!("{}:/etc/opendcre:ro", configuration.display());
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

    fn start(&self, name: &'static str, line: &[&str]) -> Result<Container<'_>> {
        let mut command =
            self.podman(&["run", "--detach", "--replace", "--publish", "127.0.0.1::5000", "--name"]);
        command.arg(name).args(line);
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
            let mut command = self.podman.podman(&["exec", self.name, "opendcre", "ready"]);
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
