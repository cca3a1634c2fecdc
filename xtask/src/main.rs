//! Chores around the product: `cargo xtask --help` lists them.
//!
//! What is needed to build, check and document OpenDCRE and is no part of it lives here, in Rust rather than in shell.
//! The product knows nothing of this crate.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use binary::Profile;
use target::Target;

mod archive;
mod bench;
mod binary;
mod bus;
mod container;
mod contract;
mod debian;
mod dist;
mod image;
mod man;
mod package;
mod release;
mod services;
mod step;
mod target;
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
    /// Make everything that is handed out with a release, and try it, which takes hours. Comes after `test`. Needs root.
    Release,
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
    /// Make OpenMistOS, the image of a card for a board, or try it.
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// Write the man pages of `opendcre` to target/man.
    Man,
    /// Make releases in target/dist: binary, documents and bill of materials in an archive, and checksums.
    Dist {
        /// The machines to make them for; without any, all.
        #[arg(value_enum)]
        targets: Vec<Target>,
        /// How well the compiler does its work.
        #[arg(long, value_enum, default_value_t = Profile::Release)]
        profile: Profile,
        /// Build twice, in two folders, and compare, instead of making a release.
        #[arg(long, requires = "targets")]
        check: bool,
    },
    /// Make Debian packages in target/dist, or try one on a Debian system of its own, which needs root.
    Package(Packing),
    /// Make the container image in target/dist, for all machines in one archive, or try it with podman, which needs root.
    Container(Packing),
}

/// What is made of binaries.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
struct Packing {
    /// The machines to make it for; without any, all.
    #[arg(value_enum)]
    targets: Vec<Target>,
    /// How well the compiler does its work.
    #[arg(long, value_enum, default_value_t = Profile::Release, global = true)]
    profile: Profile,
    #[command(subcommand)]
    trial: Option<Trial>,
}

#[derive(Subcommand)]
enum Trial {
    /// Make it for this machine and try it.
    Test,
}

fn main() -> ExitCode {
    let result = match Chore::parse() {
        Chore::Test => test::run(),
        Chore::Services => test::services(),
        Chore::Release => release::run(),
        Chore::Audit => test::audit(),
        Chore::Bench { parts, options } => bench::run_parts(&parts, &options),
        Chore::Image(command) => image::run_command(command),
        Chore::Man => man::write(),
        Chore::Dist { targets, profile, check: true } => {
            targets.into_iter().try_for_each(|target| dist::check(target, profile))
        }
        Chore::Dist { targets, profile, check: false } => dist::run(&all_unless_named(targets), profile),
        Chore::Package(Packing { trial: Some(Trial::Test), profile, .. }) => package::test::check(profile),
        Chore::Package(Packing { targets, profile, .. }) => {
            package::run(&all_unless_named(targets), profile).map(drop)
        }
        Chore::Container(Packing { trial: Some(Trial::Test), profile, .. }) => {
            container::test::check(profile)
        }
        Chore::Container(Packing { targets, profile, .. }) => {
            container::run(&all_unless_named(targets), profile).map(drop)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// The machines that were named, or all of them.
fn all_unless_named(targets: Vec<Target>) -> Vec<Target> {
    if targets.is_empty() { Target::ALL.to_vec() } else { targets }
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
