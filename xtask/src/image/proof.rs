//! What an image must be able to do, tried in an emulated machine with the emulated bus at its serial port.
//!
//! Everything is asked from outside, over the network and by a look at the console, as a user would.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::bench::{Bench, CARD, Trial};
use super::guest::Credentials;
use super::machine::Machine;
use crate::say;

/// How long an orderly stop may take.
const STOP: Duration = Duration::from_secs(300);

/// How long the machine works until its power is cut.
const WORK: Duration = Duration::from_secs(5);

/// Tries the image at its first start: what it shows, and the bus.
///
/// # Errors
/// The first thing that is not as it must be.
pub(crate) fn run_first_start(trial: &Trial, image: &Path, opendcre: &Path, folder: &Path) -> Result<()> {
    let mut bench = Bench::prepare(trial, image, opendcre, folder)?;
    bench.first_start().map(drop)
}

/// Tries the image: its first start, a restart, the service without a container, a configuration that is broken, a power cut,
/// a start with nothing on the serial port.
///
/// # Errors
/// The first thing that is not as it must be.
pub(crate) fn run(trial: &Trial, image: &Path, opendcre: &Path, folder: &Path) -> Result<()> {
    let mut bench = Bench::prepare(trial, image, opendcre, folder)?;
    let (machine, shown) = bench.first_start()?;
    let before = bench.audit()?;
    // In a while, so that the answer to this arrives.
    bench.guest.shell("(sleep 2; systemctl reboot) > /dev/null 2>&1 &")?;
    machine.wait_for_end(STOP)?;

    let mut machine = bench.start()?;
    let again = bench.wait_for_fingerprint(&mut machine)?;
    if again != shown.fingerprint {
        bail!("after a restart, the certificate is another one");
    }
    bench.ask_the_bus(&shown.token)?;
    let after = bench.audit()?;
    if after <= before {
        bail!("after a restart, the audit has {after} entries, and {before} before");
    }
    say(&format!(
        "after a restart: same certificate, same token, {after} entries of audit instead of {before}"
    ))?;
    bench.choose_the_package(&mut machine, &shown.token)?;
    bench.break_the_configuration(&mut machine, &shown.token)?;
    let cycles = bench.cut_power_while_writing(machine, &shown.token)?;

    bench.remove_bus();
    let mut machine = bench.start()?;
    bench.wait_for_fingerprint(&mut machine)?;
    let kept = bench.audit()?;
    if kept < after + cycles {
        bail!("after a power cut, the audit has {kept} entries, and {after} before {cycles} power cycles");
    }
    say(&format!("after a power cut: {kept} entries of audit, all in order"))?;
    bench.runs_as("native")?;
    bench.guest.expect("/readyz", None, 200, r#""mode":"emulator""#)?;
    bench.guest.expect("/opendcre/1.1/scan", Some(&shown.token), 200, "thermistor")?;
    bench.wait_until_shown(&mut machine, "(emulator)")
}

impl Bench<'_> {
    /// Starts a new card, and says what it has shown.
    fn first_start(&mut self) -> Result<(Machine, Credentials)> {
        let mut machine = self.start()?;
        let shown = self.read_console(&mut machine)?;
        self.guest.trust(&shown.fingerprint)?;
        say("the certificate is the one that the console shows")?;
        self.runs_as("container")?;
        self.ask_the_bus(&shown.token)?;
        self.look_inside()?;
        Ok((machine, shown))
    }

    /// A scan, a reading and a power cycle through the serial port of the guest.
    fn ask_the_bus(&self, token: &str) -> Result<()> {
        let guest = &self.guest;
        guest.expect("/readyz", None, 200, r#""mode":"hardware""#)?;
        guest.expect("/opendcre/1.1/scan", None, 401, "")?;
        guest.expect("/opendcre/1.1/scan", Some(token), 200, "thermistor")?;
        guest.expect("/opendcre/1.1/read/thermistor/00000001/01ff", Some(token), 200, "temperature_c")?;
        guest.expect("/opendcre/1.1/power/cycle/00000001/0dff", Some(token), 200, "power_status")
    }

    /// Lets the package's service do what the container has done.
    fn choose_the_package(&self, machine: &mut Machine, token: &str) -> Result<()> {
        self.guest.shell("openmistos-runtime native")?;
        self.wait_for_change(machine)?;
        self.runs_as("native")?;
        self.ask_the_bus(token)
    }

    /// Breaks the configuration, starts the service again, and mends it.
    fn break_the_configuration(&self, machine: &mut Machine, token: &str) -> Result<()> {
        let file = "/etc/opendcre/opendcre.toml";
        self.guest.shell(&format!("cp {file} {file}.good; echo broken >> {file}"))?;
        self.guest.shell("systemctl restart opendcre.service")?;
        self.wait_for_change(machine)?;
        self.guest.expect("/readyz", Some(token), 200, "configuration_fallen_back")?;
        self.wait_until_shown(machine, "the last configuration that worked")?;
        self.guest.shell(&format!("mv {file}.good {file}; systemctl reload opendcre.service"))?;
        let limit = machine.age() + STOP;
        machine.wait_for("mended configuration", limit, |_| {
            let said = self.guest.get("/readyz", Some(token))?;
            Ok((!said.body.contains("configuration_fallen_back")).then_some(()))
        })
    }

    /// What only somebody on the machine can see.
    fn look_inside(&self) -> Result<()> {
        let mounts =
            self.guest.shell("findmnt --real --output TARGET,OPTIONS,SIZE,USED; cat /proc/consoles")?;
        say(&mounts)?;
        if mounts.contains("ttyAMA0") {
            bail!("there is a console on the serial port that belongs to the bus");
        }
        say(&self.guest.shell("free --mebi; podman ps --no-trunc --format \"{{.Image}} {{.Status}}\"")?)?;
        say(&self.guest.shell("journalctl --no-pager --output short-monotonic --unit opendcre.service")?)?;
        let failed = self.guest.shell("systemctl --failed --no-legend --plain")?;
        if !failed.trim().is_empty() {
            bail!("units have failed: {}", failed.trim());
        }
        let hasty = self.guest.shell("grep --recursive force-unsafe-io /etc/dpkg || true")?;
        if !hasty.is_empty() {
            bail!("updates do not wait until they are on the card: {hasty}");
        }
        let data = self.guest.shell("findmnt --noheadings --bytes --output SIZE /var")?;
        let data: u64 = data.trim().parse().context("cannot tell how large the data partition is")?;
        if data < CARD / 2 {
            bail!("the data partition has {data} bytes, and did not take the rest of the card");
        }
        Ok(())
    }

    /// Lets the guest write as much as it can, cuts the power meanwhile, and says how many power cycles it has answered.
    fn cut_power_while_writing(&self, machine: Machine, token: &str) -> Result<u64> {
        self.guest.shell("dd if=/dev/zero of=/var/tmp/much bs=1M count=200 conv=fsync > /dev/null 2>&1 &")?;
        let asking = self.guest.ask_often("/opendcre/1.1/power/cycle/00000001/0dff", token, 200)?;
        thread::sleep(WORK);
        machine.cut_power();
        let said = asking.wait_with_output().context("cannot tell what curl has said")?;
        let answered = String::from_utf8_lossy(&said.stdout).lines().filter(|line| *line == "200").count();
        say(&format!("the power is cut after {answered} power cycles"))?;
        if answered == 0 || answered >= 200 {
            bail!("the power was not cut while the machine was at work");
        }
        u64::try_from(answered).map_err(Into::into)
    }
}
