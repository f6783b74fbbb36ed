//! libFuzzer's way into the target `judge`; what it checks stands in src/targets/mail.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::mail::judged(octets));
