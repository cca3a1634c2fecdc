//! See `tests/fuzz/src/emulator_config.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::emulator_config(data));
