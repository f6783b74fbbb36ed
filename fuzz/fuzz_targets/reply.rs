//! libFuzzer's way into the target `reply`; what it checks stands in src/targets/smtp.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::smtp::replies(octets));
