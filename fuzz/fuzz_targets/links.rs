#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isis_fuzz::targets::links(data));
