//! libFuzzer's way into the target `receiver_session`; what it checks stands in src/targets/people.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::people::receiver_session(octets));
