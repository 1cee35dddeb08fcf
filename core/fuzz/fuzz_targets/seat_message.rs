//! A message of a seat, and one of the host to a seat.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| punktfunk_seat_ipc::exercise(data));
