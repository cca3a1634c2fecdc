//! What `cargo tree` says about the crates of this workspace. The names of crates stand for the crates: two versions of
//! one crate count once where a set is returned.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every crate of the workspace.
pub(crate) fn members() -> BTreeSet<String> {
    names(&tree(&["--workspace", "--depth", "0"]))
}

/// What a crate of the workspace uses itself, whatever features it has.
pub(crate) fn direct_dependencies(name: &str) -> BTreeSet<String> {
    let mut names = names(&tree(&["--package", name, "--all-features", "--depth", "1"]));
    names.remove(name);
    names
}

/// What a crate of the workspace uses, directly or through others.
pub(crate) fn all_dependencies(name: &str) -> BTreeSet<String> {
    names(&tree(&["--package", name, "--all-features"]))
}

/// Every package that a build of a crate with its default features needs, once for each version.
pub(crate) fn packages(name: &str) -> BTreeSet<String> {
    let lines = tree(&["--package", name]);
    let package = |line: &String| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    lines.iter().map(package).collect()
}

/// The lines of `cargo tree`: a package with its version each, the crate itself first. Dev-dependencies are left out.
fn tree(args: &[&str]) -> Vec<String> {
    let mut command = Command::new("cargo");
    command.args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none"]);
    let output = command.args(args).current_dir(root()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree {args:?}: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

fn names(lines: &[String]) -> BTreeSet<String> {
    let name = |line: &String| line.split_whitespace().next().map(str::to_owned);
    lines.iter().filter_map(name).collect()
}
