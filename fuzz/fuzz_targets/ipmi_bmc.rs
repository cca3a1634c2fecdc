//! See `tests/fuzz/src/ipmi_bmc.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::ipmi_bmc(data));
