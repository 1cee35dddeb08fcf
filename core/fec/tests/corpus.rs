//! Replays the fuzzer's blocks, so that what was found once stays found.

use std::path::Path;

use proptest::prelude::*;
use punktfunk_fec::{gf8, gf16};

/// Every input of a corpus, whole and cut short at `step`s.
fn replay(corpus: &str, step: impl Fn(usize) -> usize, exercise: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(corpus);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        (0..bytes.len()).step_by(step(bytes.len())).for_each(|len| exercise(&bytes[..len]));
        exercise(&bytes);
        count += 1;
    }
    assert!(count > 4, "no input in {}", folder.display());
}

#[test]
fn parity() {
    replay("parity", |_| 1, gf8::exercise);
}

#[test]
fn gf16_decode() {
    replay("gf16_decode", |len| 1 + len / 64, gf16::exercise);
}

proptest! {
    #[test]
    fn no_shape_makes_it_panic(
        data in 0u8..40, parity in 0u8..20, len: u8, gap in -3i8..9, cut in 0u8..3, rest: Vec<u8>,
    ) {
        let mut script = vec![data, data + parity, len, gap.cast_unsigned(), cut];
        script.extend(rest);
        gf8::exercise(&script);
    }

    #[test]
    fn no_shape_makes_the_large_field_panic(
        k in 0u8..90, m in 0u8..70, half in 0u8..60, odd in 0u8..20, gap in -3i8..9, cut in 0u8..3,
        lost in proptest::collection::vec(any::<bool>(), 90),
        indices in proptest::collection::vec(0u16..40, 0..30),
        rest: Vec<u8>,
    ) {
        let len = half * 2 + u8::from(odd == 0);
        let mut script = vec![k, 0, m, 0, len, gap.cast_unsigned(), cut, indices.len() as u8];
        script.extend(indices.into_iter().flat_map(u16::to_le_bytes));
        script.extend(lost.into_iter().take(k.into()).map(u8::from));
        script.extend(rest);
        gf16::exercise(&script);
    }
}
