//! Blocks of shards in any shape and with any losses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_fec::gf8::exercise(data));
