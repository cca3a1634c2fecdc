//! What it costs to know many boards: to list them, to find one or several by name, to answer what is known of them,
//! to know them again after a start, and to tell all that their sensors said.
//!
//! The product runs as it is installed, in front of emulated BMCs; what never asks the equipment is measured without
//! any. Run by `cargo xtask bench`, which installs `wrk` and `valgrind`.
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
mod fleet;
#[path = "../shared/load.rs"]
mod load;
mod lookup;
#[path = "../shared/measure.rs"]
mod measure;
mod range;
mod room;
mod scrape;
#[path = "../shared/server.rs"]
mod server;
mod valgrind;

use std::io;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == load::BARE => return load::run_bare(rest),
        Some((word, rest)) if word == lookup::WORD => return lookup::run(rest),
        Some((word, rest)) if word == scrape::WORD => return scrape::run(rest),
        _ => {}
    }
    let mut out = io::stdout().lock();
    fleet::report(&mut out)?;
    lookup::report(&mut out)?;
    range::report(&mut out)?;
    scrape::report(&mut out)
}
