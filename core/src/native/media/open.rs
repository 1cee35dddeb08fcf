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
