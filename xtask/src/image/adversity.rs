//! Bad luck: what a machine does without network, clock, bus, room on its card, serial port or container runtime.
//!
//! It must come up, answer, and say what is missing, on its console and to whoever asks.

use std::path::Path;

use anyhow::Result;

use super::bench::{Bench, Trial};
use super::machine::Machine;

/// Takes away one thing after the other.
///
/// # Errors
/// The machine does not bear it, or does not say so.
pub(crate) fn run(trial: &Trial, image: &Path, opendcre: &Path, folder: &Path) -> Result<()> {
    let mut bench = Bench::prepare(trial, image, opendcre, folder)?;
    bench.remove_bus();
    let mut machine = bench.start_alone()?;
    bench.wait_until_shown(&mut machine, "none: no network")?;
    bench.wait_until_shown(&mut machine, "ready (emulator), but something is amiss")?;
    bench.wait_until_shown(&mut machine, "the clock of this machine shows")?;
    let shown = bench.read_console(&mut machine)?;
    machine.cut_power();

    let mut machine = bench.start()?;
    // Its certificate was made while there was no clock.
    bench.guest.trust(&shown.fingerprint)?;
    bench.guest.expect("/readyz", Some(&shown.token), 200, r#""code":"emulated""#)?;
    bench.fill_the_card(&mut machine, &shown.token)?;
    bench.take_the_serial_port(&mut machine, &shown.token)?;
    bench.restart_by_hand(&mut machine)?;
    bench.break_the_container_runtime(&mut machine)?;
    bench.crash_the_container(&mut machine)
}

impl Bench<'_> {
    /// Nothing can be recorded, so nothing is done; all else goes on, also after a restart.
    fn fill_the_card(&self, machine: &mut Machine, token: &str) -> Result<()> {
        let free = "$(df --output=avail --block-size=1 /var | tail -n 1)";
        self.guest.shell(&format!("fallocate --length {free} /var/tmp/fill"))?;
        let limit = machine.age() + self.trial.limit;
        // The audit has some room of its own.
        machine.wait_for("refusal", limit, |_| {
            let said = self.guest.get("/opendcre/1.1/power/on/00000011/0dff", Some(token))?;
            Ok((said.status == 503 && said.body.contains("audit_unavailable")).then_some(()))
        })?;
        self.tell(machine, "a power command is refused")?;
        self.wait_until_shown(machine, "audit.file:")?;
        self.guest.shell("systemctl restart opendcre.service")?;
        self.wait_for_change(machine)?;
        self.guest.expect("/opendcre/1.1/scan", Some(token), 200, "thermistor")?;
        self.guest.shell("rm /var/tmp/fill")?;
        machine.wait_for("audit that is kept", machine.age() + self.trial.limit, |_| {
            let said = self.guest.get("/opendcre/1.1/power/on/00000011/0dff", Some(token))?;
            Ok((said.status == 200).then_some(()))
        })
    }

    fn take_the_serial_port(&self, machine: &mut Machine, token: &str) -> Result<()> {
        // Podman looks for the port when systemd reads its units, as it does at a start.
        self.guest.shell("rm /dev/ttyAMA0; systemctl daemon-reload; systemctl restart opendcre.service")?;
        self.wait_for_change(machine)?;
        self.guest.expect("/readyz", Some(token), 200, r#""code":"emulated""#)
    }

    /// Whoever tries several configurations starts the service again and again; none of these starts has failed.
    fn restart_by_hand(&self, machine: &mut Machine) -> Result<()> {
        for _ in 0..5 {
            self.guest.shell("systemctl restart opendcre.service")?;
        }
        self.wait_for_change(machine)
    }

    /// The package's service takes the place of a container that cannot be started.
    fn break_the_container_runtime(&self, machine: &mut Machine) -> Result<()> {
        self.runs_as("container")?;
        self.guest.shell("mount -o bind /bin/false /usr/bin/crun")?;
        // It says that this fails.
        let _ = self.guest.shell("systemctl restart opendcre.service");
        self.wait_until_shown(machine, "because the container fails")?;
        self.wait_for_change(machine)?;
        self.runs_as("native")
    }

    /// What becomes ready and then dies is started again, but not for ever.
    fn crash_the_container(&self, machine: &mut Machine) -> Result<()> {
        self.guest.shell("umount /usr/bin/crun; openmistos-runtime container")?;
        self.wait_for_change(machine)?;
        for _ in 0..4 {
            self.runs_as("container")?;
            self.crash(machine)?;
        }
        self.runs_as("native")
    }

    fn crash(&self, machine: &mut Machine) -> Result<()> {
        self.guest.shell("podman kill --signal KILL opendcre")?;
        let gone = machine.age() + self.trial.limit;
        machine
            .wait_for("end of the service", gone, |_| Ok(self.guest.readiness().is_none().then_some(())))?;
        self.wait_for_change(machine)
    }
}
