//! See `tests/fuzz/src/credentials.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::credentials(data));
