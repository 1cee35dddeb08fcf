//! A histogram of durations without locks or allocation, precise to an eighth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets per power of two.
const STEPS: u64 = 8;
/// Covers up to 2^40 ns, about 18 minutes; longer ones land in the last bucket.
const BUCKETS: usize = 40 * STEPS as usize;

/// Median and tail of a set of durations; each at most an eighth too high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// Half of them were no longer.
    pub p50: Duration,
    /// 99 in 100 were no longer.
    pub p99: Duration,
}

/// Durations as they are counted: from any thread, without waiting for any other.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[AtomicU64]>,
}

/// What a [`Histogram`] held at one moment, or what came in between two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let power = u64::from(nanos.ilog2());
    let step = (nanos >> (power - 3)) & (STEPS - 1);
    // Powers 0 to 2 are the linear start above, hence power - 2.
    (((power - 2) * STEPS + step) as usize).min(BUCKETS - 1)
}

/// The largest duration that lands in the bucket.
fn upper(bucket: usize) -> u64 {
    let (power, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if power == 0 { step } else { ((STEPS + step + 1) << (power - 1)) - 1 }
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Counts one duration, in nanoseconds. Never waits and never allocates.
    pub fn record(&self, nanos: u64) {
        self.counts[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    /// What it holds now. Allocates: not for the thread that records.
    pub fn counts(&self) -> Counts {
        Counts(self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect())
    }

    /// Median and tail of all that was counted.
    pub fn quantiles(&self) -> Quantiles {
        let counts = self.counts();
        Quantiles { count: counts.total(), p50: counts.quantile(50), p99: counts.quantile(99) }
    }
}

impl Counts {
    /// What was counted after `older`, which was read from the same histogram before.
    #[must_use]
    pub fn since(&self, older: &Self) -> Self {
        let before = older.0.iter().chain(std::iter::repeat(&0));
        Self(self.0.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect())
    }

    /// How many durations.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What so many percent of them did not exceed; at most an eighth too high, zero for none.
    pub fn quantile(&self, percent: u64) -> Duration {
        let rank = (self.total() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.0.iter().position(|&here| {
            seen += here;
            seen >= rank
        });
        Duration::from_nanos(found.map_or(0, upper))
    }

    /// The longest of them; at most an eighth too high, zero for none.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.0.iter().rposition(|&here| here > 0).map_or(0, upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn median_and_tail() {
        let histogram = Histogram::new();
        assert_eq!(histogram.quantiles(), Quantiles::default());
        (0..99).for_each(|_| histogram.record(1_000));
        histogram.record(1_000_000);
        let quantiles = histogram.quantiles();
        assert_eq!(quantiles.count, 100);
        assert!((1_000..1_126).contains(&quantiles.p50.as_nanos()), "{quantiles:?}");
        assert_eq!(quantiles.p50, quantiles.p99);
        histogram.record(u64::MAX);
        histogram.record(1_000_000);
        assert!(histogram.quantiles().p99.as_nanos() >= 1_000_000);
    }

    #[test]
    fn what_came_in_between_two_moments() {
        let histogram = Histogram::new();
        assert_eq!(Counts::default().longest(), Duration::ZERO);
        histogram.record(1_000_000_000);
        let before = histogram.counts();
        assert_eq!(histogram.counts().since(&before).longest(), Duration::ZERO);
        (0..3).for_each(|_| histogram.record(1_000));
        histogram.record(5_000);
        let between = histogram.counts().since(&before);
        assert_eq!(between.total(), 4);
        assert!((1_000..1_126).contains(&between.quantile(50).as_nanos()), "{between:?}");
        assert!((5_000..5_626).contains(&between.longest().as_nanos()), "{between:?}");
        assert_eq!(histogram.counts().since(&Counts::default()), histogram.counts());
    }

    proptest! {
        #[test]
        fn a_bucket_holds_what_is_put_into_it(nanos in 0..1_u64 << 40) {
            let index = bucket(nanos);
            prop_assert!(index == BUCKETS - 1 || nanos <= upper(index));
            prop_assert!(index == 0 || nanos > upper(index - 1));
            prop_assert!(index == BUCKETS - 1 || upper(index) <= nanos + nanos / 8 + 1);
        }
    }
}
