//! Replays the fuzzer's inputs for the messages of the broker, so that what was found
//! once stays found.

use std::path::Path;

use punktfunk_inputd_ipc::{decode_to_broker, decode_to_host, exercise};

#[test]
fn inputd_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../core/fuzz/corpus/inputd_message");
    let mut read = [0; 3];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for len in 0..=bytes.len() {
            exercise(&bytes[..len]);
        }
        let sides = [decode_to_broker(&bytes).is_ok(), decode_to_host(&bytes).is_ok()];
        read[0] += usize::from(sides[0]);
        read[1] += usize::from(sides[1]);
        read[2] += usize::from(sides == [false; 2]);
    }
    assert!(read.iter().all(|&count| count > 0), "to brokers, to hosts, refused: {read:?}");
}
