//! What is around an emulated machine: the emulated bus, the card, the key of whoever looks after it.
//!
//! Knows how a machine with a whole image is started; knows nothing of what is tried with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::board::Board;
use super::device_tree;
use super::disk;
use super::guest::{Credentials, Guest, fingerprint_on};
use super::machine::{Machine, Model, Plan, free_port};
use crate::bus::Bus;
use crate::say;
use crate::step::{program, run};

/// The card that the image is written to; QEMU wants a power of two.
pub(crate) const CARD: u64 = 4 << 30;
/// How long something may take in a machine that runs.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a clock without a battery begins with.
const NEVER_SET: &str = "1970-01-01T00:00:00";
/// A board with a thermistor and a power supply.
pub(crate) const ROOM: &str = "openmistos/proof/room.json";

/// A way to try an image.
pub(crate) struct Trial {
    pub(crate) board: Board,
    pub(crate) model: Model,
    /// How long a start may take, until the service is ready.
    pub(crate) limit: Duration,
}

/// Everything around the machine: the bus, the card, the keys.
pub(crate) struct Bench<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) guest: Guest,
    /// What is on the serial port, if anything is.
    bus: Option<Bus>,
    kernel: PathBuf,
    initrd: PathBuf,
    device_tree: Option<PathBuf>,
    command_line: String,
    card: PathBuf,
    starts: u8,
}

impl<'a> Bench<'a> {
    pub(crate) fn prepare(trial: &'a Trial, image: &Path, opendcre: &Path, folder: &Path) -> Result<Self> {
        fresh_folder(folder)?;
        let card = folder.join("card.img");
        copy_sparse(image, &card)?;
        fs::File::options().write(true).open(&card)?.set_len(CARD)?;
        let key = Guest::make_key(folder)?;
        let offered = folder.join("authorized_keys");
        fs::copy(key, &offered)?;
        disk::put_firmware(&offered, &card)?;
        let take = |name: &str| {
            disk::take_firmware(image, name, folder)?;
            Ok::<_, anyhow::Error>(folder.join(name))
        };
        let kernel = take(&disk::firmware_file(image, "vmlinuz")?)?;
        let initrd = take(&disk::firmware_file(image, "initrd.img")?)?;
        let command_line = fs::read_to_string(take("cmdline.txt")?)?.trim().to_owned();
        let device_tree = device_tree::take(trial.model, image, folder)?;
        let bus = Some(Bus::start(opendcre, ROOM, &folder.join("bus"))?);
        let guest = Guest { folder: folder.to_owned(), service: free_port()?, shell: free_port()? };
        let command_line = format!("{command_line} systemd.default_device_timeout_sec=600");
        Ok(Self { trial, guest, bus, kernel, initrd, device_tree, command_line, card, starts: 0 })
    }

    /// Takes away what is on the serial port.
    pub(crate) fn remove_bus(&mut self) {
        self.bus = None;
    }

    /// Switches the machine on and waits until its service is ready and somebody can log in.
    pub(crate) fn start(&mut self) -> Result<Machine> {
        let ports = [(self.guest.service, 5000), (self.guest.shell, 22)];
        let mut machine = self.switch_on(&ports, None)?;
        let limit = self.trial.limit;
        machine.wait_for("system", limit, |console| Ok(console.contains("Welcome to").then_some(())))?;
        self.tell(&machine, "the system begins")?;
        self.wait_until_ready(&mut machine, limit)?;
        machine.wait_for("shell", limit, |_| Ok(self.guest.shell("true").ok()))?;
        self.tell(&machine, "a shell")?;
        Ok(machine)
    }

    /// Switches the machine on without a network, and with a clock that nobody has set.
    pub(crate) fn start_alone(&mut self) -> Result<Machine> {
        self.switch_on(&[], Some(NEVER_SET))
    }

    fn switch_on(&mut self, ports: &[(u16, u16)], clock: Option<&str>) -> Result<Machine> {
        self.starts += 1;
        Machine::start(&Plan {
            model: self.trial.model,
            board: self.trial.board,
            kernel: &self.kernel,
            initrd: &self.initrd,
            device_tree: self.device_tree.as_deref(),
            command_line: self.command_line.clone(),
            card: Some(&self.card),
            bus: self.bus.as_ref().map(Bus::tty),
            console: self.guest.folder.join(format!("console-{}.log", self.starts)),
            ports,
            clock,
        })
    }

    /// Waits until the service is ready again after something was changed in a machine that runs.
    pub(crate) fn wait_for_change(&self, machine: &mut Machine) -> Result<()> {
        self.wait_until_ready(machine, machine.age() + PATIENCE)
    }

    fn wait_until_ready(&self, machine: &mut Machine, limit: Duration) -> Result<()> {
        let said = machine.wait_for("ready service", limit, |_| {
            Ok(self.guest.readiness().filter(|answer| answer.status == 200))
        })?;
        self.tell(machine, &format!("ready: {}", said.body.trim()))
    }

    /// Waits until `part` stands on the console.
    pub(crate) fn wait_until_shown(&self, machine: &mut Machine, part: &str) -> Result<()> {
        let limit = machine.age() + self.trial.limit;
        let shown = |console: &str| Ok(console.contains(part).then_some(()));
        machine.wait_for(&format!("{part:?} on the console"), limit, shown)?;
        self.tell(machine, &format!("the console shows {part:?}"))
    }

    /// Says what has come to pass, and when.
    pub(crate) fn tell(&self, machine: &Machine, what: &str) -> Result<()> {
        say(&format!("start {}, {:>3} s: {what}", self.starts, machine.age().as_secs())).map_err(Into::into)
    }

    pub(crate) fn read_console(&self, machine: &mut Machine) -> Result<Credentials> {
        let shown = machine
            .wait_for("token on the console", self.trial.limit, |console| Ok(Credentials::on(console)))?;
        self.tell(machine, "the console shows the token and the fingerprint")?;
        Ok(shown)
    }

    /// Lets the audit be verified, and says how many entries it has.
    pub(crate) fn audit(&self) -> Result<u64> {
        self.guest.shell("opendcre audit verify")?;
        let entries = self.guest.shell("opendcre audit export | wc -l")?;
        entries.trim().parse().context("cannot tell how many entries the audit has")
    }

    /// What the service runs as, in the words of the program that chooses it.
    fn runtime(&self) -> Result<&'static str> {
        let unit = self.guest.shell("systemctl show --property FragmentPath opendcre.service")?;
        let running = self.guest.shell("systemctl is-active opendcre.service")?;
        match (running.as_str(), unit.starts_with("FragmentPath=/run/systemd/generator/")) {
            ("active", true) => Ok("container"),
            ("active", false) => Ok("native"),
            _ => bail!("the service is {running}"),
        }
    }

    /// # Errors
    /// The service runs as something else.
    pub(crate) fn runs_as(&self, wanted: &str) -> Result<()> {
        match self.runtime()? {
            found if found == wanted => say(&format!("the service runs as {found}")).map_err(Into::into),
            found => bail!("the service runs as {found} instead of {wanted}"),
        }
    }

    pub(crate) fn wait_for_fingerprint(&self, machine: &mut Machine) -> Result<String> {
        machine
            .wait_for("fingerprint on the console", self.trial.limit, |console| Ok(fingerprint_on(console)))
    }
}

/// Makes a folder with nothing in it.
///
/// # Errors
/// It cannot be made.
pub(crate) fn fresh_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).map_err(Into::into)
}

/// Copies a file that is mostly empty.
fn copy_sparse(from: &Path, to: &Path) -> Result<()> {
    let mut command = program("cp", &["--sparse=always"]);
    command.args([from, to]);
    run(command)
}
