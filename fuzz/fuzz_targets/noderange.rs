//! See `tests/fuzz/src/noderange.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::noderange(data));
