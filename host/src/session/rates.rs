//! What a stream may spend of the user's bitrate on what, from frame to frame.

use std::time::Duration;

use punktfunk_core::gamestream::control::FecStatus;
use punktfunk_core::gamestream::video::{Parity, Policy};
use punktfunk_core::time::Time;

use crate::send::Video;

/// The encoder follows the parity in steps of so many percent: some encoders need a
/// key frame for it.
const BITRATE_STEP: u8 = 5;

/// Between two steps up of an encoder that needs a key frame for it.
const COSTLY_PAUSE: Duration = Duration::from_secs(2);

/// The user's bitrate, and what sound takes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    whole_bps: u64,
    sound_bps: u64,
}

impl Budget {
    pub fn new(bitrate_kbps: u32, sound_bps: u64) -> Self {
        Self { whole_bps: u64::from(bitrate_kbps) * 1000, sound_bps }
    }

    /// What the encoder may spend when pictures get so much parity: the rest goes to
    /// parity, sound and headers (sheet, section 6.2, `configuredBitrateKbps`).
    pub fn video(&self, fec_percentage: u8) -> u64 {
        let mut video = self.whole_bps * (100 - u64::from(fec_percentage.min(90))) / 100;
        video -= self.sound_bps.min(video / 5);
        video -= 500_000.min(video / 10);
        video.max(100_000)
    }
}

/// What the encoder may spend, and who says so.
pub(super) enum Rates {
    /// The bitrate is fixed, and the share of the parity follows the client's reports.
    GameStream {
        /// Of the user.
        budget: Budget,
        /// Of the frames to come.
        parity: Parity,
        /// The percentage that the encoder's bitrate leaves room for.
        room: u8,
        /// The budget is another one, and nobody was told.
        anew: bool,
    },
    /// The sender finds out what the path carries.
    Native {
        /// What it says.
        path_bps: u64,
        /// What the encoder was told.
        room_bps: u64,
        /// When.
        told: Time,
    },
}

impl Rates {
    /// Of a GameStream client.
    pub fn gamestream(budget: Budget, policy: Policy, now: Time) -> Self {
        Self::GameStream { budget, parity: Parity::new(policy, now), room: policy.base, anew: false }
    }

    /// Of a native client, whose sender begins with so many bits a second of pictures.
    pub fn native(bps: u64, now: Time) -> Self {
        Self::Native { path_bps: bps, room_bps: bps, told: now }
    }

    /// The path carries so many bits a second of pictures (native), or the owner lets it
    /// have so many in all (GameStream).
    pub fn carries(&mut self, bps: u64) {
        match self {
            Self::GameStream { budget, anew, .. } => {
                (budget.whole_bps, *anew) = (bps, true);
            }
            Self::Native { path_bps, .. } => *path_bps = bps,
        }
    }

    /// Bits a second for the encoder.
    pub fn bitrate(&self) -> u64 {
        match self {
            Self::GameStream { budget, room, .. } => budget.video(*room),
            Self::Native { room_bps, .. } => *room_bps,
        }
    }

    /// The client told how close a damaged block was to being lost.
    pub fn report(&mut self, now: Time, status: &FecStatus) {
        match self {
            Self::GameStream { parity, .. } => parity.report(now, status),
            Self::Native { .. } => {}
        }
    }

    /// The client lost a frame.
    pub fn lost(&mut self, now: Time) {
        match self {
            Self::GameStream { parity, .. } => parity.lost(now),
            Self::Native { .. } => {}
        }
    }

    /// Has the sender follow. True when the encoder has to, too; `costly` when that makes
    /// it begin anew with a key frame.
    pub fn follow(&mut self, now: Time, sender: &mut Video, costly: bool) -> bool {
        match self {
            Self::GameStream { parity, room, anew, budget } => {
                let percentage = parity.percentage(now);
                sender.set_fec_percentage(percentage);
                let settled = percentage == parity.policy().base && percentage != *room;
                let follows = settled || percentage.abs_diff(*room) >= BITRATE_STEP;
                if follows {
                    *room = percentage;
                    tracing::debug!(percentage, "error correction follows the network");
                }
                if *anew {
                    sender.set_bitrate(budget.whole_bps);
                }
                std::mem::take(anew) || follows
            }
            Self::Native { path_bps, room_bps, told } => {
                let follows = is_worth_it(*room_bps, *path_bps, now - *told, costly);
                if follows {
                    (*room_bps, *told) = (*path_bps, now);
                }
                follows
            }
        }
    }
}

/// Whether the encoder is told of another bitrate, `since` the last time: at once of
/// less, of more in steps, and rarely when each costs a key frame.
fn is_worth_it(room: u64, path: u64, since: Duration, costly: bool) -> bool {
    let (percent, pause) = if costly { (10, COSTLY_PAUSE) } else { (2, Duration::ZERO) };
    let step = room / 100 * percent;
    path + step < room || (path > room + step && since >= pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_gets_what_parity_and_sound_leave() {
        let budget = Budget::new;
        assert_eq!(budget(20_000, 96_000).video(20), 15_404_000);
        assert_eq!(budget(20_000, 96_000).video(50), 9_404_000);
        assert_eq!(budget(500, 512_000).video(20), 288_000);
    }

    #[test]
    fn an_encoder_follows_the_path_down_at_once_and_up_in_steps() {
        let mbit = |n: u64| n * 1_000_000;
        let now = Duration::ZERO;
        for costly in [false, true] {
            assert!(is_worth_it(mbit(20), mbit(15), now, costly));
            assert!(!is_worth_it(mbit(20), mbit(20), COSTLY_PAUSE * 9, costly));
        }
        assert!(is_worth_it(mbit(20), mbit(21), now, false));
        assert!(!is_worth_it(mbit(20), mbit(25), now, true), "too soon");
        assert!(!is_worth_it(mbit(20), mbit(21), COSTLY_PAUSE, true), "too little");
        assert!(is_worth_it(mbit(20), mbit(25), COSTLY_PAUSE, true));
    }
}
