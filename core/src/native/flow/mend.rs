//! What the host makes of a client's calls for a picture that it can decode: each is passed
//! on once, none while the picture that answers it is on its way, and none before that
//! picture can have arrived. On a slow link a key frame stands in the queue for longer than
//! a client waits, and another one behind it would only make the queue overflow.

use std::time::Duration;

use super::recovery::Call;
use crate::native::media::Flags;
use crate::time::Time;

/// How long a call is taken as said once.
const SAID: Duration = Duration::from_millis(250);
/// How long at least a picture that mends counts as the answer to calls that are older.
const ANSWERED: Duration = Duration::from_secs(1);
/// No picture takes longer than this.
const LONGEST: Duration = Duration::from_secs(2);

/// See the module. The host has one for each client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mending {
    newest: Option<Mends>,
    key_frame: Wanted<u32>,
    invalidate: Wanted<(u32, u32)>,
}

/// A picture that was sent and needs less than those before it.
#[derive(Clone, Copy, Debug)]
struct Mends {
    frame: u32,
    sent: Time,
    flags: Flags,
    /// The earliest moment at which a client can say what became of it.
    told: Time,
}

/// Something that is called for and passed on once.
#[derive(Clone, Copy, Debug)]
struct Wanted<T> {
    pending: Option<T>,
    said: Option<Time>,
}

impl<T> Default for Wanted<T> {
    fn default() -> Self {
        Self { pending: None, said: None }
    }
}

impl<T> Wanted<T> {
    fn take(&mut self, now: Time) -> Option<T> {
        let taken = self.pending.take();
        if taken.is_some() {
            self.said = Some(now);
        }
        taken
    }

    fn want(&mut self, now: Time, what: T) {
        if self.said.is_none_or(|said| now - said >= SAID) {
            self.pending = Some(what);
        }
    }
}

impl Mending {
    /// A key frame or a recovery point was sent; its last byte and an answer to it take
    /// `passage`: pace, queue, and the way there and back.
    pub fn sent(&mut self, now: Time, frame: u32, flags: Flags, passage: Duration) {
        self.newest = Some(Mends { frame, sent: now, flags, told: now + passage.min(LONGEST) });
        (self.key_frame.said, self.invalidate.said) = (None, None);
    }

    /// The client wants a key frame after frame `after`.
    pub fn key_frame_wanted(&mut self, now: Time, after: u32) {
        if !self.comes_after(now, after, Flags::KEY_FRAME) {
            self.key_frame.want(now, after);
        }
    }

    /// The client lost these frames.
    pub fn lost(&mut self, now: Time, first: u32, last: u32) {
        if !self.comes_after(now, last, Flags::default()) {
            self.invalidate.want(now, (first, last));
        }
    }

    /// What the encoder has to do now.
    pub fn poll(&mut self, now: Time) -> Option<Call> {
        if self.newest.is_some_and(|newest| now < newest.told) {
            return None;
        }
        if let Some(after) = self.key_frame.take(now) {
            self.invalidate.pending = None;
            return Some(Call::KeyFrame { after });
        }
        self.invalidate.take(now).map(|(first, last)| Call::Invalidate { first, last })
    }

    /// When [`poll`](Self::poll) has to be asked.
    pub fn due(&self) -> Option<Time> {
        let waits = self.key_frame.pending.is_some() || self.invalidate.pending.is_some();
        self.newest.filter(|_| waits).map(|newest| newest.told)
    }

    /// Whether a picture after `last` that mends what was lost is on its way already.
    fn comes_after(&self, now: Time, last: u32, flags: Flags) -> bool {
        self.newest.is_some_and(|newest| {
            let later = newest.frame.wrapping_sub(last);
            let counts = now - newest.sent < ANSWERED || now < newest.told;
            later > 0 && later < 1 << 31 && counts && newest.flags.has(flags)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSAGE: Duration = Duration::from_millis(120);

    #[test]
    fn no_picture_is_ordered_while_the_one_before_can_be_on_its_way() {
        let mut mending = Mending::default();
        mending.lost(Time(0), 4, 5);
        assert_eq!(mending.poll(Time(0)), Some(Call::Invalidate { first: 4, last: 5 }));
        mending.sent(Time(10_000), 6, Flags::KEY_FRAME, PASSAGE);
        // What it answers is not asked again, and that it is lost cannot be known yet.
        mending.lost(Time(50_000), 4, 5);
        mending.key_frame_wanted(Time(60_000), 5);
        assert_eq!((mending.poll(Time(200_000)), mending.due()), (None, None));
        mending.key_frame_wanted(Time(70_000), 6);
        assert_eq!((mending.poll(Time(129_999)), mending.due()), (None, Some(Time(130_000))));
        assert_eq!(mending.poll(Time(130_000)), Some(Call::KeyFrame { after: 6 }));
        mending.key_frame_wanted(Time(140_000), 6);
        assert_eq!(mending.poll(Time(150_000)), None, "it was said");
        mending.key_frame_wanted(Time(400_000), 6);
        assert_eq!(mending.poll(Time(400_000)), Some(Call::KeyFrame { after: 6 }), "nothing came of it");
    }

    #[test]
    fn a_key_frame_answers_both_calls_and_a_recovery_point_one() {
        for (flags, key) in [(Flags::KEY_FRAME, true), (Flags::RECOVERY_POINT, false)] {
            let mut mending = Mending::default();
            mending.sent(Time(0), 9, flags, Duration::ZERO);
            mending.lost(Time(1_000), 7, 8);
            assert_eq!(mending.poll(Time(1_000)), None);
            mending.key_frame_wanted(Time(1_000), 8);
            assert_eq!(mending.poll(Time(1_000)).is_none(), key);
            mending.lost(Time(2_000_000), 7, 8);
            assert!(mending.poll(Time(2_000_000)).is_some(), "that was long ago");
        }
    }
}
