//! Logins, tried with the programs that others run: directories, an OpenID provider, a reverse proxy, and tools that
//! look for weaknesses.
//!
//! They live in namespaces of their own: their ports clash with nothing, nobody outside can reach them, and nothing of
//! them is left afterwards. Scripts in tests/services start them; the tests are in crates/opendcre/tests/security.

use std::process::Command;

use anyhow::{Result, bail};

use crate::step::{program, run};
use crate::tool;

const TESTS: &[&str] = &["test", "--locked", "--package", "opendcre", "--test", "security"];

/// Starts the services, and runs the tests that need them.
///
/// # Errors
/// We are not root, a service does not start, or a test fails.
pub(crate) fn check() -> Result<()> {
    if !tool::is_root()? {
        bail!("the services need namespaces of their own, which only root may make; run it as root");
    }
    // Built outside of the namespace, where there is a network from which missing crates can come.
    run(program("cargo", &[TESTS, &["--no-run"]].concat()))?;
    run(beside_services("cargo", TESTS))
}

/// A program that runs where the services run.
fn beside_services(name: &str, args: &[&str]) -> Command {
    let namespaces = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let mut command = program("unshare", &namespaces);
    command.args(["tests/services/run.sh", name]).args(args);
    command
}
