//! libFuzzer's way into the target `dns_record`; what it checks stands in src/targets/dns.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::dns::dns_record(octets));
