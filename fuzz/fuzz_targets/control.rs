//! libFuzzer's way into the target `control`; what it checks stands in src/targets/inside.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::inside::control(octets));
