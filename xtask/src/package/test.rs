//! What a package must do on a Debian system: install, upgrade, remove, purge. Tried in a small system of its own (chroot),
//! which mmdebstrap makes of packages from the archive that this machine uses.
//!
//! Systemd does not run there: the unit is verified, its sandbox judged, and whether it is enabled asked, but it is not
//! started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{make, prepare};
use crate::binary::{Profile, Sources};
use crate::debian::{Archive, RELEASE};
use crate::dist::VERSION;
use crate::step::{answer, program, run};
use crate::target::Target;
use crate::{root, say, tool};

/// An older version than any that will be released.
const OLDER: &str = "0.0.1";

/// How exposed the service may be, in tenths; systemd calls it OK up to here.
const EXPOSURE: &str = "20";

const CONFIGURATION: &str = "etc/opendcre/opendcre.toml";
const UNIT: &str = "usr/lib/systemd/system/opendcre.service";

/// How others start the container.
const EXAMPLES: &str = "usr/share/doc/opendcre/examples";

/// Makes units of descriptions of containers, and where it is told to put them.
const GENERATOR: &str = "/usr/lib/systemd/system-generators/podman-system-generator";
const UNITS: &str = "tmp/units";

/// Files that the service leaves.
const DATA: [&str; 2] = ["var/lib/opendcre/inventory.db", "var/log/opendcre/opendcre.log"];

/// Builds the package for this machine and tries it. Needs root.
///
/// # Errors
/// The first thing that is not as it must be.
pub(crate) fn check(profile: Profile) -> Result<()> {
    ensure!(tool::is_root()?, "a system of its own can only be made by root");
    let target = Target::X86_64;
    tool::install_for_package_tests(target)?;
    let sources = Sources::in_folder(root())?;
    prepare(target, &sources.build(target, profile)?)?;
    let older = make(&sources, target, profile, OLDER)?;
    let newer = make(&sources, target, profile, VERSION)?;
    let system = System::make()?;
    system.installs(&older)?;
    system.keeps_what_the_administrator_did(&newer)?;
    system.sandboxes_the_service()?;
    system.starts_the_container()?;
    system.forgets_only_when_purged()?;
    say("the package installs, upgrades, is removed and purged as it must").map_err(Into::into)
}

/// A Debian system in a folder.
struct System {
    folder: PathBuf,
}

impl System {
    fn make() -> Result<Self> {
        let folder = root().join("target/package/system");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut command = program("mmdebstrap", &["--mode=root", "--variant=essential", "--quiet"]);
        command
            .arg("--include=systemd,procps,ca-certificates,podman,docker-compose")
            .arg(RELEASE)
            .arg(&folder)
            .arg(Archive::find(None)?.address());
        run(command)?;
        Ok(Self { folder })
    }

    fn installs(&self, package: &Path) -> Result<()> {
        self.dpkg("--install", package)?;
        self.expect("id --groups --name opendcre", "opendcre dialout")?;
        self.expect("systemctl is-enabled opendcre.service", "enabled")?;
        self.expect("stat --format %a:%U /etc/opendcre/opendcre.toml", "644:root")?;
        // The example is valid, as it is and with all that it suggests.
        self.ask("opendcre config check")?;
        let example = fs::read_to_string(self.path(CONFIGURATION))?;
        fs::write(self.path("tmp/all.toml"), uncommented(&example))?;
        fs::create_dir_all(self.path("etc/opendcre/secrets"))?;
        fs::write(self.path("etc/opendcre/secrets/bmc"), "secret")?;
        fs::set_permissions(self.path("etc/opendcre/secrets/bmc"), fs::Permissions::from_mode(0o600))?;
        self.ask("opendcre config check --config /tmp/all.toml")?;
        fs::remove_dir_all(self.path("etc/opendcre/secrets"))?;
        let said = self.ask("opendcre version --client")?;
        ensure!(said.contains(VERSION), "the program says that its version is {said}");
        Ok(())
    }

    fn keeps_what_the_administrator_did(&self, package: &Path) -> Result<()> {
        let configuration = "[server]\nlisten = \"127.0.0.1:5001\"\n";
        fs::write(self.path(CONFIGURATION), configuration)?;
        for file in DATA {
            let path = self.path(file);
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            fs::write(path, "data")?;
        }
        self.ask("systemctl disable opendcre.service")?;
        self.dpkg("--install", package)?;
        ensure!(
            fs::read_to_string(self.path(CONFIGURATION))? == configuration,
            "an upgrade changes the configuration"
        );
        self.has_data()?;
        self.expect("dpkg-query --show --showformat ${Version} opendcre", &format!("{VERSION}-1"))?;
        // A disabled service must stay disabled; asking that ends with 1.
        ensure!(
            self.ask("systemctl --quiet is-enabled opendcre.service").is_err(),
            "an upgrade enables the service"
        );
        self.ask("systemctl enable opendcre.service").map(drop)
    }

    fn sandboxes_the_service(&self) -> Result<()> {
        self.ask("systemd-analyze verify --man=no /usr/lib/systemd/system/opendcre.service")?;
        let judged =
            format!("systemd-analyze security --no-pager --offline=yes --threshold={EXPOSURE} /{UNIT}");
        let judgement = self.ask(&judged)?;
        say(judgement.lines().last().unwrap_or_default()).map_err(Into::into)
    }

    /// Whether the others that start the program understand what they are told, as far as nothing runs: systemd, for which
    /// podman writes a unit (Quadlet), and Compose.
    fn starts_the_container(&self) -> Result<()> {
        fs::create_dir_all(self.path(UNITS))?;
        self.ask(&format!("env QUADLET_UNIT_DIRS=/{EXAMPLES} {GENERATOR} -no-kmsg-log /{UNITS}"))?;
        let unit = fs::read_to_string(self.path(UNITS).join("opendcre.service"))
            .context("podman makes no unit of opendcre.container")?;
        for expected in ["\nType=notify\n", " --sdnotify=container ", " --health-cmd "] {
            ensure!(unit.contains(expected), "the unit of the container is without {expected:?}: {unit}");
        }
        ensure!(!unit.contains("network-online.target"), "the container waits for the network: {unit}");
        self.ask(&format!("systemd-analyze verify --man=no /{UNITS}/opendcre.service"))?;
        self.ask(&format!("docker-compose --file /{EXAMPLES}/compose.yaml config --quiet")).map(drop)
    }

    fn forgets_only_when_purged(&self) -> Result<()> {
        self.dpkg("--remove", Path::new("opendcre"))?;
        for gone in ["usr/bin/opendcre", UNIT] {
            ensure!(!self.path(gone).exists(), "/{gone} is there after the package was removed");
        }
        ensure!(self.path(CONFIGURATION).exists(), "the configuration is gone although nobody purged it");
        self.has_data()?;
        self.dpkg("--purge", Path::new("opendcre"))?;
        for gone in ["etc/opendcre", "var/lib/opendcre", "var/log/opendcre"] {
            ensure!(!self.path(gone).exists(), "/{gone} is there after the package was purged");
        }
        let enabled = self.path("etc/systemd/system/multi-user.target.wants/opendcre.service");
        ensure!(fs::symlink_metadata(enabled).is_err(), "a purged service is still enabled");
        Ok(())
    }

    fn has_data(&self) -> Result<()> {
        for file in DATA {
            ensure!(self.path(file).exists(), "/{file} is gone");
        }
        Ok(())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Lets dpkg do something with a package, which is a name or a file outside of the system.
    fn dpkg(&self, what: &str, package: &Path) -> Result<()> {
        let mut package = package.to_owned();
        if package.is_absolute() {
            fs::copy(&package, self.path("tmp/opendcre.deb")).context("cannot copy the package")?;
            package = PathBuf::from("/tmp/opendcre.deb");
        }
        let mut command = self.command(&["dpkg", what]);
        command.arg(package);
        run(command)
    }

    /// What a command within the system prints.
    fn ask(&self, line: &str) -> Result<String> {
        answer(self.command(&line.split(' ').collect::<Vec<_>>()))
    }

    fn expect(&self, line: &str, expected: &str) -> Result<()> {
        let said = self.ask(line)?;
        if said != expected {
            bail!("`{line}` says {said:?} instead of {expected:?}");
        }
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        // Systemd's tools look at /proc, which is there only as long as the command runs.
        let mut command = program("unshare", &["--mount", "--pid", "--fork"]);
        command.arg(format!("--mount-proc={}", self.path("proc").display()));
        command.arg("chroot").arg(&self.folder).args(words);
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        command
    }
}

/// An example with everything in it that is commented out: the lines that begin with `#` and no space.
fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_examples_are_uncommented() {
        assert_eq!(uncommented("# Text.\n#\n#[table]\nkey = 1\n"), "# Text.\n\n[table]\nkey = 1\n");
    }
}
