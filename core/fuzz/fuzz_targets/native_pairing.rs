//! The steps of a pairing of punktfunk/1, to a host and to a client with known draws.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    punktfunk_core::native::pairing::exercise(data);
});
