//! An emulated machine: QEMU with the bus on its PL011, a console in a file, and ports on this machine that lead to the
//! guest's.
//!
//! Knows how machines are put together; knows nothing of what is tried with them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::board::Board;
use crate::step::program;

/// How often something that is waited for is looked at.
const GLANCE: Duration = Duration::from_millis(500);
/// What the kernel says when QEMU's USB has lost the network of a board, which it does now and then, for good.
pub(crate) const NETWORK_LOST: &str = "dwc2 3f980000.usb: Not connected";
/// Lines after which waiting for anything else is pointless.
const DEAD_ENDS: &[&str] = &["Kernel panic", "Gave up waiting for root", "emergency mode", NETWORK_LOST];

/// What QEMU plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    /// No board, but fast: virtio, and the same PL011.
    Virt,
    /// Raspberry Pi 2, four Cortex-A7.
    Raspi2b,
    /// Raspberry Pi 3, four Cortex-A53.
    Raspi3b,
}

impl Model {
    /// QEMU's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Virt => "virt",
            Self::Raspi2b => "raspi2b",
            Self::Raspi3b => "raspi3b",
        }
    }

    /// Its device tree in the firmware partition; QEMU makes that of `virt` by itself.
    pub(crate) fn device_tree(self) -> Option<&'static str> {
        match self {
            Self::Virt => None,
            Self::Raspi2b => Some("bcm2836-rpi-2-b.dtb"),
            Self::Raspi3b => Some("bcm2837-rpi-3-b.dtb"),
        }
    }

    /// What the kernel is told besides: where its console is, and to leave alone the watchdog of a board, because QEMU
    /// resets the board as soon as that is switched on, instead of when its time is over.
    fn command_line(self) -> &'static str {
        match self {
            Self::Virt => "console=hvc0",
            Self::Raspi2b | Self::Raspi3b => "console=ttyS1,115200 systemd.watchdog_sec=0",
        }
    }
}

/// What is to be started.
pub(crate) struct Plan<'a> {
    pub(crate) model: Model,
    pub(crate) board: Board,
    pub(crate) kernel: &'a Path,
    pub(crate) initrd: &'a Path,
    pub(crate) device_tree: Option<&'a Path>,
    pub(crate) command_line: String,
    /// The card, if there is one.
    pub(crate) card: Option<&'a Path>,
    /// The tty of this machine that is at the other end of the PL011, if anything is.
    pub(crate) bus: Option<&'a Path>,
    /// Where the console is written to.
    pub(crate) console: PathBuf,
    /// Ports of this machine, and the ports of the guest that they lead to. Without any, the machine has no network.
    pub(crate) ports: &'a [(u16, u16)],
    /// The date and time that its clock begins with, if not the right ones.
    pub(crate) clock: Option<&'a str>,
}

/// A machine that runs. Dropping it cuts its power.
pub(crate) struct Machine {
    process: Child,
    console: PathBuf,
    started: Instant,
}

impl Machine {
    /// Switches it on.
    ///
    /// # Errors
    /// QEMU cannot be started.
    pub(crate) fn start(plan: &Plan<'_>) -> Result<Self> {
        fs::write(&plan.console, "")?;
        let mut command = qemu(plan);
        let log = File::create(plan.console.with_extension("qemu.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().context("cannot start QEMU")?;
        Ok(Self { process, console: plan.console.clone(), started: now() })
    }

    /// How long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// What it has written on its console.
    pub(crate) fn console(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.console)?).into_owned())
    }

    /// Asks `probe` again and again until it has an answer.
    ///
    /// # Errors
    /// There is none when the machine is `limit` old, or the machine has come to an end.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut probe: impl FnMut(&str) -> Result<Option<T>>,
    ) -> Result<T> {
        loop {
            let console = self.console()?;
            if let Some(found) = probe(&console)? {
                return Ok(found);
            }
            if let Some(end) = DEAD_ENDS.iter().find(|end| console.contains(**end)) {
                bail!("waited for {what}, but the console says {end:?}; see {}", self.console.display());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("waited for {what}, but QEMU ended with {status}; see {}", self.console.display());
            }
            if self.age() > limit {
                bail!("no {what} within {} s; see {}", limit.as_secs(), self.console.display());
            }
            thread::sleep(GLANCE);
        }
    }

    /// Waits until the machine has switched itself off, or wants to start again, which QEMU is told to end at.
    ///
    /// # Errors
    /// It does neither within `patience`.
    pub(crate) fn wait_for_end(mut self, patience: Duration) -> Result<()> {
        let asked = now();
        while self.process.try_wait()?.is_none() {
            if asked.elapsed() > patience {
                bail!(
                    "the machine did not stop within {} s; see {}",
                    patience.as_secs(),
                    self.console.display()
                );
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Cuts the power, whatever it is doing.
    pub(crate) fn cut_power(self) {
        drop(self);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It has ended already, or ends now: nothing is left to be done about a failure.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn qemu(plan: &Plan<'_>) -> Command {
    let name = match plan.board {
        Board::Rpi2 => "qemu-system-arm",
        Board::Rpi => "qemu-system-aarch64",
    };
    let mut command = program(name, &["-display", "none", "-monitor", "none", "-no-reboot"]);
    command.args(["-M", plan.model.name()]);
    command.arg("-kernel").arg(plan.kernel).arg("-initrd").arg(plan.initrd);
    // Of several consoles, the last one is where the system itself writes.
    command.args(["-append", &format!("{} {}", plan.command_line, plan.model.command_line())]);
    let bus =
        plan.bus.map_or("null,id=bus".to_owned(), |tty| format!("serial,id=bus,path={}", tty.display()));
    command.args(["-chardev", &bus, "-serial", "chardev:bus"]);
    command.args(["-chardev", &format!("file,id=console,path={}", plan.console.display())]);
    if let Some(clock) = plan.clock {
        command.args(["-rtc", &format!("base={clock}")]);
    }
    add_network(&mut command, plan);
    match plan.model {
        Model::Virt => add_virtio(&mut command, plan),
        Model::Raspi2b | Model::Raspi3b => add_board(&mut command, plan),
    }
    command
}

/// A network of its own, from which nothing leads out, and only the ports of the plan lead in.
fn add_network(command: &mut Command, plan: &Plan<'_>) {
    if plan.ports.is_empty() {
        command.args(["-nic", "none"]);
        return;
    }
    let mut network = String::from("user,id=network,restrict=on");
    for (outside, inside) in plan.ports {
        network += &format!(",hostfwd=tcp:127.0.0.1:{outside}-:{inside}");
    }
    let adapter = match plan.model {
        Model::Virt => "virtio-net-device",
        Model::Raspi2b | Model::Raspi3b => "usb-net",
    };
    command.args(["-netdev", &network, "-device", &format!("{adapter},netdev=network")]);
}

fn add_virtio(command: &mut Command, plan: &Plan<'_>) {
    let processor = match plan.board {
        Board::Rpi2 => "cortex-a15",
        Board::Rpi => "cortex-a53",
    };
    command.args(["-cpu", processor, "-smp", "2", "-m", "1G"]);
    command.args(["-device", "virtio-serial-device", "-device", "virtconsole,chardev=console"]);
    if let Some(card) = plan.card {
        command.args(["-drive", &format!("file={},if=none,id=card,format=raw", card.display())]);
        command.args(["-device", "virtio-blk-device,drive=card"]);
    }
}

fn add_board(command: &mut Command, plan: &Plan<'_>) {
    command.args(["-serial", "chardev:console"]);
    if let Some(device_tree) = plan.device_tree {
        command.arg("-dtb").arg(device_tree);
    }
    if let Some(card) = plan.card {
        command.args(["-drive", &format!("file={},if=sd,format=raw", card.display())]);
    }
}

/// A port of this machine that nobody listens on.
///
/// # Errors
/// There is none.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of this machine is free")?;
    Ok(listener.local_addr()?.port())
}

#[expect(clippy::disallowed_methods, reason = "an emulated machine is waited for in real time")]
fn now() -> Instant {
    Instant::now()
}
