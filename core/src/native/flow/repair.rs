//! What to do about a frame that is not whole (section 5 of the protocol): parity has
//! failed by then, so wait a little, ask for what is missing, give the frame up. And
//! after that: ask for a picture that does not need it, again and again but never in
//! floods, until one begins to arrive.
//!
//! [`Attempt`] and [`Recovery`] are the client's, [`Budget`] is the host's.

use std::time::Duration;

use crate::time::Time;

/// What an answer takes besides the round trip (section 5).
const ANSWER: Duration = Duration::from_millis(2);
/// A block whose last shards are missing is known by silence.
const QUIET: Duration = Duration::from_millis(4);
/// How often one frame is asked for.
const TRIES: u8 = 6;
/// The least time before the same is asked for again, besides the round trip.
const AGAIN: Duration = Duration::from_millis(1);
/// How long the first key frame may take before it is asked for.
const GREETING: Duration = Duration::from_millis(250);
/// The least and the most time between two calls for a picture that can be decoded.
const CALL: Duration = Duration::from_millis(100);
const MOST_CALL: Duration = Duration::from_secs(1);
/// So many times Invalidate is said before a key frame is wanted.
const INVALIDATIONS: u32 = 2;

/// What the path and the client are like, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// There and back.
    pub round_trip: Duration,
    /// How late a datagram may be that is not lost.
    pub reorder: Duration,
    /// How long the client is willing to wait for a frame.
    pub patience: Duration,
}

impl Path {
    /// Whether asking for what is missing can help at all.
    pub fn allows_repair(&self) -> bool {
        self.round_trip + ANSWER < self.patience
    }

    /// How long after asking the same is asked for again.
    fn again(&self) -> Duration {
        self.round_trip + (self.round_trip / 4).max(AGAIN)
    }
}

/// What to do about an incomplete frame now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing before that moment.
    Wait(Time),
    /// Ask for what is missing.
    Ask,
    /// It will not come in time.
    GiveUp,
}

/// The efforts for one incomplete frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// When it was first known that there is such a frame, or a shard of it came.
    active: Time,
    /// Whether any shard came.
    begun: bool,
    /// When a shard of a later frame came.
    overtaken: Option<Time>,
    asked: Option<Time>,
    tries: u8,
}

impl Attempt {
    /// A frame that is known by a shard of it, or (`begun` false) by later ones.
    pub const fn new(now: Time, begun: bool) -> Self {
        let overtaken = if begun { None } else { Some(now) };
        Self { active: now, begun, overtaken, asked: None, tries: 0 }
    }

    /// A shard of it came.
    pub const fn shard(&mut self, now: Time) {
        (self.active, self.begun) = (now, true);
    }

    /// A shard of a later frame came: all of this one has been sent.
    pub const fn overtaken(&mut self, now: Time) {
        if self.overtaken.is_none() {
            self.overtaken = Some(now);
        }
    }

    /// It was asked for.
    pub const fn asked(&mut self, now: Time) {
        self.asked = Some(now);
        self.tries = self.tries.saturating_add(1);
    }

    /// What to do now. `ends_open` tells that more shards than those asked for may be
    /// on their way from the encoder: silence then means nothing.
    pub fn verdict(&self, now: Time, path: &Path, ends_open: bool) -> Verdict {
        let deadline = self.overtaken.unwrap_or(self.active) + path.patience;
        if now >= deadline {
            return Verdict::GiveUp;
        }
        let overtaken = self.overtaken.map(|at| at + path.reorder);
        let quiet = (self.begun && !ends_open).then(|| self.active + QUIET.max(path.reorder));
        let missed = overtaken.into_iter().chain(quiet).min().unwrap_or(deadline).min(deadline);
        if !path.allows_repair() {
            return match overtaken {
                Some(at) if now >= at => Verdict::GiveUp,
                at => Verdict::Wait(at.unwrap_or(deadline).min(deadline)),
            };
        }
        let next = self.asked.map_or(missed, |at| at + path.again());
        if now < next {
            return Verdict::Wait(next.min(deadline));
        }
        let in_time = now + path.round_trip <= deadline;
        match (self.tries, in_time) {
            (0..TRIES, true) => Verdict::Ask,
            (0, false) => Verdict::GiveUp,
            (TRIES.., _) => Verdict::GiveUp,
            // An answer may still be under way.
            _ => Verdict::Wait(deadline),
        }
    }
}

/// What to call for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// These frames are lost: a picture that refers to none of them, please.
    Invalidate {
        /// The first lost frame.
        first: u32,
        /// The last one.
        last: u32,
    },
    /// A key frame.
    KeyFrame {
        /// The last frame that is of no use.
        after: u32,
    },
}

/// What has to be mended.
#[derive(Clone, Copy, Debug)]
struct Damage {
    first: u32,
    last: u32,
    /// Only a key frame helps.
    key: bool,
    calls: u32,
    called: Option<Time>,
    next: Time,
}

/// The way back to a picture after a frame was given up.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    damage: Option<Damage>,
}

impl Recovery {
    /// At the beginning, before frame `first`: a key frame is on its way without being
    /// asked for.
    pub fn starting(now: Time, first: u32) -> Self {
        let before = first.wrapping_sub(1);
        let damage =
            Damage { first: before, last: before, key: true, calls: 0, called: None, next: now + GREETING };
        Self { damage: Some(damage) }
    }

    /// Frames from `first` to `last` were given up; with `key` one of them was a key
    /// frame. More of them while the way back is awaited make it no other way, unless
    /// it was lost itself: then it is called for again with the next call.
    pub fn lost(&mut self, now: Time, first: u32, last: u32, key: bool) {
        match &mut self.damage {
            Some(damage) => (damage.last, damage.key) = (last, damage.key | key),
            None => self.damage = Some(Damage { first, last, key, calls: 0, called: None, next: now }),
        }
    }

    /// True while only a key frame or a recovery point can be decoded.
    pub const fn is_broken(&self) -> bool {
        self.damage.is_some()
    }

    /// A frame that mends it has begun to arrive: no call for a while.
    pub fn begins(&mut self, now: Time, path: &Path) {
        if let Some(damage) = &mut self.damage {
            damage.next = damage.next.max(now + path.patience);
        }
    }

    /// A frame that mends it was released.
    pub const fn mended(&mut self) {
        self.damage = None;
    }

    /// The frame that mends it was lost in turn: what was waited for will not come.
    pub fn failed(&mut self, now: Time) {
        if let Some(damage) = &mut self.damage {
            damage.next = damage.called.map_or(now, |called| now.max(called + CALL / 2));
            damage.calls = damage.calls.max(1);
        }
    }

    /// When [`poll`](Self::poll) has something to say.
    pub fn due(&self) -> Option<Time> {
        self.damage.map(|damage| damage.next)
    }

    /// What to call for now.
    pub fn poll(&mut self, now: Time, path: &Path) -> Option<Call> {
        let damage = self.damage.as_mut().filter(|damage| now >= damage.next)?;
        let wait = (path.round_trip * 2).max(CALL) * (1 << damage.calls.min(4));
        (damage.next, damage.called) = (now + wait.min(MOST_CALL), Some(now));
        damage.calls = damage.calls.saturating_add(1);
        let (first, last) = (damage.first, damage.last);
        Some(match damage.key || damage.calls > INVALIDATIONS {
            true => Call::KeyFrame { after: last },
            false => Call::Invalidate { first, last },
        })
    }
}

/// What the host may spend on sending again: a part of the rate, saved up for a short
/// while.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    bytes: u64,
    at: Time,
}

impl Budget {
    /// The part of the rate, and how long it is saved: percent and milliseconds.
    const PART: u64 = 50;
    const SAVED: u64 = 100;
    /// However low the rate, so much can be saved.
    const LEAST: u64 = 16_000;

    /// Bytes that may be sent again now, at a rate of `bps` bits a second.
    pub fn available(&mut self, now: Time, bps: u64) -> u64 {
        let per_second = bps / 8 / 100 * Self::PART;
        let most = (per_second / 1_000 * Self::SAVED).max(Self::LEAST);
        let elapsed = super::to_micros(now - self.at).min(10_000_000);
        let more = per_second.saturating_mul(elapsed) / 1_000_000;
        // Time that was too short for a byte is not thrown away.
        if more > 0 || per_second == 0 {
            self.at = now;
        }
        self.bytes = self.bytes.saturating_add(more).min(most);
        self.bytes
    }

    /// So many were sent.
    pub const fn spend(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(round_trip: u64, patience: u64) -> Path {
        Path {
            round_trip: Duration::from_millis(round_trip),
            reorder: Duration::from_millis(1),
            patience: Duration::from_millis(patience),
        }
    }

    /// Plays an attempt that nothing answers: when it asks, and when it gives up, in ms.
    fn play(mut attempt: Attempt, path: &Path, overtaken: Option<u64>, ends_open: bool) -> (Vec<u64>, u64) {
        let mut asked = Vec::new();
        for millis in 0..10_000 {
            let now = Time::from_millis(millis);
            if overtaken == Some(millis) {
                attempt.overtaken(now);
            }
            match attempt.verdict(now, path, ends_open) {
                Verdict::Wait(until) => assert!(until > now),
                Verdict::Ask => {
                    attempt.asked(now);
                    asked.push(millis);
                }
                Verdict::GiveUp => return (asked, millis),
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_frame_is_asked_for_when_it_was_overtaken_and_given_up_in_time() {
        let begun = Attempt::new(Time(0), true);
        let unseen = Attempt::new(Time(0), false);
        // A hole at the end is known by silence, unless more may come from the encoder.
        assert_eq!(play(begun, &path(10, 100), None, false), (vec![4, 17, 30, 43, 56, 69], 82));
        assert_eq!(play(begun, &path(10, 100), None, true), (vec![], 100));
        assert_eq!(play(begun, &path(10, 100), Some(16), true), (vec![17, 30, 43, 56, 69, 82], 95));
        assert_eq!(play(unseen, &path(4, 100), None, true), (vec![1, 6, 11, 16, 21, 26], 31));
        // The last chance is taken, and its answer waited for.
        assert_eq!(play(unseen, &path(40, 60), None, true), (vec![1], 60));
        // A path too long for it: once the frame was overtaken nothing is waited for.
        assert_eq!(play(begun, &path(98, 100), Some(16), true), (vec![], 17));
        assert_eq!(play(begun, &path(98, 100), None, false), (vec![], 100));
    }

    #[test]
    fn one_loss_is_one_call_when_it_is_answered() {
        let way = path(20, 100);
        let mut recovery = Recovery::default();
        assert!(!recovery.is_broken() && recovery.poll(Time(0), &way).is_none());
        recovery.lost(Time(0), 7, 8, false);
        assert_eq!(recovery.poll(Time(0), &way), Some(Call::Invalidate { first: 7, last: 8 }));
        assert_eq!(recovery.poll(Time(20_000), &way), None);
        recovery.begins(Time(30_000), &way);
        assert_eq!(recovery.poll(Time(125_000), &way), None);
        recovery.mended();
        assert_eq!(recovery.poll(Time(1_000_000), &way), None);
    }

    #[test]
    fn calls_become_urgent_and_then_rarer() {
        let way = path(20, 100);
        let mut recovery = Recovery::default();
        recovery.lost(Time(0), 7, 7, false);
        let mut calls = Vec::new();
        for millis in 0..5_000 {
            calls.extend(recovery.poll(Time::from_millis(millis), &way).map(|call| (millis, call)));
            if millis == 50 {
                recovery.lost(Time::from_millis(50), 9, 9, false);
            }
        }
        let key = Call::KeyFrame { after: 9 };
        assert_eq!(calls[0], (0, Call::Invalidate { first: 7, last: 7 }));
        assert_eq!(calls[1], (100, Call::Invalidate { first: 7, last: 9 }));
        assert_eq!(calls[2..], [(300, key), (700, key), (1500, key), (2500, key), (3500, key), (4500, key)]);
    }

    #[test]
    fn a_lost_key_frame_and_the_beginning_need_a_key_frame() {
        let way = path(20, 100);
        let mut recovery = Recovery::starting(Time(0), 0);
        assert_eq!(recovery.poll(Time::from_millis(249), &way), None);
        let call = recovery.poll(Time::from_millis(250), &way);
        assert_eq!(call, Some(Call::KeyFrame { after: u32::MAX }));
        recovery.mended();
        recovery.lost(Time(0), 3, 3, true);
        assert_eq!(recovery.poll(Time(0), &way), Some(Call::KeyFrame { after: 3 }));
        recovery.begins(Time(1), &way);
        recovery.failed(Time::from_millis(60));
        assert!(recovery.poll(Time::from_millis(60), &way).is_some(), "what was waited for was lost");
    }

    #[test]
    fn a_budget_is_half_of_the_rate() {
        let mut budget = Budget::default();
        let mut spent = 0;
        for micros in (0..10_000_000).step_by(333) {
            let bytes = budget.available(Time(micros), 20_000_000);
            budget.spend(bytes);
            spent += bytes;
        }
        assert!((12_300_000..=12_500_000).contains(&spent), "{spent}");
        let rested = budget.available(Time(60_000_000), 20_000_000);
        assert_eq!(rested, 125_000, "saved for 100 ms");
        budget.spend(u64::MAX);
        assert_eq!(budget.available(Time(0), u64::MAX), 0, "a clock that goes back gives nothing");
    }

    proptest! {
        #[test]
        fn every_attempt_ends(
            round_trip in 0_u64..300, patience in 1_u64..300, overtaken in prop::option::of(0_u64..500),
            begun: bool, ends_open: bool,
        ) {
            let way = path(round_trip, patience);
            let (asked, end) = play(Attempt::new(Time(0), begun), &way, overtaken, ends_open);
            prop_assert!(asked.len() <= usize::from(TRIES));
            prop_assert!(end <= overtaken.unwrap_or(0) + patience);
            prop_assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= round_trip));
        }

        #[test]
        fn calls_never_flood(events in prop::collection::vec((0_u8..4, 0_u64..50), 1..200), round_trip in 0_u64..200) {
            let way = path(round_trip, 100);
            let (mut recovery, mut now, mut calls) = (Recovery::default(), Time(0), 0);
            for (event, step) in events {
                now = now + Duration::from_millis(step);
                match event {
                    0 => recovery.lost(now, 5, 6, false),
                    1 => recovery.begins(now, &way),
                    2 => recovery.failed(now),
                    _ => calls += u64::from(recovery.poll(now, &way).is_some()),
                }
            }
            prop_assert!(calls <= now.as_millis() / 50 + 1);
        }
    }
}
