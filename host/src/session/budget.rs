//! What a stream may spend of the user's bitrate on what.

use punktfunk_core::gamestream::sdp::StreamConfig;

/// The user's bitrate, and what sound takes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    whole_bps: u64,
    sound_bps: u64,
}

impl Budget {
    pub fn new(config: &StreamConfig, sound_bps: u64) -> Self {
        Self { whole_bps: u64::from(config.bitrate_kbps) * 1000, sound_bps }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_gets_what_parity_and_sound_leave() {
        let budget = |kbps: u64, sound_bps| Budget { whole_bps: kbps * 1000, sound_bps };
        assert_eq!(budget(20_000, 96_000).video(20), 15_404_000);
        assert_eq!(budget(20_000, 96_000).video(50), 9_404_000);
        assert_eq!(budget(500, 512_000).video(20), 288_000);
    }
}
