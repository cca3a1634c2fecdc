//! See `tests/fuzz/src/ldap.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opendcre_fuzz_targets::ldap(data));
