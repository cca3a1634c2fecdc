//! See `tests/fuzz/src/policy.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::policy(data));
