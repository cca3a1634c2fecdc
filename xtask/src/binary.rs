//! The binary that everything else packs: one file for each kind of machine that needs nothing of the system it runs on.
//!
//! It holds the list of what it was made of (cargo-auditable), the commit, and no path of the machine that made it, so that
//! the same sources give the same bytes in any folder. Knows nothing of packages.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::Value;

use crate::say;
use crate::step::{answer, program};
use crate::target::Target;
use crate::tool;

/// How well the compiler does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// As fast as it can be made, which takes long
    Release,
    /// As fast as it can be made in a few minutes, for tests
    Gate,
}

impl Profile {
    /// The name that cargo knows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Gate => "gate",
        }
    }
}

/// A folder with sources, and what is known of them.
pub(crate) struct Sources {
    folder: PathBuf,
    /// Where cargo builds; if nothing is said here, it decides that itself.
    target_folder: Option<PathBuf>,
    pub(crate) commit: String,
    /// When the commit was made, in seconds since 1970.
    pub(crate) time: u64,
}

impl Sources {
    /// The sources in `folder`, which may be a copy of the repository without its history.
    ///
    /// # Errors
    /// Git does not know the commit of this repository.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self> {
        let commit =
            answer(program("git", &["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]))?;
        let time = answer(program("git", &["log", "-1", "--format=%ct"]))?;
        let time = time.parse().with_context(|| format!("git says that the commit was made at {time:?}"))?;
        Ok(Self { folder: folder.to_owned(), target_folder: None, commit, time })
    }

    /// The same sources, built in `folder`.
    pub(crate) fn building_in(self, folder: &Path) -> Self {
        Self { target_folder: Some(folder.to_owned()), ..self }
    }

    /// Builds the binary for `target` and returns where it is.
    ///
    /// # Errors
    /// It cannot be built, does not run, needs libraries of the system, or names places of this machine.
    pub(crate) fn build(&self, target: Target, profile: Profile) -> Result<PathBuf> {
        say(&format!("building for {} with profile {}", target.triple(), profile.name()))?;
        let mut command = self.cargo_build(target, profile)?;
        command.stdout(Stdio::piped());
        let output = command.spawn().context("cannot start cargo-auditable")?.wait_with_output()?;
        if !output.status.success() {
            bail!("the build for {} ended with {}", target.triple(), output.status);
        }
        let binary = executable(&output.stdout).context("cargo does not say what it has built")?;
        check(&binary, &self.folder)?;
        self.try_out(&binary, target)?;
        Ok(binary)
    }

    /// # Errors
    /// The program does not run, or does not say that it was made of these sources.
    fn try_out(&self, binary: &Path, target: Target) -> Result<()> {
        let mut command = Command::new(target.emulator().map_or(binary.as_os_str(), OsStr::new));
        command.args(target.emulator().map(|_| binary)).args(["version", "--client"]);
        let said = answer(command)?;
        ensure!(said.contains(&self.commit), "{} says that it is {said}", binary.display());
        say(&said).map_err(Into::into)
    }

    fn cargo_build(&self, target: Target, profile: Profile) -> Result<Command> {
        let triple = target.triple();
        let variable = triple.to_uppercase().replace('-', "_");
        let mut command = Command::new(tool::CARGO_AUDITABLE.path());
        command.current_dir(&self.folder);
        command.args(["auditable", "build", "--locked", "--package", "opendcre", "--bin", "opendcre"]);
        command.args(["--target", triple, "--profile", profile.name()]);
        command.args(["--message-format", "json-render-diagnostics"]);
        command.args(
            self.target_folder.iter().flat_map(|folder| [OsStr::new("--target-dir"), folder.as_os_str()]),
        );
        command.env("CARGO_ENCODED_RUSTFLAGS", compiler_options(&self.folder)?);
        command.env(format!("CARGO_TARGET_{variable}_LINKER"), target.compiler());
        // Where the C compiler looks for the linker.
        command.env("COMPILER_PATH", toolchain()?.join(LINKER));
        command.env(format!("CC_{}", triple.replace('-', "_")), target.compiler());
        command.env("OPENDCRE_COMMIT", &self.commit).env("SOURCE_DATE_EPOCH", self.time.to_string());
        Ok(command)
    }
}

/// Where the toolchain has the linker that it brings.
const LINKER: &str = "lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld";

/// Static, and linked by lld: that of Debian's binutils 2.40 loses the Thumb bit of what the C library of ARM chooses at its
/// start (`R_ARM_IRELATIVE`) in programs of more than 16 MiB, which then crash at once.
const OPTIONS: &str = "-Ctarget-feature=+crt-static\u{1f}-Clink-arg=-fuse-ld=lld";

/// Where cargo-auditable puts the list of dependencies.
const DEPENDENCIES: &str = ".dep-v0";

/// The options of the compiler as cargo takes them: separated by a character that no path holds.
fn compiler_options(sources: &Path) -> Result<OsString> {
    let mut options = OsString::from(OPTIONS);
    for (place, name) in places(sources)? {
        options.push("\u{1f}--remap-path-prefix=");
        options.push(place);
        options.push("=");
        options.push(name);
    }
    Ok(options)
}

/// What the binary must not name, and what stands there instead.
fn places(sources: &Path) -> Result<[(PathBuf, &'static str); 3]> {
    Ok([(sources.to_owned(), "/opendcre"), (cargo_home()?, "/cargo"), (toolchain()?, "/rust")])
}

/// Where the toolchain is.
fn toolchain() -> Result<PathBuf> {
    answer(program("rustc", &["--print", "sysroot"])).map(PathBuf::from)
}

/// Where cargo keeps the sources of others.
fn cargo_home() -> Result<PathBuf> {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || env::home_dir().map(|home| home.join(".cargo"));
    named.or_else(usual).context("there is no home directory; set CARGO_HOME")
}

/// The path of the program that cargo built, from its messages.
fn executable(messages: &[u8]) -> Option<PathBuf> {
    let lines = messages.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut paths = messages.filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    paths.next_back()
}

/// # Errors
/// The program needs a loader, and with it libraries of the system, does not say what it was made of, or names places of
/// this machine.
fn check(binary: &Path, sources: &Path) -> Result<()> {
    let mut command = program("readelf", &["--program-headers", "--section-headers", "--wide"]);
    command.arg(binary);
    let headers = answer(command)?;
    ensure!(!headers.contains("INTERP"), "{} is not static", binary.display());
    ensure!(headers.contains(DEPENDENCIES), "{} is without the section {DEPENDENCIES}", binary.display());
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let places = places(sources)?.map(|(place, _)| place);
    // What build scripts write lies where cargo builds, which need not be in the sources.
    for place in places.iter().map(PathBuf::as_path).chain(binary.parent()) {
        let place = place.to_string_lossy().into_owned();
        if bytes.windows(place.len()).any(|window| window == place.as_bytes()) {
            bail!("{} holds the path {place}", binary.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_program_that_cargo_names_is_the_one() {
        let messages = br#"{"reason":"compiler-artifact","executable":null}
{"reason":"compiler-artifact","executable":"/target/gate/opendcre"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/target/gate/opendcre")));
        assert_eq!(executable(b"{\"reason\":\"build-finished\"}\n"), None);
    }

    #[test]
    fn options_are_separated_as_cargo_wants_it() {
        let options = compiler_options(Path::new("/a folder")).unwrap().into_string().unwrap();
        let options: Vec<_> = options.split('\u{1f}').collect();
        assert_eq!(options[..2], ["-Ctarget-feature=+crt-static", "-Clink-arg=-fuse-ld=lld"]);
        assert_eq!(options[2], "--remap-path-prefix=/a folder=/opendcre");
        assert_eq!(options.len(), 5);
    }
}
