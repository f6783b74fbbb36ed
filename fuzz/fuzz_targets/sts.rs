//! libFuzzer's way into the target `sts`; what it checks stands in src/targets/outside.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::outside::sts(octets));
