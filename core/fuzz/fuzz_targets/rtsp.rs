//! The bytes a host receives on an RTSP connection, and a client as the answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = punktfunk_core::gamestream::rtsp::exercise(data);
});
