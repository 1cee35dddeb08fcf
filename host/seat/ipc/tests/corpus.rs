//! Replays the fuzzer's inputs for the messages of a seat, so that what was found
//! once stays found.

use std::path::Path;

use punktfunk_seat_ipc::{ToHost, ToSeat, exercise};

#[test]
fn seat_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../core/fuzz/corpus/seat_message");
    let mut read = [0; 3];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for len in 0..=bytes.len() {
            exercise(&bytes[..len]);
        }
        let sides = [ToSeat::decode(&bytes).is_ok(), ToHost::decode(&bytes).is_ok()];
        read[0] += usize::from(sides[0]);
        read[1] += usize::from(sides[1]);
        read[2] += usize::from(sides == [false; 2]);
    }
    assert!(read.iter().all(|&count| count > 0), "to seats, to hosts, refused: {read:?}");
}

#[test]
fn fingers_and_pens_are_among_them() {
    use punktfunk_core::input::Event;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../core/fuzz/corpus/seat_message");
    let read = |name| ToSeat::decode(&std::fs::read(folder.join(name)).unwrap());
    for name in ["touch", "touch_cancel_all"] {
        assert!(matches!(read(name), Ok(ToSeat::Input(Event::Touch(_)))), "{name}");
    }
    for name in ["pen", "pen_hover"] {
        assert!(matches!(read(name), Ok(ToSeat::Input(Event::Pen(_)))), "{name}");
    }
    assert!(read("pen_tilt").is_err(), "a tilt that does not fit");
}
