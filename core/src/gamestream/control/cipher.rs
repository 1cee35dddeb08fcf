//! Every control message is sealed with AES-128-GCM under a counter of its
//! direction, in one of two styles (sheet, section 14).

use crate::bytes::{Reader, Writer};
use crate::crypto::{AesGcm, AesGcmLongIv, CryptoError, TAG_LEN};
use crate::replay::ReplayWindow;

/// The type that says "what follows is sealed".
const SEALED: u16 = 0x0001;
/// Counter and tag, which the length field counts.
const HEAD_LEN: usize = 4 + TAG_LEN;

/// Who seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The host.
    Host,
}

impl Side {
    const fn letter(self) -> u8 {
        match self {
            Self::Client => b'C',
            Self::Host => b'H',
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Host,
            Self::Host => Self::Client,
        }
    }
}

/// How nonces are made from counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Counter, side and channel: no nonce occurs twice.
    V2,
    /// The lowest byte of the counter alone, for clients that know nothing else. By
    /// design nonces occur again after 256 messages and in the other direction, so
    /// that it keeps out damage and strangers, not somebody who listens for long.
    Old,
}

/// A packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is no sealed message.
    #[error("the packet is not a sealed control message")]
    NotSealed,
    /// Another key, or damaged.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// It was opened before, or is too old to tell.
    #[error("the message was heard before")]
    Replayed,
}

/// A message was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// All counters of this key are used up.
    #[error("this key has sealed all it may: end the session")]
    Exhausted,
    /// It is longer than the length field can say.
    #[error("the message is too long for a control packet")]
    TooLong,
    /// The cryptography failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A key, and what a counter means for it.
#[derive(Debug)]
enum Sealer {
    V2(AesGcm),
    Old(Box<AesGcmLongIv>),
}

impl Sealer {
    fn seal(&self, counter: u32, side: Side, data: &mut [u8]) -> Result<[u8; TAG_LEN], CryptoError> {
        match self {
            Self::V2(gcm) => gcm.seal(nonce(counter, side), data),
            Self::Old(gcm) => gcm.seal(&old_iv(counter), data),
        }
    }

    fn open(
        &self,
        counter: u32,
        side: Side,
        tag: &[u8; TAG_LEN],
        data: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::V2(gcm) => gcm.open(nonce(counter, side), tag, data),
            Self::Old(gcm) => gcm.open(&old_iv(counter), tag, data),
        }
    }
}

/// One end of a control stream. Messages may be opened in any order within 1024
/// of the newest: one counter spans all ENet channels.
#[derive(Debug)]
pub struct Cipher {
    sealer: Sealer,
    side: Side,
    next: u64,
    heard: ReplayWindow,
}

impl Cipher {
    /// The end of `side`, both counters at 0. A session key must not get a second
    /// one: the counters would repeat.
    pub fn new(key: &[u8; 16], side: Side, style: Style) -> Result<Self, CryptoError> {
        let sealer = match style {
            Style::V2 => Sealer::V2(AesGcm::new(key)?),
            Style::Old => Sealer::Old(Box::new(AesGcmLongIv::new(key)?)),
        };
        Ok(Self { sealer, side, next: 0, heard: ReplayWindow::new() })
    }

    /// Seals an encoded message.
    pub fn seal(&mut self, message: &[u8]) -> Result<Vec<u8>, SealError> {
        let counter = u32::try_from(self.next).map_err(|_| SealError::Exhausted)?;
        let len = u16::try_from(HEAD_LEN + message.len()).map_err(|_| SealError::TooLong)?;
        let mut data = message.to_vec();
        self.next += 1;
        let tag = self.sealer.seal(counter, self.side, &mut data)?;
        let mut out = Vec::with_capacity(4 + usize::from(len));
        Writer::new(&mut out).u16_le(SEALED).u16_le(len).u32_le(counter).bytes(&tag).bytes(&data);
        Ok(out)
    }

    /// Opens what the other end sealed, once.
    pub fn open(&mut self, packet: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (counter, message) = self.peek(packet)?;
        if self.heard.accept(u64::from(counter)) { Ok(message) } else { Err(OpenError::Replayed) }
    }

    /// True when `packet` is genuine and was not opened yet; it still can be.
    pub fn is_genuine(&self, packet: &[u8]) -> bool {
        self.peek(packet).is_ok_and(|(counter, _)| self.heard.is_new(u64::from(counter)))
    }

    fn peek(&self, packet: &[u8]) -> Result<(u32, Vec<u8>), OpenError> {
        let (counter, tag, data) = split(packet).ok_or(OpenError::NotSealed)?;
        let message = self.sealer.open(counter, self.side.other(), &tag, data)?;
        Ok((counter, message))
    }
}

/// Gives `bytes` to both ends as a packet, and takes them from one to the other as a
/// message, in each style: what the fuzzer and the corpus tests drive.
///
/// # Panics
///
/// When a stranger's packet or one heard before is opened, or a message does not come
/// back: all are defects.
pub fn exercise(bytes: &[u8]) {
    const KEY: [u8; 16] = [7; 16];
    for style in [Style::V2, Style::Old] {
        let ends = (Cipher::new(&KEY, Side::Client, style), Cipher::new(&KEY, Side::Host, style));
        let (Ok(mut client), Ok(mut host)) = ends else { return };
        assert!(host.open(bytes).is_err() && !client.is_genuine(bytes), "nobody knows this key");
        let Ok(mut sealed) = client.seal(bytes) else { return };
        assert!(host.is_genuine(&sealed));
        assert_eq!(host.open(&sealed).as_deref(), Ok(bytes));
        assert_eq!(host.open(&sealed), Err(OpenError::Replayed));
        // The byte that the message itself picks is damaged on the way.
        let at = bytes.iter().fold(0, |sum, byte| sum * 31 % 65_521 + usize::from(*byte)) % sealed.len();
        if let Some(byte) = sealed.get_mut(at) {
            *byte ^= 0x10;
        }
        let opened = host.open(&sealed);
        // Of the counter, the old style protects the lowest byte alone.
        assert!(opened.is_err() || (style == Style::Old && (5..8).contains(&at)), "damage at {at}");
    }
}

/// Counter, tag and ciphertext of a packet.
fn split(packet: &[u8]) -> Option<(u32, [u8; TAG_LEN], &[u8])> {
    let mut reader = Reader::new(packet);
    let sealed = reader.u16_le().ok()? == SEALED;
    let len = usize::from(reader.u16_le().ok()?);
    if !sealed || len != reader.remaining() {
        return None;
    }
    Some((reader.u32_le().ok()?, reader.array().ok()?, reader.rest()))
}

fn nonce(counter: u32, side: Side) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&counter.to_le_bytes());
    nonce[10] = side.letter();
    nonce[11] = b'C';
    nonce
}

fn old_iv(counter: u32) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[0] = counter.to_le_bytes()[0];
    iv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_key_seals_nothing_more() {
        for style in [Style::V2, Style::Old] {
            let mut cipher = Cipher::new(&[1; 16], Side::Host, style).unwrap();
            assert_eq!(cipher.seal(&[0; 65516]), Err(SealError::TooLong));
            cipher.next = u64::from(u32::MAX);
            assert!(cipher.seal(b"last").is_ok());
            assert_eq!(cipher.seal(b"one more"), Err(SealError::Exhausted));
        }
    }
}
