//! libFuzzer's way into the target `comeback`; what it checks stands in src/targets/back.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::back::comeback(octets));
