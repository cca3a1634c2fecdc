//! Everything that must pass before a change lands.
//!
//! The steps are in the order in which they fail fastest. Each is a command that can also be typed by hand.

use std::io;
use std::process::Command;

use anyhow::Result;

use crate::binary::Profile;
use crate::services;
use crate::step::{self, Step, program};
use crate::tool;
use crate::{container, contract, image, package};

/// Installs what is missing and runs every check.
///
/// # Errors
/// The first step that fails.
pub(crate) fn run() -> Result<()> {
    let steps = vec![
        Step::function("tools", "installing what is missing", tool::install_missing),
        Step::command("format", program("cargo", &["fmt", "--all", "--check"])),
        Step::command("lints", lints(&["--workspace", "--all-targets", "--all-features"])),
        // What is compiled only where a feature is missing.
        Step::command("default lints", lints(&["--package", "opendcre-publish", "--package", "opendcre"])),
        // Among all targets are only those that a plain `cargo test` runs. This one is of the product with its usual features.
        Step::command("more lints", lints(&["--package", "opendcre", "--test", "security"])),
        // Unit, property and integration tests, doc tests, the replay of the fuzzing corpora, and the rules about
        // the workspace itself.
        Step::command("tests", program("cargo", &["test", "--workspace", "--all-features", "--locked"])),
        Step::command("documents", documents()),
        Step::command("licences", licences()),
        Step::command("bus peer", bus_peer()),
        Step::function("contract", "API 2 as its OpenAPI document says", contract::check),
        services_step(),
        Step::function("package", "a Debian package on a Debian system of its own", || {
            package::test::check(Profile::Gate)
        }),
        Step::function("container", "the container image in podman", || {
            container::test::check(Profile::Gate)
        }),
        Step::function("image", "OpenMistOS on emulated machines", || image::check(Profile::Gate)),
    ];
    step::run_all(steps, &mut io::stdout())
}

/// Runs only what needs the services of others, installing them if they are missing.
///
/// # Errors
/// The step that fails.
pub(crate) fn services() -> Result<()> {
    let tools = Step::function("tools", "installing what is missing", tool::install_services);
    step::run_all(vec![tools, services_step()], &mut io::stdout())
}

fn services_step() -> Step {
    Step::function("services", "logins beside real directories, providers and proxies", services::check)
}

/// Asks the advisory database. Not a part of [`run`], because the database must be downloaded and changes daily.
///
/// # Errors
/// A dependency is known to be unsafe, or the database cannot be had.
pub(crate) fn audit() -> Result<()> {
    tool::CARGO_DENY.install()?;
    step::run(program(tool::CARGO_DENY.path(), &["check", "advisories"]))
}

fn lints(scope: &[&str]) -> Command {
    let strict = ["--", "-D", "warnings"];
    program("cargo", &[&["clippy", "--locked"], scope, &strict].concat())
}

fn documents() -> Command {
    let mut command = program("cargo", &["doc", "--workspace", "--all-features", "--no-deps", "--locked"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// The tests of the second implementation of the bus, which other tests measure ours against.
fn bus_peer() -> Command {
    let mut command = program(tool::PYTHON, &["tests/peer/vectors_test.py"]);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Licences, banned crates and where crates come from.
fn licences() -> Command {
    let what = ["bans", "licenses", "sources"];
    let how = ["check", "--hide-inclusion-graph"];
    program(tool::CARGO_DENY.path(), &[&how[..], &what[..]].concat())
}
