//! See `tests/fuzz/src/ipmi_client.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::ipmi_client(data));
