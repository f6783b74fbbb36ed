//! libFuzzer's way into the target `sendmail`; what it checks stands in src/targets/people.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::people::sendmail(octets));
