//! The DESCRIBE payload of a host, and a layout of Opus channels.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    punktfunk_core::gamestream::sdp::exercise(&String::from_utf8_lossy(data));
});
