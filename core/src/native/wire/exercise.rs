//! What fuzzers and corpus tests do with foreign bytes: read them, write them again, and
//! insist that the second reading gives the same.

use super::control::{Control, Reader};
use super::report::{Report, Reports};
use super::{Datagram, input};
use crate::native::keys::Direction;

const WAYS: [Direction; 2] = [Direction::ToHost, Direction::ToClient];

/// Reads a control stream from either side, in one piece and in pieces whose lengths the
/// first byte gives. True when it had a message.
///
/// # Panics
///
/// When a reading depends on the pieces, a message is not what it was after it was
/// written, or more is held than one message: each a defect.
pub fn exercise_control(data: &[u8]) -> bool {
    let Some((&step, stream)) = data.split_first() else { return false };
    let step = usize::from(step).max(1);
    let mut any = false;
    for way in WAYS {
        let whole = read_all(way, [stream].into_iter());
        assert_eq!(whole, read_all(way, stream.chunks(step)), "the pieces matter");
        let mut inbound = input::Inbound::new();
        let mut events = Vec::new();
        for message in &whole.0 {
            let mut out = Vec::new();
            assert_eq!(message.encode(&mut out), Ok(()), "read but not writable");
            let again = Control::decode(way, &out);
            assert_eq!(again, Ok((Some(message.clone()), out.len())), "not what it was");
            inbound.control(message, &mut events);
        }
        any |= !whole.0.is_empty();
    }
    any
}

fn read_all<'a>(way: Direction, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Control>, bool) {
    let mut reader = Reader::new(way);
    let mut messages = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, false),
            }
            assert!(reader.held() <= 1 << 17, "more than one message is held");
        }
        assert!(piece.is_empty(), "bytes were left");
    }
    (messages, true)
}

/// Reads a QUIC datagram from either side. True when it was one.
///
/// # Panics
///
/// When it is not what it was after it was written: a defect.
pub fn exercise_datagram(data: &[u8]) -> bool {
    let mut any = false;
    let mut events = Vec::new();
    for way in WAYS {
        let Ok(datagram) = Datagram::parse(way, data) else { continue };
        any = true;
        assert_eq!(datagram.way(), way);
        let mut out = Vec::new();
        datagram.encode(&mut out);
        assert!(out.len() <= data.len(), "it grew");
        assert_eq!(Datagram::parse(way, &out), Ok(datagram), "not what it was");
        input::Inbound::new().datagram(&datagram, &mut events);
    }
    any
}

/// Reads the reports of a sealed part from either side. True when it had one.
///
/// # Panics
///
/// When one is not what it was after it was written: a defect.
pub fn exercise_report(data: &[u8]) -> bool {
    let mut any = false;
    for way in WAYS {
        for report in Reports::new(way, data) {
            let Ok(report) = report else { continue };
            any = true;
            let mut out = Vec::new();
            Report::encode(&report, &mut out);
            let again: Vec<_> = Reports::new(way, &out).collect();
            assert_eq!(again, [Ok(report)], "not what it was");
        }
    }
    any
}
