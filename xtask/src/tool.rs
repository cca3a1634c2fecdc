//! The tools that the tests need beyond the Rust toolchain: found, or installed.
//!
//! Debian packages come from apt-get, as root or through sudo. Cargo tools go to target/tools, so that nothing in the
//! home directory changes. What is there already is left as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::step::{program, run};
use crate::target::Target;
use crate::{root, say, victoria};

/// The system's own Python: another one on the path would not find Debian's modules.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Checks licences, banned crates and advisories.
pub(crate) const CARGO_DENY: CargoTool = CargoTool { name: "cargo-deny", version: "0.20.2" };

/// Puts the list of dependencies into a binary.
pub(crate) const CARGO_AUDITABLE: CargoTool = CargoTool { name: "cargo-auditable", version: "0.7.7" };

/// Writes bills of materials.
pub(crate) const CARGO_CYCLONEDX: CargoTool = CargoTool { name: "cargo-cyclonedx", version: "0.5.9" };

/// Makes Debian packages.
pub(crate) const CARGO_DEB: CargoTool = CargoTool { name: "cargo-deb", version: "3.8.0" };

const SCHEMATHESIS_VERSION: &str = "4.32.5";

/// The messages of OTLP for Python, as its makers compile them.
const OTLP_MESSAGES_VERSION: &str = "1.45.2";

/// Where npm finds the exact versions of what it installs.
const NODE_LOCK: &str = "package-lock.json";

/// A Debian package, and a command that succeeds only where it is installed.
struct Package {
    name: &'static str,
    probe: &'static [&'static str],
}

const PACKAGES: &[Package] = &[
    // Tries what the documents suggest, as a reader would.
    Package { name: "curl", probe: &["curl", "--version"] },
    // Collects metrics, and brings promtool, which looks for mistakes in them.
    Package { name: "prometheus", probe: &["which", "prometheus", "promtool"] },
    // Lists the files whose text the tests look at.
    Package { name: "git", probe: &["git", "--version"] },
    // Brings kill, by which a test ends the program as systemd would.
    Package { name: "procps", probe: &["kill", "-l"] },
    Package { name: "python3", probe: &[PYTHON, "--version"] },
    // Makes the folder of its own into which programs in Python are installed.
    Package { name: "python3-venv", probe: &[PYTHON, "-c", "import ensurepip"] },
    Package { name: "python3-serial", probe: &[PYTHON, "-c", "import serial"] },
    // An MQTT broker, and programs that publish there and listen.
    Package { name: "mosquitto", probe: &["test", "-x", "/usr/sbin/mosquitto"] },
    Package { name: "mosquitto-clients", probe: &["which", "mosquitto_pub", "mosquitto_sub"] },
    // A syslog server, and what it needs for TLS.
    Package { name: "rsyslog", probe: &["test", "-x", "/usr/sbin/rsyslogd"] },
    Package { name: "rsyslog-gnutls", probe: &["dpkg", "--status", "rsyslog-gnutls"] },
    Package { name: "socat", probe: &["socat", "-V"] },
];

/// Programs that others wrote and that speak IPMI.
const IPMI_PEERS: &[Package] = &[
    // Simulates BMCs, and compiles descriptions of sensors for them.
    Package { name: "openipmi", probe: &["which", "ipmi_sim", "sdrcomp"] },
    Package { name: "ipmitool", probe: &["ipmitool", "-V"] },
    Package { name: "freeipmi-tools", probe: &["ipmipower", "--version"] },
    Package { name: "python3-pyghmi", probe: &[PYTHON, "-c", "import pyghmi.ipmi.bmc"] },
];

/// Programs that others wrote and that people log in with, or that attack.
const SERVICES: &[Package] = &[
    Package { name: "slapd", probe: &["which", "slapd"] },
    Package { name: "ldap-utils", probe: &["which", "ldapmodify"] },
    Package { name: "samba", probe: &["which", "samba", "samba-tool"] },
    // What a domain controller needs besides; apt-get would only recommend it.
    Package { name: "samba-ad-provision", probe: &["test", "-d", "/usr/share/samba/setup"] },
    Package { name: "samba-dsdb-modules", probe: &["dpkg", "--status", "samba-dsdb-modules"] },
    Package { name: "samba-vfs-modules", probe: &["dpkg", "--status", "samba-vfs-modules"] },
    Package { name: "python3-samba", probe: &[PYTHON, "-c", "import samba.provision"] },
    Package { name: "winbind", probe: &["which", "winbindd"] },
    Package { name: "nginx", probe: &["which", "nginx"] },
    Package { name: "nodejs", probe: &["node", "--version"] },
    Package { name: "npm", probe: &["npm", "--version"] },
    Package { name: "openssl", probe: &["openssl", "version"] },
    // Brings `ip`, which wakes the loopback device of a namespace.
    Package { name: "iproute2", probe: &["ip", "-V"] },
    Package { name: "testssl.sh", probe: &["which", "testssl"] },
    Package { name: "slowhttptest", probe: &["which", "slowhttptest"] },
    // Brings `h2load`.
    Package { name: "nghttp2-client", probe: &["which", "h2load"] },
];

/// What measurements need besides.
const MEASURING: &[Package] = &[
    Package { name: "wrk", probe: &["which", "wrk"] },
    // Tells what a program used, which the shell's own `time` does not.
    Package { name: "time", probe: &["/usr/bin/time", "--version"] },
    // Counts instructions, which are the same on a busy machine.
    Package { name: "valgrind", probe: &["valgrind", "--version"] },
];

/// What links for other machines.
const CROSS: &[Package] = &[
    Package { name: "gcc", probe: &["x86_64-linux-gnu-gcc", "--version"] },
    Package { name: "gcc-aarch64-linux-gnu", probe: &["aarch64-linux-gnu-gcc", "--version"] },
    Package { name: "gcc-arm-linux-gnueabihf", probe: &["arm-linux-gnueabihf-gcc", "--version"] },
    Package { name: "libc6-dev", probe: &["test", "-e", "/usr/lib/x86_64-linux-gnu/libc.a"] },
    Package { name: "libc6-dev-arm64-cross", probe: &["test", "-e", "/usr/aarch64-linux-gnu/lib/libc.a"] },
    Package { name: "libc6-dev-armhf-cross", probe: &["test", "-e", "/usr/arm-linux-gnueabihf/lib/libc.a"] },
    Package { name: "binutils", probe: &["readelf", "--version"] },
];

/// What runs binaries of other machines.
const EMULATORS: &[Package] =
    &[Package { name: "qemu-user-static", probe: &["which", "qemu-arm-static", "qemu-aarch64-static"] }];

/// Looks for mistakes in packages.
const LINTIAN: &[Package] = &[Package { name: "lintian", probe: &["lintian", "--version"] }];

/// What packages are tried with.
const PACKAGING: &[Package] = &[
    // Makes a Debian system in a folder.
    Package { name: "mmdebstrap", probe: &["mmdebstrap", "--version"] },
    // By which that system trusts the archive.
    Package { name: "debian-archive-keyring", probe: &["dpkg", "--status", "debian-archive-keyring"] },
];

/// What containers are tried with.
const CONTAINERS: &[Package] = &[
    Package { name: "podman", probe: &["podman", "--version"] },
    // Starts containers where limits cannot be raised, which crun does not.
    Package { name: "runc", probe: &["runc", "--version"] },
    Package { name: "netavark", probe: &["test", "-x", "/usr/lib/podman/netavark"] },
    // Answers when containers ask for each other's names.
    Package { name: "aardvark-dns", probe: &["test", "-x", "/usr/lib/podman/aardvark-dns"] },
    Package { name: "iptables", probe: &["iptables", "--version"] },
];

/// Whom a container trusts is taken from here.
const ROOTS: &[Package] =
    &[Package { name: "ca-certificates", probe: &["test", "-s", "/etc/ssl/certs/ca-certificates.crt"] }];

/// What images of cards are made and tried with, beside the machine's emulator.
const IMAGES: &[Package] = &[
    Package { name: "debian-archive-keyring", probe: &["dpkg", "--status", "debian-archive-keyring"] },
    Package { name: "mmdebstrap", probe: &["mmdebstrap", "--version"] },
    // Runs programs of the image's processor.
    Package { name: "qemu-user-static", probe: &["qemu-arm-static", "--version"] },
    // With which mmdebstrap leaves files out.
    Package { name: "python3", probe: &[PYTHON, "--version"] },
    // By which mmdebstrap finds out that they run; it would only recommend it.
    Package { name: "arch-test", probe: &["which", "arch-test"] },
    Package { name: "skopeo", probe: &["skopeo", "--version"] },
    Package { name: "dosfstools", probe: &["test", "-x", "/usr/sbin/mkfs.vfat"] },
    Package { name: "mtools", probe: &["mtools", "--version"] },
    Package { name: "fdisk", probe: &["test", "-x", "/usr/sbin/sfdisk"] },
    Package { name: "xz-utils", probe: &["xz", "--version"] },
    // Brings fdtget and fdtput.
    Package { name: "device-tree-compiler", probe: &["fdtget", "--version"] },
    Package { name: "kmod", probe: &["dpkg", "--status", "kmod"] },
    Package { name: "cpio", probe: &["cpio", "--version"] },
    Package { name: "curl", probe: &["curl", "--version"] },
    Package { name: "openssh-client", probe: &["ssh", "-V"] },
    Package { name: "openssl", probe: &["openssl", "version"] },
];

/// Installs what is missing.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_missing() -> Result<()> {
    install_packages(&[PACKAGES, IPMI_PEERS, SERVICES])?;
    install_openid_provider()?;
    install_schemathesis()?;
    install_otlp_messages()?;
    victoria::install()?;
    CARGO_DENY.install()
}

/// Installs what tests of logins need.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_services() -> Result<()> {
    install_packages(&[PACKAGES, SERVICES])?;
    install_openid_provider()
}

/// Installs what measurements compare the product with, and what they measure it by.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_measuring() -> Result<()> {
    install_packages(&[IPMI_PEERS, MEASURING])
}

/// Installs what binaries for `targets` are built with.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_binaries(targets: &[Target]) -> Result<()> {
    install_packages(&[CROSS])?;
    if targets.iter().any(|target| target.emulator().is_some()) {
        install_packages(&[EMULATORS])?;
    }
    let triples = targets.iter().map(|target| target.triple());
    run(program("rustup", &[&["target", "add"][..], &triples.collect::<Vec<_>>()].concat()))?;
    CARGO_AUDITABLE.install()
}

/// Installs what releases for `targets` are made with.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_release(targets: &[Target]) -> Result<()> {
    install_for_binaries(targets)?;
    CARGO_CYCLONEDX.install()
}

/// Installs what Debian packages for `targets` are made with.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_packages(targets: &[Target]) -> Result<()> {
    install_packages(&[LINTIAN])?;
    install_for_binaries(targets)?;
    CARGO_DEB.install()
}

/// Installs what a Debian package for `target` is made and tried with.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_package_tests(target: Target) -> Result<()> {
    install_packages(&[PACKAGING])?;
    install_for_packages(&[target])
}

/// Installs what the container image for `targets` is made with.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_container(targets: &[Target]) -> Result<()> {
    install_packages(&[ROOTS])?;
    install_for_binaries(targets)
}

/// Installs what a container is tried with.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_container_tests() -> Result<()> {
    install_packages(&[CONTAINERS])
}

/// Installs what images of cards are made and tried with.
///
/// # Errors
/// Something is missing and cannot be installed; the message names it.
pub(crate) fn install_for_images() -> Result<()> {
    install_packages(&[IMAGES])
}

fn install_packages(lists: &[&[Package]]) -> Result<()> {
    let packages = lists.iter().copied().flatten();
    let missing: Vec<_> =
        packages.filter(|package| !succeeds(package.probe)).map(|package| package.name).collect();
    if missing.is_empty() {
        return say("all Debian packages are there").map_err(Into::into);
    }
    say(&format!("installing {}", missing.join(", ")))?;
    let by_hand = || format!("cannot install {}; please do it by hand", missing.join(", "));
    run(apt_get(&["update"])?).with_context(by_hand)?;
    let install = ["install", "--yes", "--no-install-recommends", "--no-remove"];
    run(apt_get(&[&install[..], &missing[..]].concat())?).with_context(by_hand)
}

/// An apt-get that may install: directly for root, through sudo for everybody else.
///
/// # Errors
/// Nobody can tell whether we are root.
pub(crate) fn apt_get(args: &[&str]) -> Result<Command> {
    let noninteractive = "DEBIAN_FRONTEND=noninteractive";
    let words = [&[noninteractive, "apt-get"][..], args].concat();
    Ok(match is_root()? {
        true => program("env", &words),
        // Without a terminal there is nobody to type a password: fail at once instead of waiting.
        false => program("sudo", &[&["--non-interactive"][..], &words[..]].concat()),
    })
}

/// Whether we are root.
///
/// # Errors
/// Nobody can tell.
pub(crate) fn is_root() -> Result<bool> {
    let output = program("id", &["-u"]).output().context("cannot start `id`")?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// The program that checks an API against its OpenAPI document.
pub(crate) fn schemathesis() -> PathBuf {
    python_tools().join("bin/schemathesis")
}

fn python_tools() -> PathBuf {
    tools().join("python")
}

/// Installs the modules of the OpenID provider, in exactly the versions that its lock file names.
fn install_openid_provider() -> Result<()> {
    let wanted = root().join("tests/services/oidc");
    let folder = tools().join("node");
    if !has_node_modules(&folder, &wanted)? {
        say("installing the OpenID provider")?;
        fs::create_dir_all(&folder)?;
        for file in ["package.json", NODE_LOCK] {
            fs::copy(wanted.join(file), folder.join(file))?;
        }
        let quiet = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];
        let mut install = program("npm", &quiet);
        install.current_dir(&folder);
        run(install)?;
    }
    say("the OpenID provider is there").map_err(Into::into)
}

/// Whether npm has installed in `folder` what the lock file in `wanted` names, and got to the end of it.
fn has_node_modules(folder: &Path, wanted: &Path) -> Result<bool> {
    // npm writes this last.
    if !folder.join("node_modules/.package-lock.json").exists() {
        return Ok(false);
    }
    Ok(fs::read(folder.join(NODE_LOCK))? == fs::read(wanted.join(NODE_LOCK))?)
}

/// Installs schemathesis unless this version is there already.
fn install_schemathesis() -> Result<()> {
    if !has_schemathesis()? {
        say(&format!("installing schemathesis {SCHEMATHESIS_VERSION}"))?;
        let folder = python_tools();
        let mut create = program(PYTHON, &["-m", "venv", "--clear"]);
        create.arg(&folder);
        run(create)?;
        let requirement = format!("schemathesis=={SCHEMATHESIS_VERSION}");
        run(program(folder.join("bin/pip"), &["install", "--quiet", &requirement]))?;
    }
    if !has_schemathesis()? {
        bail!("schemathesis {SCHEMATHESIS_VERSION} was installed but does not run");
    }
    say(&format!("schemathesis {SCHEMATHESIS_VERSION} is there")).map_err(Into::into)
}

fn has_schemathesis() -> Result<bool> {
    is_version(&schemathesis(), SCHEMATHESIS_VERSION)
}

/// Installs the messages of OTLP for Python beside schemathesis, unless this version is there already.
fn install_otlp_messages() -> Result<()> {
    let python = python_tools().join("bin/python3");
    let probe = "import importlib.metadata, sys; \
                 sys.exit(importlib.metadata.version('opentelemetry-proto') != sys.argv[1])";
    let is_there = || {
        let output = program(&python, &["-c", probe, OTLP_MESSAGES_VERSION]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !is_there() {
        let requirement = format!("opentelemetry-proto=={OTLP_MESSAGES_VERSION}");
        run(program(python_tools().join("bin/pip"), &["install", "--quiet", &requirement]))?;
    }
    if !is_there() {
        bail!("opentelemetry-proto {OTLP_MESSAGES_VERSION} was installed but is not there");
    }
    say(&format!("opentelemetry-proto {OTLP_MESSAGES_VERSION} is there")).map_err(Into::into)
}

/// A program that cargo builds from source, in exactly this version. It is kept in a place of our own, so that every
/// version elsewhere can stay.
pub(crate) struct CargoTool {
    name: &'static str,
    version: &'static str,
}

impl CargoTool {
    /// Where it is, once it is installed.
    pub(crate) fn path(&self) -> PathBuf {
        tools().join("bin").join(self.name)
    }

    /// Installs it unless it is there already.
    ///
    /// # Errors
    /// It cannot be built.
    pub(crate) fn install(&self) -> Result<()> {
        let Self { name, version } = self;
        if !self.is_there() {
            say(&format!("installing {name} {version}"))?;
            run(self.build())?;
        }
        say(&format!("{name} {version} is there")).map_err(Into::into)
    }

    /// Whether it is there in this version, by what cargo notes. Not every tool can be asked.
    fn is_there(&self) -> bool {
        let notes = fs::read_to_string(tools().join(".crates.toml")).unwrap_or_default();
        self.path().exists() && notes.contains(&format!("\"{} {} (", self.name, self.version))
    }

    /// Unoptimised: the tool runs for a second, its build should not take longer than everything else.
    fn build(&self) -> Command {
        let mut command = program("cargo", &["install", self.name, "--locked", "--version", self.version]);
        command
            .arg("--root")
            .arg(tools())
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256");
        command
    }
}

/// Where everything is kept that is no Debian package.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// Whether the program at `path` is there and says that it has this version.
fn is_version(path: &Path, version: &str) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let output = program(path, &["--version"]).output();
    let output = output.with_context(|| format!("cannot start {}", path.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.split_whitespace().last() == Some(version))
}

/// Whether a command can be started and exits with 0.
fn succeeds(words: &[&str]) -> bool {
    let Some((name, args)) = words.split_first() else {
        return false;
    };
    let mut command = program(name, args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_tells_present_from_absent() {
        assert!(succeeds(&["true"]));
        assert!(!succeeds(&["false"]));
        assert!(!succeeds(&["opendcre-no-such-program"]));
        assert!(!succeeds(&[]));
    }
}
