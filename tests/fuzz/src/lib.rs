//! What the fuzzers do with the bytes they are given.
//!
//! Every target is a function that takes any bytes at all and panics if a promise of the product is broken. The fuzzers
//! under `fuzz/` only call these functions; ordinary tests replay the committed corpus through the same functions, so a
//! finding stays found without a nightly compiler. Nothing here knows about libFuzzer.

#![expect(clippy::panic, reason = "a fuzz target reports by panicking")]

mod api_path;
mod emulator_config;
mod emulator_request;
mod master;
mod packet;

pub use api_path::api_path;
pub use emulator_config::emulator_config;
pub use emulator_request::emulator_request;
pub use master::master;
pub use packet::packet;

/// A fuzz target: takes any bytes, panics if a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its fuzzer and its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("api_path", api_path),
    ("emulator_config", emulator_config),
    ("emulator_request", emulator_request),
    ("master", master),
    ("packet", packet),
];
