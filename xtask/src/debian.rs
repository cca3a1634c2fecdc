//! Debian's archive, as this machine has it: its address, and packages of it that are only unpacked.
//!
//! No address stands in the project: it comes from the configuration of apt on this machine, or from whoever calls.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step::{answer, program, run};

/// The release that the images are made of.
pub(crate) const RELEASE: &str = "trixie";

/// The names that the archive has for it. Mirrors fetch each one by itself, and while one is behind, another one may be whole.
const NAMES: [&str; 2] = [RELEASE, "stable"];

const COMPONENTS: &str = "main non-free-firmware";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where packages come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Archive {
    main: String,
    security: String,
}

impl Archive {
    /// The one at `mirror`, or else the one from which this machine has its own packages.
    ///
    /// # Errors
    /// Apt has no archive of Debian.
    pub(crate) fn find(mirror: Option<&str>) -> Result<Self> {
        let targets = answer(program("apt-get", &["indextargets", "--format", "$(REPO_URI)"]))?;
        Self::among(&targets.lines(), mirror)
            .context("apt on this machine has no archive of Debian; name one with --mirror")
    }

    fn among<'a>(addresses: &(impl Iterator<Item = &'a str> + Clone), mirror: Option<&str>) -> Option<Self> {
        let known = |end: &str| {
            let trimmed = addresses.clone().map(|address| address.trim_end_matches('/'));
            trimmed.into_iter().find(|address| address.ends_with(end)).map(str::to_owned)
        };
        let main = mirror.map(str::to_owned).or_else(|| known("/debian"))?;
        let main = main.trim_end_matches('/').to_owned();
        let security = match mirror {
            Some(_) => None,
            None => known("-security"),
        };
        Some(Self { security: security.unwrap_or_else(|| format!("{main}-security")), main })
    }

    /// The address of the releases.
    pub(crate) fn address(&self) -> &str {
        &self.main
    }

    /// The line of apt for the release.
    pub(crate) fn source(&self) -> String {
        self.source_of(RELEASE)
    }

    fn source_of(&self, name: &str) -> String {
        format!("deb {} {name} {COMPONENTS}", self.main)
    }

    /// The line of apt that can be used for `architecture` at this moment, by whichever name of the release. What is looked
    /// at lies in `folder`, which is removed.
    ///
    /// # Errors
    /// The archive has the release under no name, or only with an index that does not fit what is signed.
    pub(crate) fn usable_source(&self, architecture: &str, folder: &Path) -> Result<String> {
        let usable = NAMES.iter().map(|name| self.source_of(name)).find_map(|source| {
            match self.release_behind(&source, architecture, folder) {
                Ok(release) if release == RELEASE => Some(Ok(source)),
                Ok(_) | Err(_) => None,
            }
        });
        usable.unwrap_or_else(|| {
            bail!(
                "{} has no usable index of {RELEASE} for {architecture}; try another --mirror, or later",
                self.main
            )
        })
    }

    /// The release to which a line of apt leads.
    fn release_behind(&self, source: &str, architecture: &str, folder: &Path) -> Result<String> {
        let options = private_state(folder, source, architecture)?;
        let apt_get = |words: &[&str]| {
            let mut command = program("apt-get", &["--quiet=2"]);
            command.args(&options).args(words);
            command
        };
        let updated = run(apt_get(&["update", "--error-on=any"]));
        let codenames = updated.and_then(|()| answer(apt_get(&["indextargets", "--format", "$(CODENAME)"])));
        fs::remove_dir_all(folder)?;
        Ok(codenames?.lines().next().unwrap_or_default().to_owned())
    }

    /// The line of apt for what comes after the release.
    pub(crate) fn updates_source(&self) -> String {
        format!("deb {} {RELEASE}-updates {COMPONENTS}", self.main)
    }

    /// The line of apt for what the security team publishes.
    pub(crate) fn security_source(&self) -> String {
        format!("deb {} {RELEASE}-security {COMPONENTS}", self.security)
    }

    /// The lines of apt that have newer versions of what `release`, the one of this machine, holds.
    pub(crate) fn backports_sources(&self, release: &str) -> String {
        format!("deb {0} {release} main\ndeb {0} {release}-backports main\n", self.main)
    }

    /// Unpacks packages for this machine, and what they depend on, into `folder`. Nothing is installed.
    ///
    /// # Errors
    /// They cannot be downloaded or unpacked.
    pub(crate) fn unpack(&self, packages: &[&str], folder: &Path) -> Result<()> {
        let state = folder.join("apt");
        let own = answer(program("dpkg", &["--print-architecture"]))?;
        let options = private_state(&state, &self.source(), &own)?;
        let apt_get = |words: &[&str]| {
            let mut command = program("apt-get", &["--quiet=2"]);
            command.args(&options).args(words);
            run(command)
        };
        apt_get(&["update"])?;
        apt_get(
            &[&["install", "--download-only", "--yes", "--no-install-recommends"][..], packages].concat(),
        )?;
        for package in archives(&state.join("cache/archives"))? {
            let mut unpack = program("dpkg-deb", &["--extract"]);
            unpack.arg(package).arg(folder);
            run(unpack)?;
        }
        fs::remove_dir_all(state).map_err(Into::into)
    }
}

/// Lets apt keep everything it knows in `state`, and nothing of this machine: the options for that.
fn private_state(state: &Path, source: &str, architecture: &str) -> Result<Vec<String>> {
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(state.join(part))?;
    }
    fs::write(state.join("status"), "")?;
    fs::write(state.join("sources.list"), format!("{source}\n"))?;
    let state = state.display();
    let options = [
        format!("APT::Architecture={architecture}"),
        format!("APT::Architectures={architecture}"),
        format!("Dir::State={state}"),
        format!("Dir::State::status={state}/status"),
        format!("Dir::Cache={state}/cache"),
        format!("Dir::Etc::sourcelist={state}/sources.list"),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::Etc::trusted={KEYRING}"),
        "APT::Sandbox::User=root".to_owned(),
    ];
    Ok(options.map(|option| format!("--option={option}")).into())
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_that_of_this_machine_unless_another_one_is_named() {
        let own =
            ["http://deb.example/debian-security/", "http://deb.example/debian/", "http://else.example/x/"];
        let found = Archive::among(&own.into_iter(), None).unwrap();
        assert_eq!(found.source(), "deb http://deb.example/debian trixie main non-free-firmware");
        assert_eq!(
            found.security_source(),
            "deb http://deb.example/debian-security trixie-security main non-free-firmware"
        );
        let named = Archive::among(&own.into_iter(), Some("http://mirror.example/d/")).unwrap();
        assert_eq!(named.source(), "deb http://mirror.example/d trixie main non-free-firmware");
        assert_eq!(Archive::among(&["http://else.example/x/"].into_iter(), None), None);
    }
}
