//! A message of a host to the broker of input devices, and one of the broker to a host.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_inputd_ipc::exercise(data));
