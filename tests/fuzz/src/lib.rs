//! What the fuzzers do with the bytes they are given.
//!
//! Every target is a function that takes any bytes at all and panics if a promise of the product is broken. The fuzzers
//! under `fuzz/` only call these functions; ordinary tests replay the committed corpus through the same functions, so a
//! finding stays found without a nightly compiler. Nothing here knows about libFuzzer.

mod packet;

pub use packet::packet;

/// A fuzz target: takes any bytes, panics if a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its fuzzer and its corpus.
pub const TARGETS: &[(&str, Target)] = &[("packet", packet)];
