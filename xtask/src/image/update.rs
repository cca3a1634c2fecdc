//! Updates of the container on a card: a good one stays, a bad one is taken back, also when the power fails meanwhile.
//!
//! The updates are made here, of the program that is in the image.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::bench::{Bench, Trial};
use super::machine::Machine;
use crate::{container, dist, say};

/// Where updates lie on the guest.
const THERE: &str = "/var/tmp/update.tar";
/// There while an update is on trial.
const ON_TRIAL: &str = "/var/lib/openmistos/trial";

/// Tries updates of the container of `image`, whose system lies in `root`.
///
/// # Errors
/// An update stays that must not, or the other way round.
pub(crate) fn run(trial: &Trial, image: &Path, root: &Path, opendcre: &Path, folder: &Path) -> Result<()> {
    let mut bench = Bench::prepare(trial, image, opendcre, folder)?;
    let program = root.join("usr/bin/opendcre");
    let good = archive(&bench, "good", &program)?;
    let bad = archive(&bench, "bad", &root.join("etc/hostname"))?;

    let mut machine = bench.start()?;
    let came_with_the_card = bench.container()?;
    bench.take_over(&good)?;
    bench.wait_for_change(&mut machine)?;
    if bench.container()? == came_with_the_card {
        bail!("after an update, the container is the one before");
    }
    say("a good update stays")?;

    bench.guest.shell("openmistos-update --back")?;
    bench.wait_for_change(&mut machine)?;
    bench.expect_container(&came_with_the_card)?;
    say("it is taken back when somebody says so")?;

    if bench.take_over(&bad).is_ok() {
        bail!("an update that cannot even be started was taken for a good one");
    }
    bench.wait_for_change(&mut machine)?;
    bench.expect_container(&came_with_the_card)?;
    say("a bad update is taken back")?;

    bench.begin(&bad, &mut machine)?;
    machine.cut_power();
    let mut machine = bench.start()?;
    let limit = machine.age() + trial.limit;
    machine.wait_for("end of the trial", limit, |_| {
        Ok(bench.guest.shell(&format!("test ! -e {ON_TRIAL} && podman container exists opendcre")).ok())
    })?;
    bench.wait_for_change(&mut machine)?;
    bench.expect_container(&came_with_the_card)?;
    say("an update on whose trial the power was cut is taken back").map_err(Into::into)
}

/// Makes an update in which `program` is the program.
fn archive(bench: &Bench<'_>, name: &str, program: &Path) -> Result<PathBuf> {
    let file = bench.guest.folder.join(format!("{name}.tar"));
    let bytes = container::archive_of(bench.trial.board.target(), program, name)?;
    let checksum = format!("{}  update.tar\n", dist::hash(&bytes));
    fs::write(&file, bytes)?;
    fs::write(file.with_extension("sha256"), checksum)?;
    Ok(file)
}

impl Bench<'_> {
    /// The container that runs.
    fn container(&self) -> Result<String> {
        self.guest.shell("podman container inspect opendcre --format {{.Image}}")
    }

    fn expect_container(&self, wanted: &str) -> Result<()> {
        match self.container()? {
            found if found == wanted => Ok(()),
            found => bail!("the container {found} runs instead of {wanted}"),
        }
    }

    fn put(&self, update: &Path) -> Result<()> {
        self.guest.send(update, THERE)?;
        self.guest.send(&update.with_extension("sha256"), &format!("{THERE}.sha256"))
    }

    /// Updates, and waits until it is decided whether the update stays.
    fn take_over(&self, update: &Path) -> Result<String> {
        self.put(update)?;
        let said = self.guest.shell(&format!("openmistos-update {THERE} 2>&1"));
        say(said.as_deref().unwrap_or("the update has failed"))?;
        said
    }

    /// Updates, and returns while that is on trial.
    fn begin(&self, update: &Path, machine: &mut Machine) -> Result<()> {
        self.put(update)?;
        self.guest.shell(&format!("openmistos-update {THERE} > /dev/null 2>&1 &"))?;
        let limit = machine.age() + self.trial.limit;
        machine.wait_for("update on trial", limit, |_| {
            // Loaded, and not decided yet.
            let id =
                |tag: &str| format!("$(podman image inspect localhost/opendcre:{tag} --format {{{{.Id}}}})");
            let line = format!("test -e {ON_TRIAL} && test {} != {}", id("latest"), id("before"));
            Ok(self.guest.shell(&line).ok().map(drop))
        })
    }
}
