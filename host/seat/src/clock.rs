//! When to draw: a pure state machine over nanoseconds of a monotonic clock.
//!
//! Ticks lie on the grid `origin + n·T` with the exact rational period T. The clock
//! is idle while nothing changes. The first change after a pause is drawn at once
//! and restarts the grid there; missed points are skipped, never made up for.

/// Decides when the next tick is due.
#[derive(Clone, Debug)]
pub struct FrameClock {
    /// Refresh rate in Hz as a fraction, both above 0.
    rate: (u32, u32),
    origin: u64,
    /// The grid point of the last tick.
    last: Option<u64>,
    /// When to tick; `None` while idle.
    due: Option<u64>,
}

impl FrameClock {
    /// An idle clock of `num / den` Hz. Zeros count as one.
    pub fn new(num: u32, den: u32) -> Self {
        Self { rate: (num.max(1), den.max(1)), origin: 0, last: None, due: None }
    }

    /// Changes the rate. The grid starts anew at the next change.
    pub fn set_rate(&mut self, num: u32, den: u32) {
        if self.rate != (num.max(1), den.max(1)) {
            self.rate = (num.max(1), den.max(1));
            self.origin = self.last.unwrap_or(self.origin);
            // A pending tick moves to the new grid.
            if let (Some(due), Some(last)) = (self.due, self.last) {
                self.due = Some(due.min(last.saturating_add(self.period())));
            }
        }
    }

    /// The period in nanoseconds, rounded down.
    pub fn period(&self) -> u64 {
        self.point(0, 1)
    }

    /// When [`ticked`](Self::ticked) should be called next; `None` while idle.
    pub fn due(&self) -> Option<u64> {
        self.due
    }

    /// Something changed at `now` and wants to be seen.
    pub fn wake(&mut self, now: u64) {
        if self.due.is_some() {
            return;
        }
        match self.last {
            Some(last) if now < last.saturating_add(self.period()) => self.due = Some(self.next_point(last)),
            _ => {
                self.origin = now;
                self.due = Some(now);
            }
        }
    }

    /// The tick that was due happened at `now`. `busy`: there was something to draw,
    /// so the clock runs on; otherwise it goes idle.
    pub fn ticked(&mut self, now: u64, busy: bool) {
        let Some(due) = self.due else { return };
        // The grid point this tick belongs to: the latest one that has passed.
        let point = self.next_point(now).saturating_sub(self.period()).clamp(due, now.max(due));
        self.last = Some(point);
        self.due = busy.then(|| self.next_point(now.max(due)));
    }

    fn point(&self, origin: u64, n: u64) -> u64 {
        let (num, den) = self.rate;
        let offset = u128::from(n) * u128::from(den) * 1_000_000_000 / u128::from(num);
        origin.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX))
    }

    /// The first grid point after `now`.
    fn next_point(&self, now: u64) -> u64 {
        let (num, den) = self.rate;
        let elapsed = u128::from(now.saturating_sub(self.origin));
        let n = elapsed * u128::from(num) / (u128::from(den) * 1_000_000_000);
        let n = u64::try_from(n).unwrap_or(u64::MAX - 2);
        // Grid points are rounded down, so the quotient may be one too small.
        [n, n + 1, n + 2]
            .map(|n| self.point(self.origin, n))
            .into_iter()
            .find(|&p| p > now)
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATES: [(u32, u32); 8] =
        [(1, 1), (24_000, 1001), (30, 1), (60_000, 1001), (60, 1), (120_000, 1001), (144, 1), (240, 1)];

    #[test]
    fn the_rate_is_exact_over_a_hundred_thousand_ticks() {
        for (num, den) in RATES {
            let mut clock = FrameClock::new(num, den);
            let start = 12_345_678_901;
            clock.wake(start);
            assert_eq!(clock.due(), Some(start), "the first change is drawn at once");
            for n in 0..100_000u64 {
                let due = clock.due().unwrap();
                let exact = u128::from(n) * u128::from(den) * 1_000_000_000 / u128::from(num);
                assert_eq!(u128::from(due - start), exact, "{num}/{den} tick {n}");
                // Late by up to 90 % of a period: no drift.
                clock.ticked(due + clock.period() * (n % 10) / 10, true);
            }
        }
    }

    #[test]
    fn it_goes_idle_and_a_later_change_is_drawn_at_once() {
        let mut clock = FrameClock::new(60, 1);
        clock.wake(1_000);
        clock.ticked(1_000, true);
        let due = clock.due().unwrap();
        clock.ticked(due, false);
        assert_eq!(clock.due(), None);
        clock.wake(due + 5_000_000);
        assert_eq!(clock.due(), Some(1_000 + 33_333_333), "too soon: it waits for the grid");
        clock.ticked(1_000 + 33_333_333, true);
        clock.ticked(1_000 + 50_000_000, false);
        clock.wake(9_000_000_123);
        assert_eq!(clock.due(), Some(9_000_000_123));
    }

    #[test]
    fn missed_points_are_skipped() {
        let mut clock = FrameClock::new(100, 1);
        clock.wake(0);
        clock.ticked(0, true);
        clock.ticked(57_000_000, true);
        assert_eq!(clock.due(), Some(60_000_000));
    }

    proptest! {
        #[test]
        fn ticks_never_come_in_bursts(
            rate in prop::sample::select(RATES.as_slice()),
            steps in proptest::collection::vec((0u64..60_000_000, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let mut clock = FrameClock::new(rate.0, rate.1);
            let (mut now, mut points) = (1_000_000u64, Vec::new());
            for (step, change, busy) in steps {
                now += step;
                if change {
                    clock.wake(now);
                }
                if let Some(due) = clock.due() {
                    // As long as it is not due, nothing is to be done.
                    prop_assert!(due <= now + clock.period() + 1);
                    if due <= now {
                        clock.ticked(now, busy);
                        points.push(clock.last.unwrap());
                        prop_assert!(clock.due().is_none_or(|next| next > now));
                    }
                }
            }
            for pair in points.windows(2) {
                prop_assert!(pair[1] - pair[0] + 2 >= clock.period(), "{:?}", pair);
            }
        }

        #[test]
        fn any_numbers_are_survived(num: u32, den: u32, times in proptest::collection::vec(any::<u64>(), 1..20)) {
            let mut clock = FrameClock::new(num, den);
            for now in times {
                clock.wake(now);
                clock.set_rate(den, num);
                clock.ticked(now, true);
            }
        }
    }
}
