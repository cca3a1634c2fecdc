//! Releases: for each kind of machine an archive with the binary and what belongs to it, a bill of materials, and the
//! checksums of all.
//!
//! The same commit gives the same bytes, in any folder; [`check`] shows it. Packages and containers are made elsewhere, of
//! the same binaries.

mod bill;
mod copy;
mod licence;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap_complete::Shell;

use crate::archive::Archive;
use crate::binary::{Profile, Sources};
use crate::target::Target;
use crate::{man, root, say, tool};

pub(crate) use licence::third_party;

/// What a release is called.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Files that are packed as they are, and where to.
const DOCUMENTS: [(&str, &str); 8] = [
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("README.md", "README.md"),
    ("packaging/debian/opendcre.toml", "etc/opendcre/opendcre.toml"),
    ("packaging/debian/opendcre.service", "lib/systemd/system/opendcre.service"),
    ("packaging/debian/opendcre.sysusers", "lib/sysusers.d/opendcre.conf"),
    ("packaging/debian/opendcre.tmpfiles", "lib/tmpfiles.d/opendcre.conf"),
];

/// The shells that a completion script is made for, and what a package calls its script.
pub(crate) const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions/opendcre"),
    (Shell::Fish, "share/fish/vendor_completions.d/opendcre.fish"),
    (Shell::Zsh, "share/zsh/vendor-completions/_opendcre"),
];

/// Makes the release for each of `targets` in target/dist.
///
/// # Errors
/// A tool cannot be installed, or something cannot be built or written.
pub(crate) fn run(targets: &[Target], profile: Profile) -> Result<()> {
    tool::install_for_release(targets)?;
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let sources = Sources::in_folder(root())?;
    for target in targets {
        let release = Release::make(&sources, *target, profile)?;
        release.write(&folder)?;
    }
    write_checksums(&folder)?;
    say(&format!("releases are in {}", folder.display())).map_err(Into::into)
}

/// Builds for `target` in two copies of the sources, in different folders, and compares what comes of it.
///
/// # Errors
/// It is not the same, or cannot be built.
pub(crate) fn check(target: Target, profile: Profile) -> Result<()> {
    tool::install_for_release(&[target])?;
    let mut hashes = Vec::new();
    for name in ["one", "another-folder"] {
        let copy = folder().join("check").join(name);
        copy::sources(&copy)?;
        let sources = Sources::in_folder(&copy)?.building_in(&copy.join("target"));
        let release = Release::make(&sources, target, profile)?;
        let hash = hash(&release.archive);
        say(&format!("{hash}  {} from {}", release.name, copy.display()))?;
        hashes.push(hash);
    }
    if hashes.windows(2).any(|pair| pair.first() != pair.last()) {
        bail!(
            "two builds of the same sources differ; compare the copies in {}",
            folder().join("check").display()
        );
    }
    say("two builds in two folders gave the same bytes").map_err(Into::into)
}

/// Where releases, packages and images are made.
pub(crate) fn folder() -> PathBuf {
    root().join("target/dist")
}

/// What is made for one kind of machine.
struct Release {
    name: String,
    archive: Vec<u8>,
    bill: Vec<u8>,
}

impl Release {
    fn make(sources: &Sources, target: Target, profile: Profile) -> Result<Self> {
        let binary = sources.build(target, profile)?;
        let name = format!("opendcre-{VERSION}-{}", target.triple());
        let bill = bill::of_materials(sources, target)?;
        let mut archive = Archive::default();
        let mut add = |path: &str, mode, bytes: Vec<u8>| archive.file(format!("{name}/{path}"), mode, bytes);
        add("bin/opendcre", 0o755, fs::read(binary)?);
        for (from, to) in DOCUMENTS {
            let bytes = fs::read(root().join(from)).with_context(|| format!("cannot read {from}"))?;
            add(to, 0o644, bytes);
        }
        for (page, text) in man::pages()? {
            add(&format!("share/man/man1/{page}"), 0o644, text);
        }
        for (shell, path) in COMPLETIONS {
            add(path, 0o644, completion(shell));
        }
        add("THIRD-PARTY-LICENCES", 0o644, third_party(target)?.into_bytes());
        add("opendcre.cdx.json", 0o644, bill.clone());
        let archive = archive.tar_gz(sources.time)?;
        Ok(Self { name, archive, bill })
    }

    fn write(&self, folder: &Path) -> Result<()> {
        for (end, bytes) in [("tar.gz", &self.archive), ("cdx.json", &self.bill)] {
            let path = folder.join(format!("{}.{end}", self.name));
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The script that lets `shell` complete the command line.
pub(crate) fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut opendcre::cli::command(), "opendcre", &mut script);
    script
}

/// Writes the checksums of all archives and packages of this version in `folder`, as `sha256sum --check` reads them.
///
/// # Errors
/// A file cannot be read or written.
pub(crate) fn write_checksums(folder: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(&format!("opendcre-{VERSION}-"))
            || name.starts_with(&format!("opendcre_{VERSION}-"))
        {
            lines.push(format!("{}  {name}\n", hash(&fs::read(&path)?)));
        }
    }
    lines.sort_by(|a, b| a.get(64..).cmp(&b.get(64..)));
    fs::write(folder.join("SHA256SUMS"), lines.concat()).context("cannot write SHA256SUMS")
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_as_sha256sum_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("opendcre-{VERSION}-b.tar.gz");
        fs::write(folder.path().join(&name), "abc").unwrap();
        fs::write(folder.path().join("something-else"), "abc").unwrap();
        write_checksums(folder.path()).unwrap();
        // FIPS 180-4, the example of NIST for SHA-256.
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sums = fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
        assert_eq!(sums, format!("{hash}  {name}\n"));
    }

    #[test]
    fn every_document_is_there() {
        for (from, _) in DOCUMENTS {
            assert!(root().join(from).exists(), "{from}");
        }
    }
}
