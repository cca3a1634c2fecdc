//! Chores around the product: `cargo xtask --help` lists them.
//!
//! What is needed to build, check and document OpenDCRE and is no part of it lives here, in Rust rather than in shell.
//! The product knows nothing of this crate.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;

mod bench;
mod contract;
mod man;
mod services;
mod step;
mod test;
mod tool;
mod victoria;

/// Chores of the OpenDCRE workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Install what the tests need and run everything that must pass before a change lands.
    Test,
    /// Try logins beside the directories, providers and proxies of others; a part of `test`. Needs root.
    Services,
    /// Ask the advisory database, which is downloaded, whether a dependency is known to be unsafe.
    Audit,
    /// Measure the product; the results belong into docs/benchmarks.md.
    Bench {
        /// What to measure; without it, everything.
        #[arg(value_parser = PossibleValuesParser::new(bench::PARTS))]
        parts: Vec<String>,
        /// What the measurement is told; `cargo xtask bench poll -- --help` lists what there is.
        #[arg(last = true, requires = "parts")]
        options: Vec<String>,
    },
    /// Write the man pages of `opendcre` to target/man.
    Man,
}

fn main() -> ExitCode {
    let result = match Chore::parse() {
        Chore::Test => test::run(),
        Chore::Services => test::services(),
        Chore::Audit => test::audit(),
        Chore::Bench { parts, options } => bench::run_parts(&parts, &options),
        Chore::Man => man::write(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Ends with one line that says what went wrong. Without a screen to write to, the exit code must say it all.
fn fail(error: &anyhow::Error) -> ExitCode {
    match writeln!(io::stderr(), "error: {error:#}") {
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}

/// The root of the workspace.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Tells the person in front of the screen what goes on.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}
