//! What the server costs: requests per second beside a bare hyper server, time to the first answer, memory, size.
//!
//! Both servers are processes of their own and take turns under the same load (`wrk`, 16 connections), so the ratio
//! holds on a noisy machine. Run by `cargo xtask bench`, which installs `wrk`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and reads the clock"
)]

#[path = "shared/load.rs"]
mod load;
#[path = "shared/measure.rs"]
mod measure;
#[path = "shared/server.rs"]
mod server;

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use measure::{median, megabytes};
use server::Server;

const STARTS: usize = 21;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((word, rest)) = arguments.split_first()
        && word == load::BARE
    {
        return load::run_bare(rest);
    }
    let directory = tempfile::tempdir()?;
    let mut out = io::stdout().lock();
    throughput(directory.path(), &mut out)?;
    start(directory.path(), &mut out)?;
    let size = std::fs::metadata(server::product())?.len();
    writeln!(out, "| stripped release binary | {:.2} MB |", size as f64 / 1e6)
}

fn throughput(directory: &Path, out: &mut impl Write) -> io::Result<()> {
    let server = Server::product(directory, "");
    let idle = megabytes(server.process(), "VmRSS");
    load::compare(&server, "/opendcre/1.1/test", out)?;
    let after = megabytes(server.process(), "VmRSS");
    writeln!(out, "| resident memory, idle | {idle:.1} MB |")?;
    writeln!(out, "| resident memory after that load | {after:.1} MB |")
}

fn start(directory: &Path, out: &mut impl Write) -> io::Result<()> {
    let times = (0..STARTS).map(|_| {
        let begun = Instant::now();
        let server = Server::product(directory, "");
        let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        drop(server);
        milliseconds
    });
    writeln!(out, "| first answer after exec, median of {STARTS} | {:.1} ms |", median(times))
}
