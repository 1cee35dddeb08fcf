//! How much error correction the next frames get: the owner's percentage, more of it
//! for a while after the client reported losses.
//!
//! Rises at once and decays slowly, because losses come in spells: a spell that is
//! met too late costs key frames, a percentage that stays up too long only some
//! sharpness. Pure policy; [`super::Packetizer`] still lowers what a frame of more
//! than four blocks cannot carry.

use std::time::Duration;

use crate::gamestream::control::FecStatus;
use crate::time::Time;

/// Bounds of the percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// While nothing is lost. 0 switches error correction off, for good.
    pub base: u8,
    /// The most there may be; at least `base`.
    pub most: u8,
}

impl Policy {
    /// Up to [`Policy::MOST`] when the client reports losses.
    pub const fn following(base: u8) -> Self {
        let most = if base > Self::MOST { base } else { Self::MOST };
        Self { base, most: if base == 0 { 0 } else { most } }
    }

    /// Always the same.
    pub const fn fixed(percentage: u8) -> Self {
        Self { base: percentage, most: percentage }
    }

    /// More than this would leave too little for the picture itself.
    pub const MOST: u8 = 50;
}

/// Requests in the first moments of a stream say nothing about the network: every
/// client begins with one.
const SETTLING: Duration = Duration::from_secs(1);
/// Reports that follow each other faster belong to the same loss.
const ONE_LOSS: Duration = Duration::from_millis(100);
/// The percentage stays up for so long after the last report.
const HOLD: Duration = Duration::from_secs(5);
/// And then sinks by one point in each such time.
const SINK: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Clone, Debug)]
pub struct Parity {
    policy: Policy,
    started: Time,
    percentage: u8,
    /// The last report that counted.
    raised: Option<Time>,
    /// When it sank last, or began to be able to.
    sank: Time,
}

impl Parity {
    /// A stream that begins `now`.
    pub fn new(policy: Policy, now: Time) -> Self {
        let policy = Policy { most: policy.most.max(policy.base), ..policy };
        Self { policy, started: now, percentage: policy.base, raised: None, sank: now }
    }

    /// The bounds it keeps.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// The client told how close a damaged block was to being lost.
    pub fn report(&mut self, now: Time, status: &FecStatus) {
        let (data, parity) = (u32::from(status.data_total), u32::from(status.parity_total));
        let missing = status.missing();
        if data == 0 || missing == 0 {
            return;
        }
        if !status.is_repairable() {
            // Half as much again as would have saved the block.
            self.raise(now, missing * 150 / data);
        } else if missing * 2 > parity {
            // More than half of the parity was needed: the same again may not do.
            self.raise(now, missing * 200 / data);
        } else {
            self.remember(now);
        }
    }

    /// The client lost a frame: it asked for an IDR frame or named a range.
    pub fn lost(&mut self, now: Time) {
        if now - self.started >= SETTLING {
            self.raise(now, u32::from(self.percentage) * 3 / 2);
        }
    }

    /// The percentage for the next frame.
    pub fn percentage(&mut self, now: Time) -> u8 {
        let from = self.raised.map_or(self.sank, |raised| (raised + HOLD).max(self.sank));
        let steps = u64::try_from((now - from).as_micros() / SINK.as_micros()).unwrap_or(0);
        if self.percentage > self.policy.base && steps > 0 {
            let steps = u8::try_from(steps).unwrap_or(u8::MAX);
            self.percentage = self.percentage.saturating_sub(steps).max(self.policy.base);
            self.sank = now;
        }
        self.percentage
    }

    fn raise(&mut self, now: Time, wanted: u32) {
        let fresh = self.raised.is_none_or(|raised| now - raised >= ONE_LOSS);
        // A loss raises by at least a quarter, but several reports of one loss do so once.
        let least = if fresh { u32::from(self.percentage) * 5 / 4 } else { 0 };
        let wanted = u8::try_from(wanted.max(least)).unwrap_or(u8::MAX);
        self.percentage = self.percentage.max(wanted.min(self.policy.most));
        if fresh {
            self.remember(now);
        }
    }

    fn remember(&mut self, now: Time) {
        self.raised = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(data: u16, parity: u16, missing: u16) -> FecStatus {
        FecStatus {
            frame: 1,
            data_total: data,
            parity_total: parity,
            data_received: data.saturating_sub(missing),
            parity_received: parity.saturating_sub(missing.saturating_sub(data)),
            ..FecStatus::default()
        }
    }

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_quiet_network_keeps_the_base() {
        let mut parity = Parity::new(Policy::following(20), at(0));
        // What every client says first.
        parity.lost(at(50));
        assert!((0..100).all(|i| parity.percentage(at(i * 100)) == 20));
        // One of twenty missing is what the parity is for.
        parity.report(at(10_000), &status(100, 20, 5));
        assert_eq!(parity.percentage(at(10_001)), 20);
    }

    #[test]
    fn losses_raise_at_once_and_are_forgotten_slowly() {
        let mut parity = Parity::new(Policy::following(20), at(0));
        parity.report(at(5_000), &status(100, 20, 24));
        assert_eq!(parity.percentage(at(5_000)), 36);
        // The same loss, reported again by the request for a key frame.
        parity.lost(at(5_010));
        assert_eq!(parity.percentage(at(5_010)), 50);
        assert_eq!(parity.percentage(at(9_900)), 50);
        assert_eq!(parity.percentage(at(11_000)), 48);
        assert_eq!(parity.percentage(at(26_000)), 20);
    }

    #[test]
    fn without_error_correction_nothing_is_raised() {
        for policy in [Policy::following(0), Policy::fixed(0), Policy::fixed(7)] {
            let mut parity = Parity::new(policy, at(0));
            parity.lost(at(5_000));
            parity.report(at(5_100), &status(10, 2, 5));
            assert_eq!(parity.percentage(at(5_200)), policy.base);
        }
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds_and_comes_back(
            base in 0_u8..=100,
            events in prop::collection::vec((0_u64..3_000, 0_u8..4, 0_u16..300, 0_u16..60, 0_u16..400), 0..60),
        ) {
            let policy = Policy::following(base);
            let mut parity = Parity::new(policy, at(0));
            let mut now = 0;
            for (wait, what, data, parities, missing) in events {
                now += wait;
                let before = parity.percentage(at(now));
                match what {
                    0 => parity.lost(at(now)),
                    1 => { parity.percentage(at(now)); }
                    _ => parity.report(at(now), &status(data, parities, missing)),
                }
                let after = parity.percentage(at(now));
                prop_assert!((policy.base..=policy.most).contains(&after));
                prop_assert!(after >= before, "a report never lowers it");
            }
            // Fifty points at two a second, after five seconds.
            prop_assert_eq!(parity.percentage(at(now + 31_000)), policy.base);
        }

        #[test]
        fn a_steady_loss_is_soon_covered(percent in 1_u32..33) {
            let mut parity = Parity::new(Policy::following(20), at(0));
            let mut covered = 0;
            for frame in 0..120_u64 {
                let now = at(2_000 + frame * 16);
                let (data, percentage) = (100_u32, u32::from(parity.percentage(now)));
                let total = data + percentage;
                let missing = (total * percent).div_ceil(100);
                covered = if missing <= percentage { covered + 1 } else { 0 };
                let missing = u16::try_from(missing).unwrap();
                parity.report(now, &status(100, u16::try_from(percentage).unwrap(), missing));
            }
            // All but the first few frames.
            prop_assert!(covered >= 110, "{covered}");
        }
    }
}
