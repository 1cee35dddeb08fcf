//! Input messages and their translation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_core::gamestream::input::exercise(data));
