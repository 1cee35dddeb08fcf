//! Sealing media datagrams where they lie (page, sections 4 and 4.1).

use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use super::Error;
use crate::native::keys::{Aead, KeyMaterial, Schedule};
use crate::time::Time;

/// Bytes of the tag at the end of every media datagram.
pub const TAG_LEN: usize = 16;

/// Packets under one key, and how long one key is used (section 4.1).
const PACKETS_PER_KEY: u32 = (1 << 23) - 1;
const KEY_TIME: Duration = Duration::from_secs(600);

/// Who seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The prefix is tag and sequence: 5 bytes.
    Host,
    /// The prefix is tag, media id and sequence: 13 bytes.
    Client,
}

impl Side {
    /// Bytes before the sealed part.
    pub const fn prefix_len(self) -> usize {
        match self {
            Self::Host => 5,
            Self::Client => 13,
        }
    }
}

/// What a media datagram holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A shard of a frame, host to client.
    Shard = 0,
    /// Zeros after report fields, host to client: how large a datagram may be.
    Padding = 1,
    /// Reports, both ways.
    Report = 2,
}

impl Kind {
    /// Reads the first byte of a datagram: kind and phase bit.
    pub(super) const fn of(tag: u8) -> Option<(Self, bool)> {
        let kind = match tag & 0b1101_1111 {
            0x80 => Self::Shard,
            0x81 => Self::Padding,
            0x82 => Self::Report,
            _ => return None,
        };
        Some((kind, tag & 0x20 != 0))
    }
}

/// One key with its IV, ready for use.
pub(super) struct Key {
    aead: LessSafeKey,
    iv: [u8; 12],
}

impl Key {
    pub(super) fn new(material: &KeyMaterial) -> Result<Self, Error> {
        let algorithm = match material.aead() {
            Aead::Aes128Gcm => &AES_128_GCM,
            Aead::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, material.key()).map_err(crate::crypto::CryptoError::from)?;
        Ok(Self { aead: LessSafeKey::new(key), iv: *material.iv() })
    }

    /// The IV XOR the sequence, right-aligned.
    #[inline]
    pub(super) fn nonce(&self, sequence: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, of) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= of;
        }
        nonce
    }

    #[inline]
    pub(super) fn open(
        &self,
        sequence: u64,
        prefix: &[u8],
        sealed: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        let nonce = Nonce::assume_unique_for_key(self.nonce(sequence));
        match self.aead.open_in_place_separate_tag(nonce, Aad::from(prefix), tag, sealed) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Sealed),
        }
    }
}

/// The sequence of one direction. Neither `Copy` nor `Clone`: who holds it is the only
/// one who can take a number from it, and takes each once.
#[derive(Debug, PartialEq, Eq)]
struct Counter(u64);

impl Counter {
    fn next(&mut self) -> Result<u64, Error> {
        let taken = self.0;
        self.0 = taken.checked_add(1).ok_or(Error::Exhausted)?;
        Ok(taken)
    }
}

/// Seals what one side sends. There is one for each session and direction: a second one
/// made of the same secret would repeat nonces, which is why it cannot be cloned.
pub struct Sealer {
    side: Side,
    /// The first bytes of every datagram, with the sequence left out.
    prefix: [u8; 13],
    counter: Counter,
    schedule: Schedule,
    key: Key,
    /// How many packets the present key sealed, and since when it is in use.
    sealed: u32,
    since: Time,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("side", &self.side)
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// A direction that has sent nothing. `schedule` is that of the direction; `media` is
    /// Welcome's media id.
    pub fn new(side: Side, media: [u8; 8], schedule: Schedule, now: Time) -> Result<Self, Error> {
        let mut prefix = [0; 13];
        if side == Side::Client {
            prefix[1..9].copy_from_slice(&media);
        }
        let key = Key::new(schedule.current())?;
        Ok(Self { side, prefix, counter: Counter(0), schedule, key, sealed: 0, since: now })
    }

    /// Bytes that a datagram has before what is to be sealed.
    pub const fn prefix_len(&self) -> usize {
        self.side.prefix_len()
    }

    /// The sequence the next datagram will have.
    pub const fn next_sequence(&self) -> u64 {
        self.counter.0
    }

    /// Seals `datagram` where it lies: room for the prefix, what is to be sealed, room for
    /// the tag. Returns its sequence. Nothing is used up when it is too short.
    #[inline]
    pub fn seal(&mut self, kind: Kind, now: Time, datagram: &mut [u8]) -> Result<u64, Error> {
        let prefix_len = self.prefix_len();
        let Some((prefix, rest)) = datagram.split_at_mut_checked(prefix_len) else {
            return Err(Error::Malformed);
        };
        let Some((plain, tag)) = rest.split_last_chunk_mut::<TAG_LEN>() else {
            return Err(Error::Malformed);
        };
        if self.sealed >= PACKETS_PER_KEY || now - self.since >= KEY_TIME {
            self.next_key(now)?;
        }
        let sequence = self.counter.next()?;
        self.sealed += 1;
        prefix.copy_from_slice(&self.prefix[..prefix_len]);
        prefix[0] = 0x80 | self.schedule.phase() << 5 | kind as u8;
        // The low 32 bits are what is meant.
        prefix[prefix_len - 4..].copy_from_slice(&(sequence as u32).to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(self.key.nonce(sequence));
        let made = self.key.aead.seal_in_place_separate_tag(nonce, Aad::from(&*prefix), plain);
        tag.copy_from_slice(made.map_err(crate::crypto::CryptoError::from)?.as_ref());
        Ok(sequence)
    }

    /// Appends `plain` as one sealed datagram to `out`. Returns its sequence.
    pub fn append(&mut self, kind: Kind, now: Time, plain: &[u8], out: &mut Vec<u8>) -> Result<u64, Error> {
        let begin = out.len();
        out.extend_from_slice(&self.prefix[..self.prefix_len()]);
        out.extend_from_slice(plain);
        out.extend_from_slice(&[0; TAG_LEN]);
        let sealed = self.seal(kind, now, out.get_mut(begin..).unwrap_or_default());
        if sealed.is_err() {
            out.truncate(begin);
        }
        sealed
    }

    /// Goes on to the next key (section 4.1), before the present one is worn out.
    fn next_key(&mut self, now: Time) -> Result<(), Error> {
        self.key = Key::new(self.schedule.next())?;
        self.schedule.advance();
        self.schedule.forget_previous();
        self.sealed = 0;
        self.since = now;
        Ok(())
    }
}
