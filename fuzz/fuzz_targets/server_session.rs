//! libFuzzer's way into the target `server_session`; what it checks stands in src/targets/smtp.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::smtp::server_session(octets));
