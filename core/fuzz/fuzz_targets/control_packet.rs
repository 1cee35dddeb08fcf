//! A sealed control message, in the current style and the old one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_core::gamestream::control::exercise_cipher(data));
