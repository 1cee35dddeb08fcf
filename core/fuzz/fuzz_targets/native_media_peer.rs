//! Whatever a peer of the media plane says who has the keys: both ends stay within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = punktfunk_core::native::flow::exercise_peer(data);
});
