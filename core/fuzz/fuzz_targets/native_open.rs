//! Sealed, damaged, repeated and made-up media datagrams of punktfunk/1: what does not open
//! changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = punktfunk_core::native::media::exercise_open(data);
});
