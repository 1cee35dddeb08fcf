//! What a network does to datagrams, as numbers.

use std::time::Duration;

use crate::Rng;

/// What a link does to datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Share of datagrams that a loss begins with, 0.0 to 1.0.
    pub loss: f64,
    /// How many datagrams one loss takes on average; 1.0 is independent loss.
    pub burst: f64,
    /// Losses of this kind instead of the two above, when given.
    pub chain: Option<GilbertElliott>,
    /// Share that arrives twice.
    pub duplicates: f64,
    /// Every datagram takes this long.
    pub delay: Duration,
    /// And up to this much longer, each by itself: that is what reorders.
    pub jitter: Duration,
    /// Share that is held back by `reorder_by`, so that later ones overtake it.
    pub reordered: f64,
    /// How long what is held back comes late.
    pub reorder_by: Duration,
    /// Bits a second that fit through; without a limit when none.
    pub rate_bps: Option<u64>,
    /// Time's worth of data that waits in front of the limit; what does not fit is lost.
    pub queue: Duration,
    /// Bytes that wait in front of the limit, when that is what bounds it first.
    pub queue_bytes: Option<u64>,
    /// Bytes of the largest datagram (payload of UDP) that the path carries; larger ones vanish without a word.
    pub largest: usize,
}

impl Weather {
    /// A cable: nothing is lost, everything takes a millisecond.
    pub const FAIR: Self = Self {
        loss: 0.0,
        burst: 1.0,
        chain: None,
        duplicates: 0.0,
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        reordered: 0.0,
        reorder_by: Duration::ZERO,
        rate_bps: None,
        queue: Duration::from_millis(100),
        queue_bytes: None,
        largest: usize::MAX,
    };

    /// A crowded radio channel: 3 % loss in bursts, duplicates, 8 ms and up to 12 more.
    pub const FOUL: Self = Self {
        loss: 0.03,
        burst: 2.0,
        duplicates: 0.01,
        delay: Duration::from_millis(8),
        jitter: Duration::from_millis(12),
        ..Self::FAIR
    };

    /// A cable that loses this share of datagrams, in runs of this mean length.
    pub fn lossy(mean_loss: f64, mean_burst: f64) -> Self {
        Self { chain: Some(GilbertElliott::of(mean_loss, mean_burst)), ..Self::FAIR }
    }
}

/// A channel with a good and a bad state (Gilbert 1960, Elliott 1963): it may change its
/// state before each datagram, and loses each with the chance of the state it is in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GilbertElliott {
    /// Chance to turn bad, when good.
    pub to_bad: f64,
    /// Chance to turn good, when bad.
    pub to_good: f64,
    /// Chance of a loss while good.
    pub loss_good: f64,
    /// Chance of a loss while bad.
    pub loss_bad: f64,
}

impl GilbertElliott {
    /// Loses the share `mean_loss` (0.0 to 1.0) in runs that are `mean_burst` (1.0 or more)
    /// datagrams long on average: everything while bad, nothing while good. Runs cannot be
    /// shorter than chance makes them: with half of everything lost and a mean of 1 they are
    /// as short as they get.
    pub fn of(mean_loss: f64, mean_burst: f64) -> Self {
        let to_good = 1.0 / mean_burst.max(1.0);
        let loss = mean_loss.clamp(0.0, 1.0);
        // In the long run as many turn bad as turn good.
        let to_bad = if loss < 1.0 { (to_good * loss / (1.0 - loss)).min(1.0) } else { 1.0 };
        let to_good = if loss < 1.0 { to_good } else { 0.0 };
        Self { to_bad, to_good, loss_good: 0.0, loss_bad: 1.0 }
    }

    /// The share that is lost in the long run.
    pub fn mean_loss(&self) -> f64 {
        let bad = self.to_bad / (self.to_bad + self.to_good).max(f64::MIN_POSITIVE);
        bad * self.loss_bad + (1.0 - bad) * self.loss_good
    }

    /// Whether the next datagram is lost; `bad` is the state before and after.
    pub fn loses(&self, bad: &mut bool, rng: &mut Rng) -> bool {
        *bad = if *bad { !rng.chance(self.to_good) } else { rng.chance(self.to_bad) };
        rng.chance(if *bad { self.loss_bad } else { self.loss_good })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share lost and mean length of runs, over many datagrams.
    fn measured(channel: GilbertElliott) -> (f64, f64) {
        let (mut rng, mut bad, mut before) = (Rng::new(3), false, false);
        let (mut lost, mut runs) = (0_u32, 0_u32);
        for _ in 0..1_000_000 {
            let is_lost = channel.loses(&mut bad, &mut rng);
            lost += u32::from(is_lost);
            runs += u32::from(is_lost && !before);
            before = is_lost;
        }
        (f64::from(lost) / 1e6, f64::from(lost) / f64::from(runs.max(1)))
    }

    #[test]
    fn share_and_length_of_runs_are_as_asked_for() {
        for loss in [0.001, 0.01, 0.05, 0.20] {
            for burst in [2.0, 4.0, 16.0] {
                let channel = GilbertElliott::of(loss, burst);
                assert!((channel.mean_loss() - loss).abs() < 1e-9, "{channel:?}");
                let (share, length) = measured(channel);
                assert!((share / loss - 1.0).abs() < 0.25, "{share} for {loss} in runs of {burst}");
                assert!((length / burst - 1.0).abs() < 0.20, "{length} for {burst} with {loss}");
            }
        }
        assert_eq!(measured(GilbertElliott::of(0.0, 4.0)).0, 0.0);
        assert_eq!(measured(GilbertElliott::of(1.0, 4.0)).0, 1.0);
    }

    #[test]
    fn the_bad_state_may_let_some_through_and_the_good_one_lose_some() {
        let channel = GilbertElliott { to_bad: 0.01, to_good: 0.1, loss_good: 0.001, loss_bad: 0.5 };
        let (share, length) = measured(channel);
        assert!((share / channel.mean_loss() - 1.0).abs() < 0.05, "{share}");
        // Inside the bad state half gets through.
        assert!((1.5..2.5).contains(&length), "{length}");
    }
}
