//! See `tests/fuzz/src/oidc.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::oidc(data));
