//! Decrypted control messages of either side.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_core::gamestream::control::exercise(data));
