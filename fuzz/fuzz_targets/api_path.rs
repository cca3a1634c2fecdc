//! See `tests/fuzz/src/api_path.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::api_path(data));
