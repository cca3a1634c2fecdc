//! What an image must be able to do, tried in an emulated machine with the emulated bus at its serial port.
//!
//! Everything is asked from outside, over the network and by a look at the console, as a user would.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::bench::{Bench, CARD, Trial};
use crate::say;

/// How long an orderly stop may take.
const STOP: Duration = Duration::from_secs(300);

/// Tries the image: what it shows, the bus, a restart, a power cut, a start with nothing on the serial port.
///
/// # Errors
/// The first thing that is not as it must be.
pub(crate) fn run(trial: &Trial, image: &Path, opendcre: &Path, folder: &Path) -> Result<()> {
    let mut bench = Bench::prepare(trial, image, opendcre, folder)?;
    let mut machine = bench.start()?;
    let shown = bench.read_console(&mut machine)?;
    bench.guest.trust(&shown.fingerprint)?;
    say("the certificate is the one that the console shows")?;
    bench.ask_the_bus(&shown.token)?;
    bench.look_inside()?;
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
    bench.work(&shown.token)?;
    machine.cut_power();

    bench.remove_bus();
    let mut machine = bench.start()?;
    bench.wait_for_fingerprint(&mut machine)?;
    let kept = bench.audit()?;
    if kept <= after {
        bail!("after a power cut, the audit has {kept} entries, and {after} before");
    }
    say(&format!("after a power cut: {kept} entries of audit, all in order"))?;
    bench.expect("/readyz", None, 200, r#""mode":"emulator""#)?;
    bench.expect("/opendcre/1.1/scan", Some(&shown.token), 200, "thermistor")
}

impl Bench<'_> {
    /// A scan, a reading and a power cycle through the serial port of the guest.
    fn ask_the_bus(&self, token: &str) -> Result<()> {
        self.expect("/readyz", None, 200, r#""mode":"hardware""#)?;
        self.expect("/opendcre/1.1/scan", None, 401, "")?;
        self.expect("/opendcre/1.1/scan", Some(token), 200, "thermistor")?;
        self.expect("/opendcre/1.1/read/thermistor/00000001/01ff", Some(token), 200, "temperature_c")?;
        self.expect("/opendcre/1.1/power/cycle/00000001/0dff", Some(token), 200, "power_status")
    }

    fn expect(&self, path: &str, token: Option<&str>, status: u16, part: &str) -> Result<()> {
        let answer = self.guest.get(path, token)?;
        say(&format!("GET {path}: {} {}", answer.status, answer.body.trim()))?;
        if answer.status != status || !answer.body.contains(part) {
            bail!("expected {status} with {part:?}");
        }
        Ok(())
    }

    /// What only somebody on the machine can see.
    fn look_inside(&self) -> Result<()> {
        let mounts =
            self.guest.shell("findmnt --real --output TARGET,OPTIONS,SIZE,USED; cat /proc/consoles")?;
        say(&mounts)?;
        if mounts.contains("ttyAMA0") {
            bail!("there is a console on the serial port that belongs to the bus");
        }
        let failed = self.guest.shell("systemctl --failed --no-legend --plain")?;
        if !failed.trim().is_empty() {
            bail!("units have failed: {}", failed.trim());
        }
        let data = self.guest.shell("findmnt --noheadings --bytes --output SIZE /var")?;
        let data: u64 = data.trim().parse().context("cannot tell how large the data partition is")?;
        if data < CARD / 2 {
            bail!("the data partition has {data} bytes, and did not take the rest of the card");
        }
        Ok(())
    }

    /// Lets the audit be verified, and says how many entries it has.
    fn audit(&self) -> Result<u64> {
        self.guest.shell("opendcre audit verify")?;
        let entries = self.guest.shell("opendcre audit export | wc -l")?;
        entries.trim().parse().context("cannot tell how many entries the audit has")
    }

    /// Lets the guest write as much as it can, and returns while it does.
    fn work(&self, token: &str) -> Result<()> {
        for _ in 0..20 {
            let answer = self.guest.get("/opendcre/1.1/power/cycle/00000001/0dff", Some(token))?;
            if answer.status != 200 {
                bail!("a power cycle was answered with {}", answer.status);
            }
        }
        self.guest
            .shell("(dd if=/dev/zero of=/var/tmp/much bs=1M count=200 conv=fsync &) 2>/dev/null; sleep 2")?;
        Ok(())
    }
}
