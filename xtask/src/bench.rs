//! Measurements, printed as the rows of `docs/benchmarks.md`. Not tests: a busy machine is no mistake.

use anyhow::Result;

use crate::step::{program, run};
use crate::tool;

/// The measurements by name, each a bench target of the product.
pub(crate) const PARTS: [&str; 6] = ["bus", "server", "ipmi", "inventory", "history", "poll"];

/// Installs what is missing and runs these measurements on optimised binaries; without any, all. They get the `options`.
///
/// # Errors
/// A measurement cannot be made.
pub(crate) fn run_parts(parts: &[String], options: &[String]) -> Result<()> {
    tool::install_for_measuring()?;
    let mut command = program("cargo", &["bench", "--locked", "--package", "opendcre"]);
    for part in PARTS.iter().filter(|part| parts.is_empty() || parts.iter().any(|chosen| chosen == *part)) {
        command.args(["--bench", part]);
    }
    command.arg("--").args(options);
    run(command)
}
