//! Opening media datagrams where they lie (page, sections 4 and 4.1). Nothing changes
//! before the seal is right.

use std::time::Duration;

use super::seal::Key;
use super::{Error, Kind, Side, TAG_LEN};
use crate::native::keys::Schedule;
use crate::replay::ReplayWindow;
use crate::time::Time;

/// How long after a change of keys the one before still opens (section 4.1).
const PREVIOUS_TIME: Duration = Duration::from_secs(3);

/// Words of the replay window: 16,384 sequences, where section 4 asks for 4096. At 4 Gbit/s
/// it is 45 ms of packets.
const WINDOW_WORDS: usize = 256;

/// The media id of a datagram that a client sent, which tells its session. `None` when it is
/// no media datagram.
pub fn media_id(datagram: &[u8]) -> Option<[u8; 8]> {
    let (tag, rest) = datagram.split_first()?;
    Kind::of(*tag)?;
    rest.first_chunk().copied()
}

/// What was sealed in a datagram.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What it holds.
    pub kind: Kind,
    /// Its whole sequence.
    pub sequence: u64,
    /// True when no later sequence was opened before: the sender's present address.
    pub newest: bool,
    /// What was sealed, lying in the datagram.
    pub plain: &'a mut [u8],
}

/// Opens what the other side seals.
pub struct Opener {
    /// Who seals.
    side: Side,
    media: [u8; 8],
    schedule: Schedule,
    present: Key,
    next: Key,
    /// The lowest sequence that the present key opened, once it did.
    first: u64,
    /// The key before, and when it ceased to be the present one.
    previous: Option<(Key, Time)>,
    window: ReplayWindow<WINDOW_WORDS>,
    opened: u64,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener")
            .field("side", &self.side)
            .field("opened", &self.opened)
            .finish_non_exhaustive()
    }
}

impl Opener {
    /// Opens what `side` seals with the keys of `schedule`, that of its direction.
    pub fn new(side: Side, media: [u8; 8], schedule: Schedule) -> Result<Self, Error> {
        Ok(Self {
            side,
            media,
            present: Key::new(schedule.current())?,
            next: Key::new(schedule.next())?,
            schedule,
            first: u64::MAX,
            previous: None,
            window: ReplayWindow::new(),
            opened: 0,
        })
    }

    /// The same as if everything before `sequence` had been opened, to see counters wrap.
    #[must_use]
    pub fn starting_at(mut self, sequence: u64) -> Self {
        if let Some(before) = sequence.checked_sub(1) {
            self.window.accept(before);
        }
        self
    }

    /// The highest sequence that was opened.
    pub const fn highest(&self) -> Option<u64> {
        self.window.end().checked_sub(1)
    }

    /// How many datagrams were opened.
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Opens `datagram` where it lies. After an error nothing has changed but the bytes
    /// of the datagram.
    #[inline]
    pub fn open<'a>(&mut self, now: Time, datagram: &'a mut [u8]) -> Result<Opened<'a>, Error> {
        let (kind, phase) = datagram.first().and_then(|tag| Kind::of(*tag)).ok_or(Error::Malformed)?;
        if self.side == Side::Client && kind != Kind::Report {
            return Err(Error::Malformed);
        }
        let split = datagram.split_at_mut_checked(self.side.prefix_len()).ok_or(Error::Malformed)?;
        let (prefix, (sealed, tag)) = (split.0, split.1.split_last_chunk_mut().ok_or(Error::Malformed)?);
        let tag: &[u8; TAG_LEN] = tag;
        if self.side == Side::Client && prefix.get(1..9) != Some(self.media.as_slice()) {
            return Err(Error::Foreign);
        }
        let low = prefix.last_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(Error::Malformed)?;
        let sequence = self.extend(low).ok_or(Error::Replayed)?;
        if !self.window.is_new(sequence) {
            return Err(Error::Replayed);
        }
        if u8::from(phase) == self.schedule.phase() {
            self.present.open(sequence, prefix, sealed, tag)?;
            self.first = self.first.min(sequence);
        } else if let Some(previous) = self.previous(now, sequence) {
            previous.open(sequence, prefix, sealed, tag)?;
        } else {
            self.next.open(sequence, prefix, sealed, tag)?;
            self.change(now, sequence)?;
        }
        let newest = sequence >= self.window.end();
        self.window.accept(sequence);
        self.opened += 1;
        Ok(Opened { kind, sequence, newest, plain: sealed })
    }

    /// The sequence with the low bits `low` that is nearest to the highest opened one.
    fn extend(&self, low: u32) -> Option<u64> {
        let highest = self.window.end().saturating_sub(1);
        // The difference modulo 2^32, as the signed number that is nearest to zero.
        let distance = low.wrapping_sub(highest as u32) as i32;
        highest.checked_add_signed(i64::from(distance))
    }

    /// The key before, when `sequence` may still be one of its packets.
    fn previous(&self, now: Time, sequence: u64) -> Option<&Key> {
        let (key, changed) = self.previous.as_ref()?;
        (sequence < self.first && now - *changed <= PREVIOUS_TIME).then_some(key)
    }

    /// The next key opened `sequence`: it is the present one from now on.
    fn change(&mut self, now: Time, sequence: u64) -> Result<(), Error> {
        // The schedule goes on only with the key after the next at hand.
        let mut schedule = self.schedule.clone();
        schedule.advance();
        schedule.forget_previous();
        let after = Key::new(schedule.next())?;
        let opened_it = std::mem::replace(&mut self.next, after);
        self.previous = Some((std::mem::replace(&mut self.present, opened_it), now));
        self.schedule = schedule;
        self.first = sequence;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Sealer;
    use super::*;
    use crate::native::keys::{Aead, Direction, Exported};

    const MEDIA: [u8; 8] = *b"01234567";
    const NOW: Time = Time(5);

    fn pair(side: Side, aead: Aead) -> (Sealer, Opener) {
        let schedule = Exported::new([4; 32]).schedule(Direction::ToHost, aead);
        let sealer = Sealer::new(side, MEDIA, schedule.clone(), NOW).unwrap();
        (sealer, Opener::new(side, MEDIA, schedule).unwrap())
    }

    fn sealed(sealer: &mut Sealer, now: Time) -> Vec<u8> {
        let mut out = Vec::new();
        let text = sealer.next_sequence().to_be_bytes();
        sealer.append(Kind::Report, now, &text, &mut out).unwrap();
        out
    }

    /// Everything that a datagram could change.
    fn state(opener: &Opener) -> (u64, u64, u64, u64, bool, Option<u64>) {
        let schedule = opener.schedule.generation();
        (
            opener.window.end(),
            opener.opened,
            opener.first,
            schedule,
            opener.previous.is_some(),
            opener.highest(),
        )
    }

    fn open(opener: &mut Opener, now: Time, datagram: &[u8]) -> Result<(u64, bool), Error> {
        let mut copy = datagram.to_vec();
        let opened = opener.open(now, &mut copy)?;
        assert_eq!(opened.plain, opened.sequence.to_be_bytes());
        Ok((opened.sequence, opened.newest))
    }

    #[test]
    fn both_sides_and_both_ciphers_open() {
        for side in [Side::Host, Side::Client] {
            for aead in [Aead::Aes128Gcm, Aead::ChaCha20Poly1305] {
                let (mut sealer, mut opener) = pair(side, aead);
                let first = sealed(&mut sealer, NOW);
                let second = sealed(&mut sealer, NOW);
                assert_eq!(open(&mut opener, NOW, &second), Ok((1, true)));
                assert_eq!(open(&mut opener, NOW, &first), Ok((0, false)));
                assert_eq!(open(&mut opener, NOW, &first), Err(Error::Replayed));
                assert_eq!(media_id(&first).is_some_and(|id| id == MEDIA), side == Side::Client);
            }
        }
    }

    #[test]
    fn the_sequence_goes_on_beyond_32_bits() {
        let (mut sealer, mut opener) = pair(Side::Host, Aead::Aes128Gcm);
        // As far as a receiver may be behind: half of what the datagram numbers.
        for at in (0..=5u64).map(|step| step * 0x7fff_fff0) {
            sealer.at_sequence(at);
            let batch: Vec<_> = (0..40).map(|_| sealed(&mut sealer, NOW)).collect();
            for (n, datagram) in batch.iter().enumerate().rev() {
                assert_eq!(open(&mut opener, NOW, datagram), Ok((at + n as u64, n == 39)));
            }
        }
        for before in [u64::from(u32::MAX) - 20, (2 << 32) - 20] {
            let (mut sealer, mut opener) = pair(Side::Host, Aead::Aes128Gcm);
            let mut at = 0;
            while at < before {
                at = before.min(at + 0x7fff_0000);
                sealer.at_sequence(at);
                assert_eq!(open(&mut opener, NOW, &sealed(&mut sealer, NOW)), Ok((at, true)));
            }
            for expected in at + 1..at + 50 {
                assert_eq!(open(&mut opener, NOW, &sealed(&mut sealer, NOW)), Ok((expected, true)));
            }
        }
    }

    #[test]
    fn keys_change_while_datagrams_overtake_each_other() {
        let (mut sealer, mut opener) = pair(Side::Host, Aead::Aes128Gcm);
        let mut before: Vec<_> = (0..10).map(|_| sealed(&mut sealer, NOW)).collect();
        sealer.with_left(0);
        let after: Vec<_> = (0..10).map(|_| sealed(&mut sealer, NOW)).collect();
        assert_ne!(before[9][0], after[0][0], "the phase tells");
        let late = before.split_off(8);
        for datagram in &before {
            open(&mut opener, NOW, datagram).unwrap();
        }
        for at in [4, 2, 7] {
            assert_eq!(open(&mut opener, NOW, &after[at]), Ok((10 + at as u64, at != 2)));
        }
        let [in_time, too_late] = late.as_slice() else { panic!() };
        assert_eq!(open(&mut opener, NOW + PREVIOUS_TIME, in_time), Ok((8, false)));
        let known = state(&opener);
        let past = NOW + PREVIOUS_TIME + Duration::from_micros(1);
        assert_eq!(open(&mut opener, past, too_late), Err(Error::Sealed));
        assert_eq!(state(&opener), known);
        for at in [0, 9, 1] {
            open(&mut opener, past, &after[at]).unwrap();
        }
        // And again, back to the first phase bit.
        sealer.with_left(0);
        assert_eq!(open(&mut opener, past, &sealed(&mut sealer, NOW)), Ok((20, true)));
        assert_eq!(opener.schedule.generation(), 2);
    }

    #[test]
    fn another_session_and_another_direction_are_refused() {
        let (mut sealer, _) = pair(Side::Client, Aead::Aes128Gcm);
        let datagram = sealed(&mut sealer, NOW);
        let schedule = Exported::new([4; 32]).schedule(Direction::ToHost, Aead::Aes128Gcm);
        let mut other = Opener::new(Side::Client, [0; 8], schedule.clone()).unwrap();
        assert_eq!(open(&mut other, NOW, &datagram), Err(Error::Foreign));
        let mut opener = Opener::new(Side::Client, MEDIA, schedule).unwrap();
        let mut shard = Vec::new();
        sealer.append(Kind::Shard, NOW, &[0; 8], &mut shard).unwrap();
        assert_eq!(open(&mut opener, NOW, &shard), Err(Error::Malformed), "clients send no video");
        assert_eq!(open(&mut opener, NOW, &datagram), Ok((0, true)));
    }

    proptest! {
        #[test]
        fn each_datagram_opens_once_in_any_order(
            order in proptest::collection::vec(0u64..20_000, 1..300),
        ) {
            let (mut sealer, mut opener) = pair(Side::Host, Aead::Aes128Gcm);
            let mut seen = std::collections::HashSet::new();
            for sequence in order {
                sealer.at_sequence(sequence);
                let datagram = sealed(&mut sealer, NOW);
                let recent = opener.highest().is_none_or(|highest| sequence + 4096 > highest);
                let opened = open(&mut opener, NOW, &datagram).is_ok();
                prop_assert!(!opened || seen.insert(sequence), "opened twice");
                prop_assert!(opened || !recent || seen.contains(&sequence), "a recent one was refused");
            }
        }

        #[test]
        fn what_does_not_open_changes_nothing(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            (at, bit, phase, cut) in (any::<prop::sample::Index>(), 0u8..8, any::<bool>(), 0usize..30),
        ) {
            let (mut sealer, mut opener) = pair(Side::Host, Aead::Aes128Gcm);
            let good: Vec<_> = (0..3).map(|_| sealed(&mut sealer, NOW)).collect();
            open(&mut opener, NOW, &good[0]).unwrap();
            let known = state(&opener);
            let mut flipped = good[2].clone();
            let place = at.index(flipped.len());
            flipped[place] ^= 1 << bit;
            let mut other_phase = good[2].clone();
            other_phase[0] ^= u8::from(phase) << 5;
            other_phase.truncate(other_phase.len() - cut.max(usize::from(!phase)));
            let mut media = bytes.clone();
            if let Some(first) = media.first_mut() {
                *first = 0x80 | (*first & 0x22);
            }
            for bad in [flipped, other_phase, bytes, media] {
                prop_assert!(open(&mut opener, NOW, &bad).is_err());
                prop_assert_eq!(state(&opener), known);
            }
            open(&mut opener, NOW, &good[2]).unwrap();
            open(&mut opener, NOW, &good[1]).unwrap();
        }
    }
}
