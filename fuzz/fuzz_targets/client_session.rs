//! libFuzzer's way into the target `client_session`; what it checks stands in src/targets/smtp.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::smtp::client_session(octets));
