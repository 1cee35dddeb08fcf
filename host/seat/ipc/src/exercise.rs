//! What a hostile end of the connection can reach without a socket: what the fuzzer
//! and the corpus test drive.

use crate::message::{ToHost, ToSeat, bounding_box, merge_damage};
use crate::{MAX_DAMAGE, MAX_MESSAGE};

/// Reads a packet as either side would, and writes again what was understood.
///
/// # Panics
///
/// When a message does not become the bytes it was read from, or damage grows over
/// its limit: both are defects.
pub fn exercise(packet: &[u8]) {
    if packet.len() > MAX_MESSAGE {
        // Refused as it is received.
        return;
    }
    if let Ok(message) = ToSeat::decode(packet) {
        assert_eq!(message.encode().as_deref(), Ok(packet), "another {message:?}");
    }
    match ToHost::decode(packet) {
        Ok(ToHost::Frame(frame)) => {
            let again = ToHost::Frame(frame.clone()).encode();
            assert_eq!(again.as_deref(), Ok(packet), "another {frame:?}");
            // An unread frame hands its damage to the next one.
            let (first, second) = frame.damage.split_at(frame.damage.len() / 2);
            let mut merged = second.to_vec();
            merge_damage(&mut merged, first);
            merge_damage(&mut merged, &frame.damage);
            assert!(merged.len() <= MAX_DAMAGE, "{} rectangles", merged.len());
            assert_eq!(bounding_box(&merged), bounding_box(&frame.damage));
        }
        Ok(message) => {
            assert_eq!(message.encode().as_deref(), Ok(packet), "another {message:?}");
            if let ToHost::Pool(pool) = message {
                assert!(pool.buffer_len().is_some_and(|len| len > 0), "an empty buffer");
            }
        }
        Err(_) => {}
    }
}
