//! An encrypted RTSP frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = punktfunk_core::gamestream::rtsp::exercise_cipher(data);
});
