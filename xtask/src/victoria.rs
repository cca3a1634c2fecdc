//! VictoriaMetrics, a store that takes OTLP and answers as Prometheus does, which in no Debian takes it: the package of a
//! later Debian than this may be, unpacked beside the other tools and not installed. It comes from the mirror that apt uses
//! anyway, and apt checks who signed it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::say;
use crate::step::{program, run};
use crate::tool;

/// The first Debian that has it.
const SUITE: &str = "trixie";

const PACKAGE: &str = "victoria-metrics";

const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where the files of the package are.
fn folder() -> PathBuf {
    tool::tools().join(PACKAGE)
}

/// Unpacks it unless it is there already.
///
/// # Errors
/// It cannot be had, or does not run.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    let installed = folder.join("usr/bin").join(PACKAGE);
    if !installed.exists() {
        say(&format!("unpacking {PACKAGE} of Debian {SUITE}"))?;
        let scratch = tool::tools().join("victoria-metrics.apt");
        download(&scratch)?;
        unpack(&scratch, &folder)?;
        fs::remove_dir_all(&scratch)?;
    }
    run(program(&installed, &["-version"]))
}

/// Brings the package into a folder that has an apt of its own.
fn download(scratch: &Path) -> Result<()> {
    fs::create_dir_all(scratch.join("lists/partial"))?;
    fs::create_dir_all(scratch.join("cache/archives/partial"))?;
    let source = format!("deb [signed-by={KEYS}] {} {SUITE} main\n", mirror()?);
    fs::write(scratch.join("sources.list"), source)?;
    run(apt_get(scratch, &["update"]))?;
    run(apt_get(scratch, &["download", PACKAGE]))
}

/// Where apt has Debian from on this machine.
fn mirror() -> Result<String> {
    let targets = ["indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"];
    let output = program("apt-get", &targets).output().context("cannot start `apt-get`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next() {
        Some(mirror) => Ok(mirror.to_owned()),
        None => bail!("apt knows no mirror of Debian; run `apt-get update` on a Debian"),
    }
}

fn apt_get(scratch: &Path, args: &[&str]) -> Command {
    let place = |key: &str, path: &str| format!("{key}={}", scratch.join(path).display());
    let options = [
        place("Dir::Etc::SourceList", "sources.list"),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        place("Dir::State::Lists", "lists"),
        place("Dir::Cache", "cache"),
        // Descriptions of programs for people, as large as all the rest.
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        // The user without rights that root would download as cannot write here.
        "APT::Sandbox::User=root".to_owned(),
    ];
    let mut command = program("apt-get", &["--quiet"]);
    command.args(options.iter().flat_map(|option| ["--option", option])).args(args).current_dir(scratch);
    command
}

fn unpack(scratch: &Path, folder: &Path) -> Result<()> {
    let packages = fs::read_dir(scratch)?.collect::<Result<Vec<_>, _>>()?;
    let mut packages = packages.iter().map(fs::DirEntry::path);
    let package = packages.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.context("apt-get has downloaded no package")?;
    run(program("dpkg-deb", &[Path::new("--extract"), &package, folder]))
}
