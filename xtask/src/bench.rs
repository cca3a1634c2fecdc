//! Measurements, printed as the rows of `docs/benchmarks.md`. Not tests: a busy machine is no mistake.

use anyhow::Result;

use crate::step::{program, run};
use crate::tool;

/// Installs the load generator and runs every measurement on optimised binaries.
///
/// # Errors
/// A measurement cannot be made.
pub(crate) fn run_all() -> Result<()> {
    tool::install_load_generator()?;
    run(program(
        "cargo",
        &["bench", "--locked", "--package", "opendcre", "--bench", "bus", "--bench", "server"],
    ))
}
