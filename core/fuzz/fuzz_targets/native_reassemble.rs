//! Any shards of punktfunk/1 in any order: no panic, bounded memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    punktfunk_core::native::media::exercise_reassemble(data);
});
