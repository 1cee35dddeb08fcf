//! Blocks of punktfunk/1 in any shape, with any losses and any parity.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_fec::gf16::exercise(data));
