//! What fuzzers and corpus tests do with foreign bytes: play them to both sides.

use super::qr::Invitation;
use super::{Channel, Password, Pin, client, host};
use crate::native::keys::Direction;
use crate::native::wire::control::Reader;

/// The connection, the PIN and the draws of [`exercise`]: known, so that a corpus can hold
/// a script that pairs.
const CHANNEL: Channel = Channel { client: [0xC1; 32], host: [0x40; 32], exporter: [0xE0; 32] };
const PIN: &str = "271828";

/// Plays the messages in `data` to a host and to a client that begin a pairing with known
/// draws. True when one of them came to trust the other.
///
/// # Panics
///
/// When a side goes on after an end: a defect.
pub fn exercise(data: &[u8]) -> bool {
    let Ok(pin) = Pin::parse(PIN) else { return false };
    let offer = host::Offer { pin: Some(pin), secret: None };
    let mut host = host::Pairing::new(&CHANNEL, &offer, &mut |out| out.fill(0x0B));
    let (mut client, _) =
        client::Pairing::new(&CHANNEL, &Password::Pin(pin), "fuzz", &mut |out| out.fill(0x0A));
    let mut trusted = false;
    let (mut reader, mut rest) = (Reader::new(Direction::ToHost), data);
    while let Ok(Some(message)) = reader.read(&mut rest) {
        let over = host.is_over();
        let next = host.take(&message);
        assert!(!over || next.is_err(), "the host went on after the end");
        trusted |= matches!(next, Ok(host::Next::Store(_)));
    }
    let (mut reader, mut rest) = (Reader::new(Direction::ToClient), data);
    while let Ok(Some(message)) = reader.read(&mut rest) {
        let over = client.is_over();
        let next = client.take(&message);
        assert!(!over || next.is_err(), "the client went on after the end");
        trusted |= matches!(next, Ok(client::Next::Paired(_)));
    }
    trusted
}

/// Reads the text of a QR code. True when it is an invitation.
///
/// # Panics
///
/// When it is not what it was after it was written: a defect.
pub fn exercise_qr(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(invitation) = Invitation::parse(text) else { return false };
    let again = invitation.to_string();
    // Escapes may make it longer than what was read: the limit is for what is scanned.
    if again.len() <= super::qr::MAX_LEN {
        assert_eq!(Invitation::parse(&again), Ok(invitation), "not what it was");
    }
    true
}
