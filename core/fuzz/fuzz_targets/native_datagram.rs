//! A QUIC datagram of punktfunk/1 from either side.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    punktfunk_core::native::wire::exercise_datagram(data);
});
