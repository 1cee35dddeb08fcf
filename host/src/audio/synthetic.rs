//! A sine of a given frequency on each channel, at −20 dBFS.

use super::{MAX_CHANNELS, SAMPLE_RATE};

/// −20 dBFS.
const AMPLITUDE: f64 = 0.1;

/// See the module.
pub struct Tones {
    channels: usize,
    phases: [f64; MAX_CHANNELS],
    steps: [f64; MAX_CHANNELS],
}

impl Tones {
    /// Tones of these frequencies, in hertz, on the first `channels` channels.
    pub fn new(frequencies: &[f32; MAX_CHANNELS], channels: u8) -> Self {
        Self {
            channels: usize::from(channels).clamp(1, MAX_CHANNELS),
            phases: [0.0; MAX_CHANNELS],
            steps: frequencies.map(|frequency| f64::from(frequency) / f64::from(SAMPLE_RATE)),
        }
    }

    /// Fills interleaved values with what follows.
    pub fn fill(&mut self, values: &mut [f32]) {
        for frame in values.chunks_mut(self.channels) {
            for ((value, phase), step) in frame.iter_mut().zip(&mut self.phases).zip(&self.steps) {
                *value = ((*phase * std::f64::consts::TAU).sin() * AMPLITUDE) as f32;
                *phase = (*phase + step).fract();
            }
        }
    }
}
