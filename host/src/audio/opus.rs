//! Opus as GameStream clients want it: 48 kHz, one of the layouts that this host
//! announces, restricted low delay, constant bitrate (sheet, section 12.1: clients give
//! up FEC when packets of a block differ in length).

use opus2::{Application, Bitrate, MSEncoder};
use punktfunk_core::gamestream::sdp::Layout;

use super::{AudioError, Config, SAMPLE_RATE};

/// Longest packet: a datagram of 1,400 bytes less the RTP header and the padding
/// of the encryption (sheet, section 12.2).
const MAX_PACKET: usize = 1_375;

/// Turns interleaved samples into packets of equal length.
pub struct Encoder {
    inner: MSEncoder,
    values: usize,
    packet: [u8; MAX_PACKET],
}

impl Encoder {
    /// An encoder for packets of `config`.
    pub fn new(config: &Config) -> Result<Self, AudioError> {
        let refused = AudioError::Channels(config.channels);
        let layout = Layout::of(config.channels, config.high_quality).ok_or(refused)?;
        // Every channel goes where it stands: the layouts are announced for that.
        let identity: Vec<u8> = (0..layout.channels).collect();
        let mut inner =
            MSEncoder::new(SAMPLE_RATE, layout.streams, layout.coupled, &identity, Application::LowDelay)?;
        let samples = config.packet_samples();
        // Only surround of high quality in 10 ms is bounded by the datagram: no stock
        // client asks for that.
        let most = MAX_PACKET * 8 * SAMPLE_RATE as usize / samples;
        let bitrate = most.min(config.bitrate() as usize);
        inner.set_bitrate(Bitrate::Bits(i32::try_from(bitrate).unwrap_or(i32::MAX)))?;
        inner.set_vbr(false)?;
        Ok(Self { inner, values: samples * identity.len(), packet: [0; MAX_PACKET] })
    }

    /// Interleaved values in one packet.
    pub const fn values(&self) -> usize {
        self.values
    }

    /// Codes [`Encoder::values`] interleaved values, from −1 to 1.
    pub fn encode(&mut self, values: &[f32]) -> Result<&[u8], AudioError> {
        let length = self.inner.encode_float(values, &mut self.packet)?;
        Ok(&self.packet[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    fn config(channels: u8, high_quality: bool, packet_us: u32) -> Config {
        Config { source: Source::Null, channels, high_quality, packet_us, local: None }
    }

    #[test]
    fn packets_have_the_length_that_the_bitrate_says_whatever_they_hold() {
        for (channels, high_quality, lengths) in [
            (2, false, [30, 60, 120]),
            (2, true, [160, 320, 640]),
            (6, false, [80, 160, 320]),
            (6, true, [480, 960, 1375]),
            (8, false, [140, 281, 562]),
            (8, true, [640, 1280, 1375]),
        ] {
            for (packet_us, length) in [2_500, 5_000, 10_000].into_iter().zip(lengths) {
                let mut encoder = Encoder::new(&config(channels, high_quality, packet_us)).expect("opus");
                for index in 0..20 {
                    let loud = if index % 2 == 0 { 0.0 } else { 0.7 };
                    let values: Vec<f32> =
                        (0..encoder.values()).map(|i| loud * ((i * i % 977) as f32 / 977.0 - 0.5)).collect();
                    let coded = encoder.encode(&values).expect("coded").len();
                    assert_eq!(coded, length, "{channels} channels, {high_quality}, {packet_us} µs");
                }
            }
        }
    }

    #[test]
    fn other_counts_of_channels_are_refused() {
        for channels in [0, 1, 4, 9] {
            assert!(matches!(Encoder::new(&config(channels, false, 5_000)), Err(AudioError::Channels(_))));
        }
    }
}
