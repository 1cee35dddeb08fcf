//! How much a host may ask for.

use std::time::Duration;

/// How many devices may be made within [`CREATE_WINDOW`].
pub const CREATES: usize = 32;
/// See [`CREATES`].
pub const CREATE_WINDOW: Duration = Duration::from_secs(60);
/// How many states a second are written to one device; of more, the newest wins.
pub const STATES_PER_SECOND: u32 = 2_000;
/// How many states may follow each other at once: a network delivers in bursts, and a
/// press that was merged with its release would never have happened.
pub const STATE_BURST: u32 = 32;
/// How many changes of rumble a second are passed on for one device.
pub const OUTPUTS_PER_SECOND: u32 = 250;
/// How many of them at once.
pub const OUTPUT_BURST: u32 = 8;

/// So many a second, with a burst: a token bucket in virtual time.
#[derive(Clone, Debug)]
pub struct Rate {
    interval: Duration,
    burst: u32,
    /// When the bucket would be full again.
    full_at: Duration,
}

impl Rate {
    /// `per_second` on average, `burst` at once; neither is 0.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), burst, full_at: Duration::ZERO }
    }

    /// Takes one, or says when the next can be taken.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let next = self.next(now);
        if next > now {
            return Err(next);
        }
        self.full_at = self.full_at.max(now) + self.interval;
        Ok(())
    }

    /// When the next one can be taken; not later than `now` when that is at once.
    pub fn next(&self, now: Duration) -> Duration {
        self.full_at.max(now).saturating_sub(self.interval * self.burst.saturating_sub(1))
    }
}

/// At most [`CREATES`] within any [`CREATE_WINDOW`].
#[derive(Clone, Debug, Default)]
pub struct Creates {
    times: [Option<Duration>; CREATES],
    next: usize,
}

impl Creates {
    /// Takes one; false when there were too many.
    pub fn take(&mut self, now: Duration) -> bool {
        let Some(oldest) = self.times.get_mut(self.next) else { return false };
        if oldest.is_some_and(|oldest| now < oldest + CREATE_WINDOW) {
            return false;
        }
        *oldest = Some(now);
        self.next = (self.next + 1) % CREATES;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_thirty_third_device_waits_for_the_minute_to_end() {
        let mut creates = Creates::default();
        let at = Duration::from_secs;
        for index in 0..32 {
            assert!(creates.take(at(index)), "{index}");
        }
        assert!(!creates.take(at(32)));
        assert!(!creates.take(at(60) - Duration::from_nanos(1)));
        assert!(creates.take(at(60)));
        assert!(!creates.take(at(60)), "the second one is only 59 seconds old");
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_the_rate_and_the_burst(gaps in proptest::collection::vec(0_u64..3_000, 1..400)) {
            let mut rate = Rate::new(250, 8);
            let mut now = Duration::from_secs(1);
            let mut taken: Vec<Duration> = Vec::new();
            for gap in gaps {
                now += Duration::from_micros(gap);
                match rate.take(now) {
                    Ok(()) => taken.push(now),
                    Err(next) => {
                        prop_assert!(next > now);
                        prop_assert!(rate.clone().take(next).is_ok(), "it said when");
                    }
                }
            }
            for (index, first) in taken.iter().enumerate() {
                let within = taken[index..].iter().filter(|time| **time < *first + Duration::from_secs(1));
                prop_assert!(within.count() <= 250 + 8);
            }
            prop_assert!(taken.len() >= 8.min(taken.len()));
        }

        #[test]
        fn a_burst_passes_at_once(burst in 1_u32..40) {
            let mut rate = Rate::new(2_000, burst);
            let now = Duration::from_secs(5);
            for _ in 0..burst {
                prop_assert!(rate.take(now).is_ok());
            }
            prop_assert_eq!(rate.take(now), Err(now + Duration::from_micros(500)));
        }
    }
}
