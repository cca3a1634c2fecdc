//! How fast many BMCs are asked, and what it costs: our broker beside FreeIPMI's programs, on the same BMCs in the
//! same run.
//!
//! The BMCs are ours and those of OpenIPMI's simulator. Our side is a process of its own, as FreeIPMI's programs are,
//! so that processor time and memory are comparable. Run by `cargo xtask bench`, which installs the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and reads the clock"
)]

mod client;
mod cost;
#[path = "../shared/emulator.rs"]
mod emulator;
mod fleet;
mod gateway;
#[path = "../shared/measure.rs"]
mod measure;
mod peer;
#[path = "../shared/percentile.rs"]
mod percentile;
mod report;
#[path = "../shared/server.rs"]
mod server;
#[path = "../../tests/product/ipmi/simulator.rs"]
mod simulator;

use std::io;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some(client::WORD) => client::run(),
        _ => report::write(&mut io::stdout().lock()),
    }
}
