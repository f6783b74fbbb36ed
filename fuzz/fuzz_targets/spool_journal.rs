//! libFuzzer's way into the target `spool_journal`; what it checks stands in src/targets/inside.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::inside::spool_journal(octets));
