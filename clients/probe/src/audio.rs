//! From packets to sound, and what the sound is made of: [`Ear`] for every protocol,
//! [`Listener`] for the datagrams of GameStream.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Result, ensure};
use punktfunk_core::gamestream::audio::{Config, Event, Receiver};
use punktfunk_core::gamestream::sdp::Layout;
use punktfunk_core::testcard::TONES;

use crate::decode::tone_share;
use crate::stats::{Board, Clock};

const RATE: u32 = 48_000;
/// What the tone is looked for in: half a second.
const WINDOW: usize = 24_000;
/// Pieces of that, each looked at on its own: 50 ms, whole periods of the tone.
const PIECE: usize = 2_400;
/// Samples of one channel between two looks: a tenth of a second.
const LOOK_EVERY: usize = 4_800;
/// The Test card's tone.
const TONE: f64 = 1000.0;
/// The longest Opus packet, samples of one channel.
const LONGEST: usize = 5_760;

/// Decodes and measures.
pub(crate) struct Ear {
    decoder: opus2::MSDecoder,
    /// One for each channel.
    windows: Vec<VecDeque<f32>>,
    since_look: usize,
    samples: Vec<f32>,
}

/// What the sound of the last half second is made of.
pub(crate) struct Look {
    /// Share of the Test card's tone, 0.0 to 1.0.
    pub tone_share: f64,
    /// The same in the front left channel alone.
    pub left_share: f64,
    /// Loudest sample, 0.0 to 1.0.
    pub loudness: f32,
    /// Of each channel, its strongest tone in hertz and that one's share.
    pub channel_tones: Vec<(u32, f64)>,
}

/// What comes on the audio port.
pub(crate) struct Listener {
    receiver: Receiver,
    ear: Ear,
    clock: Clock,
    board: Arc<Board>,
}

impl Listener {
    pub fn new(config: Config, layout: &Layout, clock: Clock, board: Arc<Board>) -> Result<Self> {
        let channels = usize::from(layout.channels).min(layout.mapping.len());
        let mapping = &layout.mapping[..channels];
        let ear = Ear::new(layout.streams, layout.coupled, mapping)?;
        Ok(Self { receiver: Receiver::new(config)?, ear, clock, board })
    }

    /// Takes one datagram.
    pub fn take(&mut self, datagram: &[u8]) -> Result<()> {
        // Counted by the receiver.
        let _ = self.receiver.push(datagram);
        let now_ms = self.clock.millis();
        while let Some(event) = self.receiver.poll() {
            if let Event::Packet { data, .. } = event {
                self.ear.hear(&data);
            }
        }
        let counters = self.receiver.counters();
        let looked = self.ear.look();
        self.board.update(|stats| {
            stats.first_audio_ms.get_or_insert(now_ms);
            stats.audio_packets = counters.packets;
            stats.audio_repaired = counters.repaired;
            stats.audio_lost = counters.lost;
            stats.audio_rejected = counters.rejected;
            if let Some(look) = looked {
                (stats.tone_share, stats.loudness) = (look.tone_share, look.loudness);
                stats.left_share = look.left_share;
                stats.channel_tones = look.channel_tones;
            }
        });
        Ok(())
    }
}

impl Ear {
    /// For Opus of so many streams, some of them coupled; `mapping` has a place for each
    /// channel.
    pub fn new(streams: u8, coupled: u8, mapping: &[u8]) -> Result<Self> {
        let channels = mapping.len();
        ensure!(channels > 0, "sound without channels");
        Ok(Self {
            decoder: opus2::MSDecoder::new(RATE, streams, coupled, mapping)?,
            windows: vec![VecDeque::with_capacity(WINDOW); channels],
            since_look: 0,
            samples: vec![0.0; LONGEST * channels],
        })
    }

    /// Takes the next packet in; one that makes no sense is silence.
    pub fn hear(&mut self, packet: &[u8]) {
        match self.decoder.decode_float(packet, &mut self.samples, false) {
            Ok(count) => {
                for frame in self.samples.chunks_exact(self.windows.len()).take(count) {
                    for (window, sample) in self.windows.iter_mut().zip(frame) {
                        if window.len() == WINDOW {
                            window.pop_front();
                        }
                        window.push_back(*sample);
                    }
                }
                self.since_look += count;
            }
            Err(error) => tracing::warn!(%error, "audio packet not decoded"),
        }
    }

    /// The tone's share, the loudest sample and the channels, now and then. Of stereo
    /// both channels are heard together, of surround the front left one.
    pub fn look(&mut self) -> Option<Look> {
        if self.since_look < LOOK_EVERY {
            return None;
        }
        self.since_look = 0;
        let channel_tones =
            self.windows.iter_mut().map(|window| strongest(window.make_contiguous())).collect();
        let front: Vec<f32> = match self.windows.as_slice() {
            [left, right] => left.iter().zip(right).map(|(left, right)| (left + right) / 2.0).collect(),
            [left, ..] => left.iter().copied().collect(),
            [] => return None,
        };
        let left: Vec<f32> = self.windows.first()?.iter().copied().collect();
        let left_share = share(&left, TONE);
        let loudness = front.iter().fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
        Some(Look { tone_share: share(&front, TONE), left_share, loudness, channel_tones })
    }
}

/// The share of a tone. A gap shifts the phase, so that the tone before and after it
/// would cancel out: short pieces tell what is heard, however it stutters.
fn share(samples: &[f32], hertz: f64) -> f64 {
    let shares = samples.chunks(PIECE).map(|piece| tone_share(piece, hertz, f64::from(RATE)));
    shares.sum::<f64>() / samples.len().div_ceil(PIECE).max(1) as f64
}

/// Which tone of the Test card is strongest in the end of one channel.
fn strongest(samples: &[f32]) -> (u32, f64) {
    let recent = &samples[samples.len().saturating_sub(2 * LOOK_EVERY)..];
    let shares = TONES.map(|hertz| (hertz, share(recent, f64::from(hertz))));
    shares.into_iter().fold((0, 0.0), |best, tone| if tone.1 > best.1 { tone } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tone_of_the_test_card_is_known_by_its_own_name() {
        for hertz in TONES {
            let step = std::f64::consts::TAU * f64::from(hertz) / f64::from(RATE);
            let samples: Vec<f32> = (0..9_600).map(|n| ((f64::from(n) * step).sin() * 0.1) as f32).collect();
            let (found, share) = strongest(&samples);
            assert_eq!(found, hertz);
            assert!(share > 0.99, "{hertz} Hz: {share}");
        }
        assert_eq!(strongest(&[0.0; 9_600]), (0, 0.0));
    }
}
