//! libFuzzer's way into the target `list_answer`; what it checks stands in src/targets/outside.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::outside::list_answer(octets));
