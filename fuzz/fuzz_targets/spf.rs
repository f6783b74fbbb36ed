//! libFuzzer's way into the target `spf`; what it checks stands in src/targets/dns.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::dns::spf_record(octets));
