//! The way back to a picture after a frame was given up (section 5 of the protocol): ask
//! for one that does not need it, again and again but never in floods, until one begins
//! to arrive. The client's; what the host makes of it is [`super::mend`].

use std::time::Duration;

use super::repair::Path;
use crate::time::Time;

/// How long the first key frame may take before it is asked for.
const GREETING: Duration = Duration::from_millis(250);
/// The least and the most time between two calls for a picture that can be decoded.
const CALL: Duration = Duration::from_millis(100);
const MOST_CALL: Duration = Duration::from_secs(1);
/// So many times Invalidate is said before a key frame is wanted.
const INVALIDATIONS: u32 = 2;

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
            damage.next = damage.next.max(now + path.patience + path.queue);
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
        // What answers it is made with the next frame, and stands in the queue as others do.
        let answer = path.round_trip * 2 + path.queue + path.interval * 2;
        let wait = answer.max(CALL) * (1 << damage.calls.min(4));
        (damage.next, damage.called) = (now + wait.min(MOST_CALL), Some(now));
        damage.calls = damage.calls.saturating_add(1);
        let (first, last) = (damage.first, damage.last);
        Some(match damage.key || damage.calls > INVALIDATIONS {
            true => Call::KeyFrame { after: last },
            false => Call::Invalidate { first, last },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(round_trip: u64) -> Path {
        Path {
            round_trip: Duration::from_millis(round_trip),
            reorder: Duration::from_millis(1),
            patience: Duration::from_millis(100),
            interval: Duration::from_micros(16_667),
            queue: Duration::ZERO,
        }
    }

    #[test]
    fn one_loss_is_one_call_when_it_is_answered() {
        let way = path(20);
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
    fn a_queue_is_waited_for_before_it_is_called_again() {
        let way = Path { queue: Duration::from_millis(90), ..path(4) };
        let mut recovery = Recovery::default();
        recovery.lost(Time(0), 7, 7, false);
        assert!(recovery.poll(Time(0), &way).is_some() && recovery.due() > Some(Time(130_000)));
    }

    #[test]
    fn calls_become_urgent_and_then_rarer() {
        let way = path(20);
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
        let way = path(20);
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

    proptest! {
        #[test]
        fn calls_never_flood(events in prop::collection::vec((0_u8..4, 0_u64..50), 1..200), round_trip in 0_u64..200) {
            let way = path(round_trip);
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
