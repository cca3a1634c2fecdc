//! What it costs to read everything again and again: processor time, memory and requests of a gateway that polls emulated
//! BMCs, and how old the values are that it knows.
//!
//! Gateway and BMCs are the product as it is installed, in processes of their own, with history and events. Run by
//! `cargo xtask bench poll`; with options, only one fleet: `cargo xtask bench poll -- --bmcs 1000 --interval 30s`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and reads the clock"
)]

#[path = "../shared/emulator.rs"]
mod emulator;
#[path = "../shared/measure.rs"]
mod measure;
#[path = "../shared/percentile.rs"]
mod percentile;
mod report;
mod room;
#[path = "../shared/server.rs"]
mod server;

use std::io;
use std::time::Duration;

use clap::Parser;
use jiff::SignedDuration;

/// Measure what polling costs.
#[derive(Parser)]
struct Arguments {
    /// Only a fleet of so many BMCs, instead of all that docs/benchmarks.md tells.
    #[arg(long, value_name = "COUNT")]
    bmcs: Option<u16>,
    /// How often everything is read.
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "bmcs")]
    interval: SignedDuration,
    /// For how long each fleet is measured.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// What `cargo bench` passes on.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> io::Result<()> {
    let Arguments { bmcs, interval, minutes, bench: _ } = Arguments::parse();
    let mut out = io::stdout().lock();
    let interval = Duration::try_from(interval).expect("an interval that is not negative");
    match bmcs {
        Some(bmcs) => report::one_fleet(bmcs, interval, minutes, &mut out),
        None => report::all(minutes, &mut out),
    }
}
