//! The arguments of an HTTP request, and what a launch makes of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    punktfunk_core::gamestream::http::exercise(&String::from_utf8_lossy(data));
});
