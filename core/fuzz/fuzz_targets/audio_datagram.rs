//! Any run of audio datagrams, in the clear and encrypted: no panic, no unbounded memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = punktfunk_core::gamestream::audio::exercise(data);
});
