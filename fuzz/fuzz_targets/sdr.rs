//! See `tests/fuzz/src/sdr.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::sdr(data));
