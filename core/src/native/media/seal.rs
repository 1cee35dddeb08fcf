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

    /// The same as if `sequence` datagrams had been sent before, to see counters wrap.
    #[must_use]
    pub fn starting_at(mut self, sequence: u64) -> Self {
        self.counter = Counter(sequence);
        self
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

#[cfg(test)]
impl Sealer {
    /// As if `sequence` datagrams had been sent before.
    pub(super) const fn at_sequence(&mut self, sequence: u64) {
        self.counter = Counter(sequence);
    }

    /// As if only `left` more packets were allowed under the present key.
    pub(super) const fn with_left(&mut self, left: u32) {
        self.sealed = PACKETS_PER_KEY - left;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::super::{Flags, History, Packetizer, Piece, Wish};
    use super::*;
    use crate::native::keys::{Direction, Exported};

    fn sealer(secret: u8, side: Side) -> Sealer {
        let schedule = Exported::new([secret; 32]).schedule(Direction::ToClient, Aead::Aes128Gcm);
        Sealer::new(side, [0xa5; 8], schedule, Time(0)).unwrap()
    }

    #[test]
    fn a_datagram_is_prefix_sealed_part_and_tag() {
        for (side, prefix) in [(Side::Host, 5), (Side::Client, 13)] {
            let mut sealer = sealer(1, side);
            sealer.at_sequence(0x1_0203_0405);
            let mut out = Vec::new();
            assert_eq!(sealer.append(Kind::Report, Time(0), b"hello", &mut out), Ok(0x1_0203_0405));
            assert_eq!((out.len(), out[0]), (prefix + 5 + TAG_LEN, 0x82));
            assert_eq!(out[prefix - 4..prefix], [2, 3, 4, 5]);
            assert!(side == Side::Host || out[1..9] == [0xa5; 8]);
            // The vector of the page: AES-128-GCM with the prefix as associated data.
            let key = UnboundKey::new(&AES_128_GCM, sealer.schedule.current().key()).unwrap();
            let nonce = Nonce::assume_unique_for_key(sealer.schedule.current().nonce(0x1_0203_0405));
            let (head, sealed) = out.split_at_mut(prefix);
            let plain = LessSafeKey::new(key).open_in_place(nonce, Aad::from(&*head), sealed).unwrap();
            assert_eq!(plain, b"hello");
        }
    }

    #[test]
    fn a_key_is_left_before_its_last_packet_and_after_ten_minutes() {
        let mut sealer = sealer(1, Side::Host);
        let tags = |sealer: &mut Sealer, now| {
            let mut out = Vec::new();
            sealer.append(Kind::Padding, now, &[], &mut out).unwrap();
            out[0]
        };
        assert_eq!(tags(&mut sealer, Time(0)), 0x81);
        sealer.with_left(1);
        assert_eq!(tags(&mut sealer, Time(0)), 0x81);
        assert_eq!(sealer.sealed, (1 << 23) - 1, "the 2^23rd packet is not under this key");
        assert_eq!(tags(&mut sealer, Time(0)), 0xa1);
        assert_eq!(tags(&mut sealer, Time::from_millis(599_999)), 0xa1);
        assert_eq!(tags(&mut sealer, Time::from_millis(600_000)), 0x81);
        // Hours of silence are one step, as the receiver expects.
        assert_eq!(tags(&mut sealer, Time::from_millis(9_999_999)), 0xa1);
    }

    #[test]
    fn what_cannot_be_sealed_uses_no_sequence() {
        let mut sealer = sealer(1, Side::Host);
        assert_eq!(sealer.seal(Kind::Shard, Time(0), &mut [0; 20]), Err(Error::Malformed));
        assert_eq!(sealer.next_sequence(), 0);
        sealer.at_sequence(u64::MAX);
        let mut out = vec![1];
        assert_eq!(sealer.append(Kind::Shard, Time(0), &[], &mut out), Err(Error::Exhausted));
        assert_eq!(out, [1]);
    }

    proptest! {
        // Frames, reports, repairs, changes of keys by number and by time, and resumed
        // sessions: no key ever sees a nonce twice, and no sequence skips.
        #[test]
        fn no_nonce_is_used_twice(script in proptest::collection::vec((0u8..6, 1usize..4000), 1..60)) {
            let mut seen = HashSet::new();
            let (mut secret, mut now) = (0, Time(0));
            let mut sealer = sealer(secret, Side::Host);
            let mut packetizer = Packetizer::new(0, 1200).unwrap();
            let mut history = History::new(Duration::from_secs(1), 1 << 20);
            let mut expected = 0;
            for (op, size) in script {
                let mut out = Vec::new();
                let (before, generation) =
                    (sealer.schedule.current().clone(), sealer.schedule.generation());
                match op {
                    0 => {
                        let piece = Piece {
                            data: &vec![7; size], taken: now, epoch: 0, flags: Flags::default(), last: true,
                        };
                        let layout = packetizer.packetize(now, piece, |k| k, &mut sealer, &mut out).unwrap();
                        prop_assert_eq!(sealer.next_sequence() - expected, layout.datagrams() as u64);
                        history.keep(now, layout, vec![7; size]);
                    }
                    1 => {
                        let target = (packetizer.frame().wrapping_sub(1), 0);
                        let wish = Wish { least: size % 11, most: size % 5, ..Wish::default() };
                        history.repair(now, target, [(0, u16::MAX)], wish, &mut sealer, &mut out).unwrap();
                    }
                    2 => { sealer.append(Kind::Report, now, &[1, 2, 3], &mut out).unwrap(); }
                    3 => sealer.with_left((size % 3) as u32),
                    4 => now = Time(now.0 + 1_000_000 * size as u64),
                    _ => {
                        secret += 1;
                        sealer = self::sealer(secret, Side::Host);
                        expected = 0;
                    }
                }
                // Of what was sealed just now, the last `sealed` are under the present key,
                // and what a change of keys left before them under the one before.
                let present = sealer.schedule.current();
                let changed = sealer.schedule.generation() != generation;
                for sequence in expected..sealer.next_sequence() {
                    let old = changed && sealer.next_sequence() - sequence > u64::from(sealer.sealed);
                    let key = if old { &before } else { present };
                    prop_assert!(seen.insert((key.key().to_vec(), key.nonce(sequence))));
                }
                expected = sealer.next_sequence();
            }
        }
    }
}
