//! How many parity shards a block gets: enough for the loss that the client reports,
//! for bursts as long as it reports them, and for blocks as small as they come.
//!
//! Loss is taken for a Gilbert process: of `k` shards `k·p` are lost in the mean, and
//! bursts of length `b` widen the spread by `(1 + ρ) / (1 - ρ)`, `ρ = 1 - 1/b - p/(b(1-p))`.
//! A block has to cover the mean and a margin of that spread, so the share of parity
//! is larger for small blocks, and the least number counts packets, not percent
//! (section 5 of the protocol).

use std::time::Duration;

use super::feedback::Sample;

/// The least and the most share of parity.
const LEAST: f64 = 0.01;
const MOST: f64 = 0.50;
/// The least number of parity shards is never more than this.
const MOST_MINIMUM: usize = 8;
/// How slowly older reports are forgotten, in seconds.
const UP: f64 = 2.0;
const DOWN: f64 = 4.0;
/// How many standard deviations a report has to stand out to be believed at once.
const SURPRISE: f64 = 2.5;
/// Standard deviations covered when what is missing can be sent again in time.
const MARGIN_WITH_REPAIR: f64 = 0.4;
/// Of blocks smaller than this only the mean is covered then: a whole shard is a large part
/// of them, and what is sent again costs bytes only where something is missing.
const SMALL: usize = 17;
/// And when it cannot.
const MARGIN_ALONE: f64 = 2.5;
/// Mean length of bursts never believed to be more.
const LONGEST: f64 = 32.0;
/// Loss is never believed to be more.
const WORST: f64 = 0.5;

/// How much parity is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// It follows what the client reports.
    #[default]
    Adaptive,
    /// Always this many percent, at least one shard; 0 is none. For comparison.
    Fixed(u8),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Parity {
    protection: Protection,
    /// Share of datagrams lost.
    loss: f64,
    /// Datagrams lost and the runs they were lost in, fading.
    lost: f64,
    runs: f64,
    repair: bool,
}

impl Parity {
    /// A policy that has heard nothing yet.
    pub const fn new(protection: Protection) -> Self {
        Self { protection, loss: 0.0, lost: 0.0, runs: 0.0, repair: false }
    }

    /// Whether what is lost beyond parity can be sent again in time; then less of it
    /// has to be prevented.
    pub const fn set_repair(&mut self, possible: bool) {
        self.repair = possible;
    }

    /// The client's newest report.
    pub fn report(&mut self, sample: &Sample) {
        let (received, lost) = (count(sample.received), count(sample.lost));
        let total = received + lost;
        if total == 0.0 {
            return;
        }
        let runs = sample.bursts.iter().map(|&n| f64::from(n)).sum::<f64>().min(lost);
        let elapsed = sample.interval.min(Duration::from_secs(1)).as_secs_f64();
        let fade = 1.0 - (elapsed / DOWN).min(1.0);
        self.lost = self.lost * fade + lost;
        self.runs = self.runs * fade + runs;
        let now = (lost / total).min(WORST);
        let spread = (total * self.loss * (1.0 - self.loss) * self.widening()).sqrt();
        let expected = total * self.loss;
        if lost > expected + SURPRISE * spread + 1.0 {
            self.loss = now;
        } else {
            let time = if now > self.loss { UP } else { DOWN };
            self.loss += (now - self.loss) * (elapsed / time).min(1.0);
        }
    }

    /// Parity shards for a block of `k` data shards.
    pub fn shards(&self, k: usize) -> usize {
        if let Protection::Fixed(percent) = self.protection {
            return (k * usize::from(percent)).div_ceil(100);
        }
        let share = self.share(k);
        // `k` is at most 4096.
        let by_share = (k as f64 * share).ceil() as usize;
        by_share.max(self.minimum(k)).max(1)
    }

    /// The least number of parity shards of a block, however small: as many as a burst
    /// usually takes, or half of it when the rest can be sent again in time, a quarter of small
    /// blocks of `k` data shards.
    pub fn minimum(&self, k: usize) -> usize {
        if self.loss < 0.001 {
            return 1;
        }
        let runs = match self.repair {
            true if k < SMALL => self.burst() / 4.0,
            true => self.burst() / 2.0,
            false => self.burst(),
        };
        (runs.ceil() as usize).clamp(1, MOST_MINIMUM)
    }

    /// Loss as believed now, 0 to 0.5.
    pub const fn loss(&self) -> f64 {
        self.loss
    }

    /// Mean length of a burst of lost datagrams, at least 1.
    pub fn burst(&self) -> f64 {
        if self.runs < 0.01 { 1.0 } else { (self.lost / self.runs).clamp(1.0, LONGEST) }
    }

    /// Share of parity for a block of `k` data shards, 0.01 to 0.5.
    fn share(&self, k: usize) -> f64 {
        let margin = match self.repair {
            true if k < SMALL => 0.0,
            true => MARGIN_WITH_REPAIR,
            false => MARGIN_ALONE,
        };
        let variance = self.loss * (1.0 - self.loss) * self.widening() / k.max(1) as f64;
        (self.loss + margin * variance.sqrt()).clamp(LEAST, MOST)
    }

    /// How much wider bursts make the spread of losses.
    fn widening(&self) -> f64 {
        let back = 1.0 / self.burst();
        let into = back * self.loss / (1.0 - self.loss);
        ((2.0 - back - into) / (back + into)).max(1.0)
    }
}

/// A count as a number to calculate with; a report holds no more than this.
fn count(value: u64) -> f64 {
    value.min(1 << 32) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(received: u64, lost: u64, runs: u16) -> Sample {
        let interval = Duration::from_millis(50);
        Sample { received, lost, bursts: [runs, 0, 0, 0, 0, 0], interval, ..Sample::default() }
    }

    #[test]
    fn a_path_without_loss_costs_one_shard_or_one_percent() {
        let mut parity = Parity::new(Protection::Adaptive);
        for _ in 0..100 {
            parity.report(&sample(100, 0, 0));
        }
        for (k, m) in [(1, 1), (10, 1), (100, 1), (101, 2), (1000, 10)] {
            assert_eq!(parity.shards(k), m, "{k}");
        }
    }

    #[test]
    fn fixed_is_what_it_says() {
        let mut parity = Parity::new(Protection::Fixed(20));
        parity.report(&sample(50, 50, 1));
        assert_eq!([1, 10, 100].map(|k| parity.shards(k)), [1, 2, 20]);
        assert_eq!(Parity::new(Protection::Fixed(0)).shards(100), 0);
    }

    #[test]
    fn up_at_once_and_down_slowly() {
        let mut parity = Parity::new(Protection::Adaptive);
        parity.report(&sample(90, 10, 10));
        assert!(parity.shards(100) >= 10, "{}", parity.shards(100));
        let (mut before, mut seconds) = (parity.shards(100), 0.0);
        while parity.shards(100) > 2 {
            parity.report(&sample(100, 0, 0));
            seconds += 0.05;
            assert!(parity.shards(100) + 2 >= before, "{before} fell to {}", parity.shards(100));
            before = parity.shards(100);
            assert!(seconds < 40.0);
        }
        assert!(seconds > 4.0, "{seconds}");
    }

    #[test]
    fn small_blocks_are_covered_for_a_whole_burst() {
        let mut parity = Parity::new(Protection::Adaptive);
        for _ in 0..200 {
            parity.report(&sample(396, 4, 1));
        }
        assert!((parity.burst() - 4.0).abs() < 0.1, "{}", parity.burst());
        assert!(parity.shards(2) >= 4);
        let alone = parity.shards(40);
        parity.set_repair(true);
        assert!(parity.shards(40) < alone, "repair makes less of it enough");
        assert!((1..=2).contains(&parity.shards(2)), "a quarter of a burst");
    }

    #[test]
    fn longer_bursts_of_the_same_loss_get_more() {
        let after = |runs| {
            let mut parity = Parity::new(Protection::Adaptive);
            for _ in 0..200 {
                parity.report(&sample(380, 20, runs));
            }
            parity.shards(100)
        };
        assert!(after(20) < after(5) && after(5) < after(2), "{} {} {}", after(20), after(5), after(2));
    }

    proptest! {
        #[test]
        fn no_report_leaves_the_bounds(
            reports in prop::collection::vec((any::<u64>(), any::<u64>(), any::<[u16; 6]>(), any::<u32>()), 1..20),
            k in 1_usize..4096,
            repair: bool,
        ) {
            let mut parity = Parity::new(Protection::Adaptive);
            parity.set_repair(repair);
            for (received, lost, bursts, micros) in reports {
                let interval = Duration::from_micros(micros.into());
                parity.report(&Sample { received, lost, bursts, interval, ..Sample::default() });
                let m = parity.shards(k);
                prop_assert!(m >= 1 && m <= (k / 2 + 1).max(MOST_MINIMUM), "{m} of {k}");
                prop_assert!((0.0..=WORST).contains(&parity.loss()));
            }
        }

        #[test]
        fn more_data_never_gets_less_parity(lost in 0_u64..60, runs in 1_u16..20, k in 1_usize..4000) {
            let mut parity = Parity::new(Protection::Adaptive);
            parity.report(&sample(200 - lost, lost, runs));
            prop_assert!(parity.shards(k) <= parity.shards(k + 1));
        }
    }
}
