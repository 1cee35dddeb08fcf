//! Replays the fuzzer's force feedback, so that what was found once stays found.

use std::path::Path;

use proptest::prelude::*;
use punktfunk_inputd::ff::exercise;

#[test]
fn force_feedback() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/fuzz/corpus/force_feedback");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        (0..=bytes.len()).for_each(|len| exercise(&bytes[..len]));
        count += 1;
    }
    assert!(count > 2, "no input in {}", folder.display());
}

proptest! {
    #[test]
    fn no_game_makes_it_panic(script in proptest::collection::vec(any::<[u8; 8]>(), 0..60)) {
        exercise(&script.concat());
    }
}
