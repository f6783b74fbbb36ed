//! libFuzzer's way into the target `event`; what it checks stands in src/targets/inside.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::inside::event(octets));
