//! Replays the fuzzer's blocks, so that what was found once stays found.

use std::path::Path;

use proptest::prelude::*;
use punktfunk_fec::gf8::exercise;

#[test]
fn parity() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/parity");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        (0..=bytes.len()).for_each(|len| exercise(&bytes[..len]));
        count += 1;
    }
    assert!(count > 4, "no input in {}", folder.display());
}

proptest! {
    #[test]
    fn no_shape_makes_it_panic(
        data in 0u8..40, parity in 0u8..20, len: u8, gap in -3i8..9, cut in 0u8..3, rest: Vec<u8>,
    ) {
        let mut script = vec![data, data + parity, len, gap.cast_unsigned(), cut];
        script.extend(rest);
        exercise(&script);
    }
}
