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

#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Box<[AtomicU64]>,
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
    pub fn new() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }

    pub fn record(&self, nanos: u64) {
        self.counts[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn quantiles(&self) -> Quantiles {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let count = counts.iter().sum::<u64>();
        let at = |percent: u64| {
            let rank = (count * percent).div_ceil(100).max(1);
            let mut seen = 0;
            let found = counts.iter().position(|&here| {
                seen += here;
                seen >= rank
            });
            Duration::from_nanos(found.map_or(0, upper))
        };
        Quantiles { count, p50: at(50), p99: at(99) }
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
