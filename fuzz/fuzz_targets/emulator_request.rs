//! See `tests/fuzz/src/emulator_request.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::emulator_request(data));
