//! Datagrams of a connected ENet peer, and one of a stranger.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_core::enet::exercise(data));
