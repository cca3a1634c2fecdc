//! Debian packages: what is in them is said in crates/opendcre/Cargo.toml and packaging/debian, cargo-deb makes them.

pub(crate) mod test;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::archive::compress;
use crate::binary::{Profile, Sources};
use crate::dist::{COMPLETIONS, VERSION, completion, folder, third_party, write_checksums};
use crate::step::{program, run as run_program};
use crate::target::Target;
use crate::{man, root, say, tool};

/// The part of a version that counts packages of the same release.
const REVISION: &str = "1";

/// Makes the package for each of `targets` in target/dist, and says where they are.
///
/// # Errors
/// A tool cannot be installed, or something cannot be built or written.
pub(crate) fn run(targets: &[Target], profile: Profile) -> Result<Vec<PathBuf>> {
    tool::install_for_packages(targets)?;
    let sources = Sources::in_folder(root())?;
    let package = |target: &Target| {
        let binary = sources.build(*target, profile)?;
        prepare(*target, &binary)?;
        make(&sources, *target, profile, VERSION)
    };
    let packages = targets.iter().map(package).collect::<Result<Vec<PathBuf>>>()?;
    write_checksums(&folder())?;
    Ok(packages)
}

/// Makes the package of what lies ready for `target`, as `version`, and lets lintian look for mistakes in it.
///
/// # Errors
/// A tool fails, or there are mistakes.
fn make(sources: &Sources, target: Target, profile: Profile, version: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder())?;
    let path = folder().join(format!("opendcre_{version}-{REVISION}_{}.deb", target.debian()));
    let mut command = Command::new(tool::CARGO_DEB.path());
    command.current_dir(root()).args([
        "deb",
        "--no-build",
        "--no-strip",
        "--locked",
        "--package",
        "opendcre",
    ]);
    command.args(["--target", target.triple(), "--profile", profile.name()]);
    command.args(["--deb-version", &format!("{version}-{REVISION}"), "--output"]).arg(&path);
    command.env("SOURCE_DATE_EPOCH", sources.time.to_string());
    run_program(command)?;
    let mut lintian = program("lintian", &["--fail-on", "error", "--allow-root"]);
    lintian.arg(&path);
    run_program(lintian)?;
    say(&format!("the package is in {}", path.display()))?;
    Ok(path)
}

/// Makes what the package holds besides `binary`, in a folder beside it.
///
/// # Errors
/// Something cannot be made or written.
fn prepare(target: Target, binary: &Path) -> Result<()> {
    let folder = binary.with_file_name("package");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for (page, text) in man::pages()? {
        write(&folder.join("man").join(format!("{page}.gz")), &compress(&text)?)?;
    }
    for (shell, path) in COMPLETIONS {
        let name = Path::new(path).file_name().unwrap_or_default();
        write(&folder.join(shell.to_string()).join(name), &completion(shell))?;
    }
    let changes = fs::read(root().join("CHANGELOG.md")).context("cannot read CHANGELOG.md")?;
    write(&folder.join("doc/changelog.gz"), &compress(&changes)?)?;
    write(&folder.join("doc/THIRD-PARTY-LICENCES.gz"), &compress(third_party(target)?.as_bytes())?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_of_the_package_begins_with_this_version() {
        let changelog = fs::read_to_string(root().join("packaging/debian/changelog")).unwrap();
        let first = changelog.lines().next().unwrap();
        assert!(first.starts_with(&format!("opendcre ({VERSION}-{REVISION}) ")), "{first}");
    }
}
