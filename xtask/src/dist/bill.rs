//! The bill of materials of the binary, in CycloneDX format.

use std::fs;

use anyhow::{Context, Result};

use super::{copy, folder};
use crate::binary::Sources;
use crate::step::run;
use crate::target::Target;
use crate::tool;

/// What cargo-cyclonedx is told to call its file, without the ending.
const NAME: &str = "bill";

/// The bill of everything that is compiled into the binary for `target`, as JSON.
///
/// # Errors
/// The tool fails.
pub(super) fn of_materials(sources: &Sources, target: Target) -> Result<Vec<u8>> {
    // The tool writes a file beside every manifest of the workspace, so it gets a workspace of its own.
    let copy = folder().join("bill");
    copy::sources(&copy)?;
    let mut command = std::process::Command::new(tool::CARGO_CYCLONEDX.path());
    command.current_dir(&copy);
    command.args(["cyclonedx", "--manifest-path", "crates/opendcre/Cargo.toml", "--format", "json"]);
    command.args(["--override-filename", NAME, "--spec-version", "1.5", "--no-build-deps", "--quiet"]);
    command.args(["--target", target.triple()]);
    command.env("SOURCE_DATE_EPOCH", sources.time.to_string());
    run(command)?;
    let path = copy.join("crates/opendcre").join(format!("{NAME}.json"));
    let bill = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bill.replace(&copy.display().to_string(), "/opendcre").into_bytes())
}
