//! A small start: kernel, device tree and binary of an image, without its system, on the board that they are made for.
//!
//! Takes a minute where the whole system takes ten, and shows what only the board can: the names of the serial ports, the
//! way to the bus, the network.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::bench::{ROOM, fresh_folder};
use super::board::Board;
use super::device_tree;
use super::disk;
use super::guest;
use super::machine::{Machine, Model, NETWORK_LOST, Plan, free_port};
use crate::bus::Bus;
use crate::step::{answer, program, run};
use crate::{root, say};

/// What brings the network of the boards, on USB.
const DRIVERS: &[&str] = &["dwc2", "cdc_ether"];
/// How long one start may take.
const LIMIT: Duration = Duration::from_secs(400);
/// How often it is tried. QEMU's USB sometimes loses the network for good.
const TRIES: u8 = 3;

/// What is used of a system.
pub(crate) struct Parts<'a> {
    pub(crate) board: Board,
    pub(crate) model: Model,
    pub(crate) image: &'a Path,
    /// The folder from which the image was made.
    pub(crate) system: &'a Path,
}

/// Starts the parts on the board, and reads a thermistor and switches power through the serial port.
///
/// # Errors
/// The board does not do it.
pub(crate) fn run_trial(parts: &Parts<'_>, opendcre: &Path, folder: &Path) -> Result<()> {
    fresh_folder(folder)?;
    let kernel = take(parts.image, &disk::firmware_file(parts.image, "vmlinuz")?, folder)?;
    let initrd = parts.initrd(folder)?;
    let device_tree = device_tree::take(parts.model, parts.image, folder)?;
    let device_tree = device_tree.context("this machine is no board")?;
    let bus = Bus::start(opendcre, ROOM, &folder.join("bus"))?;
    let service = free_port()?;
    let plan = Plan {
        model: parts.model,
        board: parts.board,
        kernel: &kernel,
        initrd: &initrd,
        device_tree: Some(&device_tree),
        command_line: "console=tty0 rdinit=/proof/init".to_owned(),
        card: None,
        bus: Some(bus.tty()),
        console: folder.join("console.log"),
        ports: &[(service, 5000)],
        clock: None,
    };
    for number in 1..=TRIES {
        let mut machine = Machine::start(&plan)?;
        match answers(&mut machine, service)? {
            true => return look(&machine, service),
            false => say(&format!("start {number}: the emulated USB has lost the network"))?,
        }
    }
    bail!("the emulated USB has lost the network {TRIES} times")
}

/// Waits until the service answers. False if the network is lost.
fn answers(machine: &mut Machine, service: u16) -> Result<bool> {
    machine.wait_for("answer", LIMIT, |console| {
        if console.contains(NETWORK_LOST) {
            return Ok(Some(false));
        }
        Ok(guest::is_up(service).then_some(true))
    })
}

fn look(machine: &Machine, service: u16) -> Result<()> {
    say(&format!("the service answers after {} s", machine.age().as_secs()))?;
    for (path, part) in [
        ("/opendcre/1.1/scan", "thermistor"),
        ("/opendcre/1.1/read/thermistor/00000001/01ff", "temperature_c"),
        ("/opendcre/1.1/power/cycle/00000001/0dff", "power_status"),
    ] {
        let answer = guest::plain(service, path)?;
        say(&format!("GET {path}: {} {}", answer.status, answer.body.trim()))?;
        if answer.status != 200 || !answer.body.contains(part) {
            bail!("expected 200 with {part:?}");
        }
    }
    let console = machine.console()?;
    let shown = |start: &str| console.lines().find(|line| line.starts_with(start)).map(str::trim);
    let (consoles, ports) = (shown("consoles:"), shown("serial ports:"));
    say(&format!("{}; {}", consoles.unwrap_or_default(), ports.unwrap_or_default()))?;
    if consoles.is_none_or(|line| line.contains("ttyAMA"))
        || ports.is_none_or(|line| !line.contains("ttyAMA0"))
    {
        bail!("ttyAMA0 must be there, and no console on it");
    }
    Ok(())
}

impl Parts<'_> {
    /// The initrd of the image behind an archive with what is started instead of the system.
    fn initrd(&self, folder: &Path) -> Result<PathBuf> {
        let tree = folder.join("initrd");
        self.fill(&tree.join("proof"))?;
        let names = answer({
            let mut list = program("find", &[".", "-print"]);
            list.current_dir(&tree);
            list
        })?;
        let path = folder.join("initrd.img");
        let mut pack = program("cpio", &["--create", "--format=newc", "--quiet"]);
        pack.current_dir(&tree).stdin(Stdio::piped()).stdout(File::create(&path)?);
        let mut packing = pack.spawn().context("cannot start `cpio`")?;
        let mut input = packing.stdin.take().context("cpio has no input")?;
        input.write_all(names.as_bytes())?;
        drop(input);
        if !packing.wait()?.success() {
            bail!("cpio could not pack {}", tree.display());
        }
        let whole = take(self.image, &disk::firmware_file(self.image, "initrd.img")?, folder)?;
        io::copy(&mut File::open(whole)?, &mut File::options().append(true).open(&path)?)?;
        Ok(path)
    }

    fn fill(&self, proof: &Path) -> Result<()> {
        fs::create_dir_all(proof.join("modules"))?;
        for (from, to) in [("mini.sh", "init"), ("mini.toml", "opendcre.toml")] {
            fs::copy(root().join("openmistos/proof").join(from), proof.join(to))?;
        }
        let mut executable = program("chmod", &["755"]);
        executable.arg(proof.join("init"));
        run(executable)?;
        fs::copy(self.system.join("usr/bin/opendcre"), proof.join("opendcre"))?;
        let mut order = String::new();
        for module in self.modules()? {
            let name = module.file_stem().context("a module has no name")?.to_string_lossy().into_owned();
            let mut unpack = program("xz", &["--decompress", "--stdout"]);
            unpack.arg(&module).stdout(File::create(proof.join("modules").join(&name))?);
            run(unpack)?;
            order += &format!("{name}\n");
        }
        fs::write(proof.join("modules/order"), order).map_err(Into::into)
    }

    /// The drivers and what they need, in the order in which they are to be loaded, each once.
    fn modules(&self) -> Result<Vec<PathBuf>> {
        let version = disk::firmware_file(self.image, "vmlinuz")?;
        let version = version.trim_start_matches("vmlinuz-");
        let mut ask =
            program("modprobe", &["--show-depends", "--all", "--set-version", version, "--dirname"]);
        ask.arg(self.system.join("usr")).args(DRIVERS);
        let mut modules = Vec::new();
        for line in answer(ask)?.lines() {
            let module = line.trim().strip_prefix("insmod ").map(PathBuf::from);
            modules.extend(module.filter(|module| !modules.contains(module)));
        }
        Ok(modules)
    }
}

fn take(image: &Path, name: &str, folder: &Path) -> Result<PathBuf> {
    disk::take_firmware(image, name, folder)?;
    Ok(folder.join(name))
}
