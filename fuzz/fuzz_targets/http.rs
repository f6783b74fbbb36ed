//! libFuzzer's way into the target `http`; what it checks stands in src/targets/http.rs.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| repute_fuzz::targets::http::http(octets));
