//! Measurements, printed as the rows of `docs/benchmarks.md`. Not tests: a busy machine is no mistake.

use anyhow::Result;

use crate::root;
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
    run(program("cargo", &["build", "--locked", "--release", "--package", "opendcre"]))?;
    // Apart, because the measurements are built together with another one, to the same place.
    let product = std::env::temp_dir().join(format!("opendcre-measured-{}", std::process::id()));
    std::fs::copy(root().join("target/release/opendcre"), &product)?;
    let mut command = program("cargo", &["bench", "--locked", "--package", "opendcre"]);
    command.env("OPENDCRE_PRODUCT", &product);
    for part in PARTS.iter().filter(|part| parts.is_empty() || parts.iter().any(|chosen| chosen == *part)) {
        command.args(["--bench", part]);
    }
    command.arg("--").args(options);
    let measured = run(command);
    std::fs::remove_file(&product)?;
    measured
}
