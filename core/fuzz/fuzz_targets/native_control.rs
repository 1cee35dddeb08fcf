//! A control stream of punktfunk/1 from either side: the first byte is the length of its pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    punktfunk_core::native::wire::exercise_control(data);
});
