//! What this machine must have so that images can be made and tried: tools, an emulator that knows the boards, and
//! programs of another processor that run as if they were its own.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::debian::Archive;
use crate::step::{answer, program, run};
use crate::{say, tool};

/// The first QEMU whose USB network on the boards is known to work.
const QEMU_VERSION: u32 = 9;
const EMULATORS: &[&str] = &["qemu-system-arm", "qemu-system-aarch64"];

/// Where the kernel is told who runs programs of other processors.
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
/// Debian's own descriptions of them. They let the kernel open the emulator once, so that it is there inside of a chroot.
const DESCRIPTIONS: &str = "/usr/lib/binfmt.d";

/// Installs the tools, and lets programs for the boards run.
///
/// # Errors
/// Something cannot be installed, or the kernel refuses.
pub(crate) fn prepare_making() -> Result<()> {
    tool::install_for_images()?;
    let formats = Path::new(FORMATS);
    if !formats.join("register").exists() {
        run(program("mount", &["-t", "binfmt_misc", "binfmt_misc", FORMATS]))?;
    }
    for name in ["qemu-arm", "qemu-aarch64"] {
        if !formats.join(name).exists() {
            let description = fs::read(format!("{DESCRIPTIONS}/{name}.conf"))?;
            fs::write(formats.join("register"), description).with_context(|| {
                format!("the kernel does not take {name} for programs of another processor")
            })?;
        }
    }
    Ok(())
}

/// Installs the tools and the emulator of machines.
///
/// # Errors
/// Something cannot be installed.
pub(crate) fn prepare_trying() -> Result<()> {
    tool::install_for_images()?;
    if EMULATORS.iter().all(|name| version_of(name).is_some_and(|version| version >= QEMU_VERSION)) {
        return say("QEMU is there").map_err(Into::into);
    }
    say("installing QEMU")?;
    install_emulator()
}

/// From the backports of this machine's release: an older one knows the boards less well, and to install it would remove
/// other parts of a newer one that may be there.
fn install_emulator() -> Result<()> {
    let release = answer(program("sh", &["-c", ". /etc/os-release && echo $VERSION_CODENAME"]))?;
    let folder = answer(program("mktemp", &["--directory"]))?;
    fs::create_dir_all(format!("{folder}/lists/partial"))?;
    fs::write(format!("{folder}/sources.list"), Archive::find(None)?.backports_sources(&release))?;
    let options = [
        format!("--option=Dir::Etc::sourcelist={folder}/sources.list"),
        "--option=Dir::Etc::sourceparts=-".to_owned(),
        format!("--option=Dir::State::lists={folder}/lists"),
        "--option=APT::Sandbox::User=root".to_owned(),
    ];
    let options = options.each_ref().map(String::as_str);
    run(tool::apt_get(&[&options[..], &["update"]].concat())?)?;
    let backports = format!("--target-release={release}-backports");
    let install =
        ["install", "--yes", "--no-install-recommends", "--no-remove", &backports, "qemu-system-arm"];
    run(tool::apt_get(&[&options[..], &install].concat())?)?;
    fs::remove_dir_all(folder).map_err(Into::into)
}

/// The first number of the version of a QEMU; `None` if it is not there.
fn version_of(name: &str) -> Option<u32> {
    let output = program(name, &["--version"]).output().ok()?;
    major_version(&String::from_utf8_lossy(&output.stdout))
}

fn major_version(said: &str) -> Option<u32> {
    let (_, after) = said.split_once("version ")?;
    after.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_emulator_is_read() {
        assert_eq!(major_version("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)\n"), Some(10));
        assert_eq!(major_version("no such program"), None);
    }
}
