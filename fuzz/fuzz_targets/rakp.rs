//! See `tests/fuzz/src/rakp.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::rakp(data));
