//! What it costs to keep a history: bytes for each sample on the disk and in memory, bytes that a memory card has to
//! bear, samples in a second, and how soon questions are answered.
//!
//! Hours pass as fast as they can be written; nothing is asked of any equipment. Run by `cargo xtask bench history`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and reads the clock"
)]

mod fleet;
#[path = "../shared/measure.rs"]
mod measure;
mod question;
mod write;

use std::io;

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut out = io::stdout().lock();
    runtime.block_on(async {
        write::report(&mut out).await?;
        question::report(&mut out).await
    })
}
