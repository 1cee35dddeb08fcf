//! The ANNOUNCE payload of a client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = punktfunk_core::gamestream::sdp::StreamConfig::from_announce(data);
});
