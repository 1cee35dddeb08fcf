//! Replays the fuzz corpora of punktfunk/1's messages and pairing, so that what a fuzzer
//! once found stays found without one.

use std::path::Path;

use punktfunk_core::native::{pairing, wire};

/// Gives every input, and every beginning of it, to `read`, which says whether it was
/// accepted; both must occur.
fn replay(name: &str, read: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut accepted = [0, 0];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        accepted[usize::from(read(&data))] += 1;
        for end in 0..data.len() {
            read(&data[..end]);
        }
    }
    assert!(accepted[1] > 0, "{name}: no input is accepted");
    assert!(accepted[0] > 0, "{name}: no input is refused");
}

#[test]
fn native_control() {
    replay("native_control", wire::exercise_control);
}

#[test]
fn native_datagram() {
    replay("native_datagram", wire::exercise_datagram);
}

#[test]
fn native_report() {
    replay("native_report", wire::exercise_report);
}

#[test]
fn native_pairing() {
    replay("native_pairing", pairing::exercise);
}

#[test]
fn native_qr() {
    replay("native_qr", pairing::exercise_qr);
}
