//! The door, opened with drivers that do what a test says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod buses;
mod changes;
mod credential;
mod disk;
mod forget;
mod policy;
mod poll;
mod servers;
mod support;
mod telemetry;
