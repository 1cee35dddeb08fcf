//! Replays the fuzzers' inputs for the control stream and for bitstreams, so that what
//! was found once stays found.

use std::path::Path;

/// Calls `target` with every file of a corpus and with every beginning of it.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for len in 0..=bytes.len() {
            target(&bytes[..len]);
        }
        count += 1;
    }
    assert!(count > 0, "no input in {}", folder.display());
}

#[test]
fn enet_datagram() {
    replay("enet_datagram", punktfunk_core::enet::exercise);
}

#[test]
fn control_message() {
    replay("control_message", punktfunk_core::gamestream::control::exercise);
}

#[test]
fn input_message() {
    replay("input_message", punktfunk_core::gamestream::input::exercise);
}

#[test]
fn control_packet() {
    replay("control_packet", punktfunk_core::gamestream::control::exercise_cipher);
}

#[test]
fn bitstream() {
    replay("bitstream", punktfunk_core::gamestream::video::exercise_bitstream);
}
