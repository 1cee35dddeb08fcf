//! Which pictures are coded when coding takes longer than a picture is shown: every
//! second one, or every third, but never now one and now two. An even rate looks
//! smooth and keeps every picture as young as the encoder allows; taking whatever is
//! there when the encoder is free does neither.
//!
//! Pure policy: times go in, a decision comes out.

use std::time::Duration;

use crate::time::Time;

/// Costs are looked at together for half a second of pictures, but never fewer than
/// these: a program that starts beside us makes a few pictures slow.
const LEAST_WINDOW: u32 = 8;
/// Windows in a row that must have been too slow before pictures are left out.
const SLOW: u32 = 2;
/// The cost must leave this share of the time free, in percent, before more pictures
/// are taken again; so the rate does not swing.
const ROOM: u64 = 20;
/// Windows that must have had that room.
const CALM: u32 = 4;
/// The least rate is a sixteenth of what was asked for.
const MOST: u64 = 16;

/// Something to tell the owner, once for each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Pictures a second that could be coded.
    pub possible: u32,
    /// Pictures a second that were asked for.
    pub wanted: u32,
    /// Every how many-th picture is taken from now on; 1 is all of them.
    pub every: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Cadence {
    wanted: u32,
    every: u64,
    /// Capture time of the picture taken last.
    last: Option<Time>,
    /// Costs since the last decision, in microseconds.
    sum: u64,
    count: u32,
    calm: u32,
    slow: u32,
}

impl Cadence {
    /// For a stream of `fps` pictures a second.
    pub fn new(fps: u32) -> Self {
        Self { wanted: fps.max(1), every: 1, last: None, sum: 0, count: 0, calm: 0, slow: 0 }
    }

    /// Microseconds between two pictures of the source.
    fn interval(&self) -> u64 {
        1_000_000 / u64::from(self.wanted)
    }

    /// Every how many-th picture is taken.
    pub fn every(&self) -> u32 {
        // At most `MOST`.
        self.every as u32
    }

    /// When the next picture is due, by its capture time. Half an interval early, so
    /// that a picture a little before its time counts as the one that is due.
    pub fn due(&self) -> Time {
        let wait = (self.every * 2 - 1) * self.interval() / 2;
        match self.last {
            Some(last) if self.every > 1 => last + Duration::from_micros(wait),
            _ => Time(0),
        }
    }

    /// A picture of that capture time was taken.
    pub fn taken(&mut self, captured: Time) {
        self.last = Some(captured);
    }

    /// Coding a new picture and all that follows took `cost`. Returns what changed.
    pub fn cost(&mut self, cost: Duration) -> Option<Limit> {
        // A picture that took hours says no more than one that took a minute.
        self.sum += u64::try_from(cost.as_micros()).unwrap_or(u64::MAX).min(60_000_000);
        self.count += 1;
        if self.count < (self.wanted / 2 / self.every()).max(LEAST_WINDOW) {
            return None;
        }
        let mean = (self.sum / u64::from(self.count)).max(1);
        (self.sum, self.count) = (0, 0);
        let (interval, before) = (self.interval(), self.every);
        let is_slow = mean > interval * self.every;
        let has_room = self.every > 1 && mean * 100 < interval * (self.every - 1) * (100 - ROOM);
        self.slow = if is_slow { self.slow + 1 } else { 0 };
        self.calm = if has_room { self.calm + 1 } else { 0 };
        if self.slow >= SLOW {
            self.every = mean.div_ceil(interval).min(MOST);
            self.slow = 0;
        } else if self.calm >= CALM {
            self.every -= 1;
            self.calm = 0;
        }
        (self.every != before).then(|| Limit {
            possible: u32::try_from(1_000_000 / mean).unwrap_or(self.wanted).min(self.wanted),
            wanted: self.wanted,
            every: self.every(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plays `count` pictures of the source against an encoder that takes `cost` for
    /// each: the capture times of those coded and how old each was when it was done.
    fn play(cadence: &mut Cadence, fps: u64, cost: u64, count: u64) -> Vec<(u64, u64)> {
        let (mut coded, mut free) = (Vec::new(), 0);
        let interval = 1_000_000 / fps;
        for index in 0..count {
            let captured = index * interval;
            // A newer picture replaces one that waits: the encoder takes the newest
            // at the moment it becomes free.
            let replaced = captured + interval <= free;
            if replaced || Time(captured) < cadence.due() {
                continue;
            }
            free = free.max(captured) + cost;
            cadence.taken(Time(captured));
            coded.push((captured, free - captured));
            cadence.cost(Duration::from_micros(cost));
        }
        coded
    }

    #[test]
    fn a_quick_encoder_takes_everything() {
        let mut cadence = Cadence::new(60);
        assert_eq!(play(&mut cadence, 60, 9_000, 600).len(), 600);
        assert_eq!(cadence.every(), 1);
    }

    #[test]
    fn one_slow_moment_changes_nothing() {
        let mut cadence = Cadence::new(60);
        let costs = [9_000_u64; 30].into_iter().chain([40_000; 30]).chain([9_000; 600]);
        assert!(costs.filter_map(|cost| cadence.cost(Duration::from_micros(cost))).next().is_none());
    }

    #[test]
    fn what_limits_is_told_once() {
        let mut cadence = Cadence::new(60);
        let told: Vec<_> = (0..300).filter_map(|_| cadence.cost(Duration::from_micros(23_800))).collect();
        assert_eq!(told, [Limit { possible: 42, wanted: 60, every: 2 }]);
        let told: Vec<_> = (0..300).filter_map(|_| cadence.cost(Duration::from_micros(5_000))).collect();
        assert_eq!(told, [Limit { possible: 60, wanted: 60, every: 1 }]);
    }

    proptest! {
        #[test]
        fn a_slow_encoder_drops_evenly_and_stays_young(fps in 24_u64..240, load in 101_u64..900) {
            let interval = 1_000_000 / fps;
            let cost = interval * load / 100;
            let mut cadence = Cadence::new(u32::try_from(fps).unwrap());
            play(&mut cadence, fps, cost, fps.max(60) * 10);
            prop_assert_eq!(u64::from(cadence.every()), load.div_ceil(100));
            // A picture that was in flight from before does not count.
            cadence.last = None;
            let coded = play(&mut cadence, fps, cost, 600);
            let gaps: Vec<_> = coded.windows(2).map(|pair| (pair[1].0 - pair[0].0) / interval).collect();
            prop_assert!(gaps.windows(2).all(|pair| pair[0] == pair[1]), "{gaps:?}");
            prop_assert!(coded.iter().all(|(_, age)| *age <= cost + interval));
        }

        #[test]
        fn the_rate_never_swings_at_a_steady_cost(cost in 1_000_u64..100_000) {
            let mut cadence = Cadence::new(60);
            let changes = (0..3_000).filter(|_| cadence.cost(Duration::from_micros(cost)).is_some()).count();
            prop_assert!(changes <= 1);
        }
    }
}
