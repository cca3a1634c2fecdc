//! See `tests/fuzz/src/certificate.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::certificate(data));
