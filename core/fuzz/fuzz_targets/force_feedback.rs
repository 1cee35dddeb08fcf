//! What games store and play on a pad.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_inputd::ff::exercise(data));
