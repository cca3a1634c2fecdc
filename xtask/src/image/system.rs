//! The system of the image, as a folder: Debian's packages, our files, the product.
//!
//! Packages take minutes, because their scripts run under emulation; the folder with nothing else is kept, and made anew
//! when what it is made of changes. Knows nothing of partitions.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::board::Board;
use super::product::Product;
use crate::debian::{Archive, RELEASE};
use crate::root;
use crate::step::{answer, program, run};

/// What is started besides what packages start by themselves.
const UNITS: &[&str] = &[
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "openmistos-grow.service",
    "openmistos-identity.service",
    "openmistos-first-token.service",
    "openmistos-banner.timer",
    "openmistos-security-updates.timer",
    "openmistos-update.service",
];

/// How packages are unpacked and configured here. What is left out of them is a matter of a file of the system, so that it
/// counts for updates as well; the essential packages are unpacked before that file is there.
const UNPACKING: &[&str] = &[
    "--aptopt=Acquire::Languages \"none\"",
    "--aptopt=Apt::Install-Recommends \"false\"",
    "--dpkgopt=force-confold",
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=openmistos/early/etc/dpkg/dpkg.cfg.d/openmistos",
];

/// What packages leave behind and no machine needs, or must have for itself.
const LEFTOVERS: &[&str] = &[
    // What is hurried here must reach the card there.
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "var/cache/ldconfig",
    "var/cache/debconf",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "tmp",
];

/// Folders whose places are needed although nothing is in them.
const EMPTY_FOLDERS: &[&str] = &[
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/log/apt",
    "var/cache/ldconfig",
    "var/cache/debconf",
    "tmp",
];

/// Where the system is, below the folder of its board.
pub(crate) const FOLDER: &str = "system";

/// Gives the PL011 to the header, in the folder of overlays on the firmware partition.
pub(crate) const OVERLAY: &str = "openmistos-bus.dtbo";

/// What makes the system of one board.
pub(crate) struct Maker<'a> {
    pub(crate) board: Board,
    /// A folder of ours for this board.
    pub(crate) scratch: &'a Path,
    pub(crate) archive: &'a Archive,
    /// The time that stands everywhere, in seconds since 1970.
    pub(crate) time: &'a str,
}

impl Maker<'_> {
    /// Makes the whole system and says in which folder it is.
    ///
    /// # Errors
    /// A tool fails.
    pub(crate) fn make(&self, product: &Product) -> Result<PathBuf> {
        let base = self.base()?;
        let system = self.scratch.join(FOLDER);
        remove(&system)?;
        copy(&base, &system)?;
        let overlay = root().join("openmistos/overlay/.");
        copy_files(&overlay, &system)?;
        offer_container(&system)?;
        self.configure_apt(&system)?;
        install_package(&system, &product.package)?;
        configure(&system)?;
        fill_firmware(&system)?;
        store_container(self.board, &product.container, &system)?;
        clean(&system)?;
        self.forestall_first_boot(&system)?;
        Ok(system)
    }

    /// Debian's packages, configured, and nothing else.
    fn base(&self) -> Result<PathBuf> {
        let base = self.scratch.join("base");
        let recipe = self.scratch.join("base.recipe");
        let wanted = self.recipe()?;
        if base.exists() && fs::read(&recipe).is_ok_and(|made| made == wanted) {
            return Ok(base);
        }
        remove(&recipe)?;
        remove(&base)?;
        let source = self.archive.usable_source(self.board.target().debian(), &self.scratch.join("apt"))?;
        run(self.debootstrap(&base, &source)?)?;
        fs::write(recipe, wanted)?;
        Ok(base)
    }

    /// Everything on which [`Self::base`] depends.
    fn recipe(&self) -> Result<Vec<u8>> {
        let mut early = program("tar", &["--create", "--sort=name", "--mtime=@0", "--owner=0", "--group=0"]);
        early.args(["--numeric-owner", "--mode=u=rwX,go=rX", "--directory", "openmistos", "early"]);
        let early = early.output().context("cannot start `tar`")?;
        if !early.status.success() {
            bail!("cannot read openmistos/early: {}", String::from_utf8_lossy(&early.stderr).trim());
        }
        let mut recipe =
            [self.archive.source(), packages(self.board)?, UNPACKING.join("\n")].join("\n").into_bytes();
        recipe.extend(early.stdout);
        Ok(recipe)
    }

    fn debootstrap(&self, folder: &Path, source: &str) -> Result<Command> {
        let mut command = program("mmdebstrap", &["--mode=root", "--format=directory", "--variant=minbase"]);
        command
            .arg(format!("--architectures={}", self.board.target().debian()))
            .arg(format!("--include={}", packages(self.board)?))
            .args(UNPACKING)
            .arg("--essential-hook=sync-in openmistos/early /")
            .arg(RELEASE)
            .arg(folder)
            .arg(source)
            .env("SOURCE_DATE_EPOCH", self.time)
            .env("LC_ALL", "C.UTF-8");
        if self.board == Board::Rpi {
            // What is emulated otherwise signs its pointers, which takes fifteen times as long.
            command.env("QEMU_CPU", "cortex-a53");
        }
        Ok(command)
    }

    fn configure_apt(&self, system: &Path) -> Result<()> {
        let apt = system.join("etc/apt");
        let sources = [self.archive.source(), self.archive.updates_source()].join("\n") + "\n";
        fs::write(apt.join("sources.list"), sources)?;
        fs::write(apt.join("sources.list.d/security.list"), self.archive.security_source() + "\n")?;
        Ok(())
    }

    /// Nothing is to be redone at the first start that was done here: that is asked of the time of /usr.
    fn forestall_first_boot(&self, system: &Path) -> Result<()> {
        let marks = ["usr", "etc/.updated", "var/.updated"].map(|name| system.join(name));
        let mut touch = program("touch", &[&format!("--date=@{}", self.time)]);
        touch.args(marks);
        run(touch)
    }
}

/// The packages of the image of `board`, as mmdebstrap wants them.
fn packages(board: Board) -> Result<String> {
    let list =
        fs::read_to_string(root().join("openmistos/packages")).context("cannot read openmistos/packages")?;
    let names = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(names.chain([board.kernel()]).collect::<Vec<_>>().join(","))
}

/// A program of the system itself, which runs inside of it. Some look into /proc to find out that they do.
fn inside(system: &Path, words: &[&str]) -> Command {
    let mut command = program("unshare", &["--mount-proc", "--root"]);
    command.arg(system).args(words).env("LC_ALL", "C.UTF-8").env("DEBIAN_FRONTEND", "noninteractive");
    // See Maker::debootstrap.
    command.env(
        "QEMU_CPU",
        if system.join("lib/ld-linux-aarch64.so.1").exists() { "cortex-a53" } else { "max" },
    );
    command
}

fn install_package(system: &Path, package: &Path) -> Result<()> {
    let name = "opendcre.deb";
    fs::copy(package, system.join(name)).with_context(|| format!("cannot read {}", package.display()))?;
    run(inside(system, &["dpkg", "--force-confold", "--install", &format!("/{name}")]))?;
    fs::remove_file(system.join(name)).map_err(Into::into)
}

fn configure(system: &Path) -> Result<()> {
    run(inside(system, &["systemd-sysusers"]))?;
    run(inside(system, &[&["systemctl", "--quiet", "enable"][..], UNITS].concat()))?;
    // They write to the firmware partition, which a power cut at that moment would spoil.
    run(inside(system, &["apt-mark", "hold", "raspi-firmware", "initramfs-tools"]))?;
    // What the package has there is edited, and so belongs to the data.
    copy_new_files(&system.join("etc/opendcre/."), &system.join("var/lib/openmistos/etc/opendcre"))
}

/// Puts kernel, initrd and device trees where the loader of the board finds them.
fn fill_firmware(system: &Path) -> Result<()> {
    let kernels = fs::read_dir(system.join("usr/lib/modules"))?;
    let mut versions = kernels.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    versions.sort();
    let [version] = &versions[..] else {
        bail!("the system has {} kernels instead of one", versions.len());
    };
    let version = version.to_string_lossy();
    let boot = |name: &str| system.join(format!("boot/{name}-{version}"));
    if !boot("initrd.img").exists() {
        run(inside(system, &["update-initramfs", "-c", "-k", &version]))?;
    }
    run(raspi_firmware(system, &version))?;
    compile_overlay(&system.join("boot/firmware/overlays"))?;
    for name in ["initrd.img", "vmlinuz"] {
        fs::remove_file(boot(name))?;
    }
    Ok(())
}

/// Puts our change of the device tree where the loader of the board finds it.
fn compile_overlay(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut compile = program("dtc", &["-q", "-@", "-I", "dts", "-O", "dtb", "-o"]);
    compile.arg(folder.join(OVERLAY)).arg("openmistos/overlays/openmistos-bus.dts");
    run(compile)
}

/// The hook that Debian's kernels call when they are installed.
fn raspi_firmware(system: &Path, version: &str) -> Command {
    let mut command = inside(system, &["/etc/kernel/postinst.d/z50-raspi-firmware", version]);
    command.env("DEB_MAINT_PARAMS", "configure");
    command
}

/// Lets systemd start the container instead of the package's service, of the same name.
fn offer_container(system: &Path) -> Result<()> {
    let unit = "usr/share/openmistos/opendcre.container";
    let chosen = system.join("etc/containers/systemd");
    fs::create_dir_all(&chosen)?;
    fs::create_dir_all(system.join("usr/share/openmistos"))?;
    fs::copy(root().join("packaging/container/opendcre.container"), system.join(unit))?;
    symlink(Path::new("/").join(unit), chosen.join("opendcre.container")).map_err(Into::into)
}

/// Puts the container into a store of the system, which is only read. Nothing of it is executed.
fn store_container(board: Board, container: &Path, system: &Path) -> Result<()> {
    let store = system.join("usr/lib/openmistos/images");
    fs::create_dir_all(&store)?;
    let run_root = system.with_extension("containers");
    let platform = board.target().platform();
    let mut copy =
        program("skopeo", &["--override-os=linux", &format!("--override-arch={}", platform.architecture)]);
    copy.args(platform.variant.map(|variant| format!("--override-variant={variant}")));
    copy.args(["--insecure-policy", "copy", "--quiet"]);
    copy.arg(format!("oci-archive:{}", container.display()));
    copy.arg(format!(
        "containers-storage:[overlay@{}+{}]localhost/opendcre:latest",
        store.display(),
        run_root.display()
    ));
    let copied = run(copy);
    // It leaves a mount of the store on itself.
    let mounted = store.join("overlay");
    let mut check = program("mountpoint", &["--quiet"]);
    if check.arg(&mounted).status().is_ok_and(|status| status.success()) {
        let mut unmount = program("umount", &[]);
        unmount.arg(&mounted);
        run(unmount)?;
    }
    remove(&run_root)?;
    copied
}

fn clean(system: &Path) -> Result<()> {
    for name in LEFTOVERS {
        remove(&system.join(name))?;
    }
    for name in EMPTY_FOLDERS {
        fs::create_dir_all(system.join(name))?;
    }
    let mut open_to_all = program("chmod", &["1777"]);
    open_to_all.arg(system.join("tmp"));
    run(open_to_all)?;
    // Empty, so that every machine makes its own.
    fs::write(system.join("etc/machine-id"), "")?;
    fs::write(system.join("etc/.updated"), "")?;
    fs::write(system.join("var/.updated"), "").map_err(Into::into)
}

/// Copies a folder as it is, with owners and times.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut command = program("cp", &["--archive", "--reflink=auto"]);
    command.args([from, to]);
    run(command)
}

/// Copies files of the project, which belong to root there.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let mut command = program("cp", &["--recursive", "--no-dereference", "--preserve=mode"]);
    command.args([from, to]);
    run(command)
}

/// Copies what is not there yet, as it is.
fn copy_new_files(from: &Path, to: &Path) -> Result<()> {
    let mut command = program("cp", &["--archive", "--no-clobber"]);
    command.args([from, to]);
    run(command)
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let mut command = program("rm", &["--recursive", "--force", "--one-file-system"]);
    command.arg(path);
    run(command)
}

/// How much is in a folder, MiB.
///
/// # Errors
/// Nobody can tell.
pub(crate) fn size(folder: &Path) -> Result<u64> {
    let mut command = program("du", &["--summarize", "--block-size=1M"]);
    command.arg(folder);
    let said = answer(command)?;
    let number = said.split_whitespace().next().unwrap_or_default();
    number.parse().with_context(|| format!("cannot tell how large {} is", folder.display()))
}
