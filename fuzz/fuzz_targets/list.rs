//! libFuzzer's way into the target `list`; what it checks stands in src/targets/http.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::http::list(octets));
