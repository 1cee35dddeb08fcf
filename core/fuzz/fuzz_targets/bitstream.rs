//! An access unit of an encoder, searched for what clients need in its first datagram.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_core::gamestream::video::exercise_bitstream(data));
