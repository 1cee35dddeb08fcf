//! Replays the fuzzers' inputs for the control stream, for bitstreams and for the media of
//! punktfunk/1, so that what was found once stays found.

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

#[test]
fn native_open() {
    replay("native_open", |bytes| {
        punktfunk_core::native::media::exercise_open(bytes).unwrap();
    });
}

#[test]
fn native_reassemble() {
    replay("native_reassemble", |bytes| {
        punktfunk_core::native::media::exercise_reassemble(bytes);
    });
    let whole = |name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/native_reassemble").join(name);
        punktfunk_core::native::media::exercise_reassemble(&std::fs::read(path).unwrap())
    };
    assert_eq!(["lossless", "loss"].map(whole), [8, 8], "the corpus reaches whole frames");
}
