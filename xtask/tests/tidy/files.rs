//! Rules about the files of the workspace that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;

/// What does not fit into so many lines is more than one thing.
const MAX_LINES: usize = 600;

/// Every package is code that somebody must trust and a Raspberry Pi must hold.
const MAX_PACKAGES: usize = 300;

/// Written in two pieces, or this file would offend itself.
const WORKSHOP_PATH: &str = concat!("/wo", "rk/");

#[test]
fn source_files_stay_short() {
    let sources = files(&["crates/*/src/*.rs", "xtask/src/*.rs", "tests/fuzz/src/*.rs"]);
    assert!(!sources.is_empty());
    for path in sources {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let manifests = files(&["crates/*/Cargo.toml", "tests/*/Cargo.toml", "xtask/Cargo.toml"]);
    assert_eq!(manifests.len(), cargo::members().len());
    for path in manifests {
        let manifest: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(lints, Some(&toml::Value::Boolean(true)), "{}", path.display());
    }
}

#[test]
fn the_default_build_stays_lean() {
    let packages = cargo::packages("opendcre").len();
    assert!(packages <= MAX_PACKAGES, "{packages} packages");
}

#[test]
fn no_file_names_a_place_outside_this_repository() {
    for path in files(&["*"]) {
        let content = fs::read(&path).unwrap();
        let found = content.windows(WORKSHOP_PATH.len()).any(|window| window == WORKSHOP_PATH.as_bytes());
        assert!(!found, "{} holds {WORKSHOP_PATH}", path.display());
    }
}

/// The files that are, or are about to be, in the repository and match one of git's patterns; `*` matches any text.
fn files(patterns: &[&str]) -> Vec<PathBuf> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]);
    let output = command.args(patterns).current_dir(cargo::root()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git ls-files: {errors}");
    let names = String::from_utf8(output.stdout).unwrap();
    let paths = names.split_terminator('\0').map(|name| cargo::root().join(name));
    // A file that was deleted a moment ago is still in the index.
    paths.filter(|path| Path::exists(path)).collect()
}
