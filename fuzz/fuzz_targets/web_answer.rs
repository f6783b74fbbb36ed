//! libFuzzer's way into the target `web_answer`; what it checks stands in src/targets/outside.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::outside::web_answer(octets));
