//! What a stream is, in words that belong to no protocol: each translates into this.

use std::fmt;

use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::sdp::{Codec, ColorSpace, StreamConfig};
use punktfunk_core::native::wire;

use super::{LaunchError, Mode};
use crate::{audio, encode};

/// Rate control buffer, in frames of the average size. A key frame may then take
/// three times the wire of an ordinary frame: sharp enough to read, gone in 50 ms.
const BUFFER_FRAMES: f32 = 3.0;

/// Picture and sound of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub mode: Mode,
    pub kind: Kind,
    pub color_space: ColorSpace,
    pub full_range: bool,
    /// A picture, as the decoder would like it.
    pub slices: u32,
    /// The user's bitrate, kbit/s.
    pub bitrate_kbps: u32,
    pub sound: Sound,
}

/// A kind of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub codec: Codec,
    pub ten_bit: bool,
    pub chroma_444: bool,
}

impl From<wire::Codec> for Kind {
    fn from(codec: wire::Codec) -> Self {
        let family = match codec.family() {
            wire::Family::H264 => Codec::H264,
            wire::Family::Hevc => Codec::Hevc,
            wire::Family::Av1 => Codec::Av1,
        };
        Self { codec: family, ten_bit: codec.ten_bits(), chroma_444: codec.full_chroma() }
    }
}

impl From<Kind> for wire::Codec {
    fn from(kind: Kind) -> Self {
        let family = match kind.codec {
            Codec::H264 => wire::Family::H264,
            Codec::Hevc => wire::Family::Hevc,
            Codec::Av1 => wire::Family::Av1,
        };
        Self::new(family, kind.ten_bit, kind.chroma_444)
    }
}

/// How the sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    /// 2, 6 or 8; 0 for no sound.
    pub channels: u8,
    pub high_quality: bool,
    pub packet_us: u32,
}

impl From<&StreamConfig> for Config {
    fn from(settled: &StreamConfig) -> Self {
        let StreamConfig { width, height, fps, codec, ten_bit, chroma_444, .. } = *settled;
        Self {
            mode: Mode { width, height, fps },
            kind: Kind { codec, ten_bit, chroma_444 },
            color_space: settled.color_space,
            full_range: settled.full_range,
            slices: settled.slices,
            bitrate_kbps: settled.bitrate_kbps,
            sound: Sound {
                channels: settled.audio_channels,
                high_quality: settled.audio_high_quality,
                packet_us: settled.audio_packet_ms * 1_000,
            },
        }
    }
}

impl Config {
    /// What the encoder is asked for.
    pub fn wish(&self, bitrate_bps: u64, backend: Option<encode::Backend>) -> encode::Config {
        let (Mode { width, height, fps }, Kind { codec, ten_bit, chroma_444 }) = (self.mode, self.kind);
        encode::Config {
            codec,
            ten_bit,
            chroma_444,
            width,
            height,
            fps,
            bitrate_bps,
            slices: self.slices,
            color_space: self.color_space,
            full_range: self.full_range,
            buffer_frames: BUFFER_FRAMES,
            backend,
        }
    }
}

impl Sound {
    /// What is recorded and coded.
    pub fn stage(self, source: audio::Source) -> audio::Config {
        let Self { channels, high_quality, packet_us } = self;
        audio::Config { source, channels, high_quality, packet_us, local: None }
    }
}

impl Kind {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self.codec {
            Codec::H264 => "H.264",
            Codec::Hevc => "HEVC",
            Codec::Av1 => "AV1",
        }
    }

    /// Whether it is among these `codec_mode` bits.
    pub fn is_in(self, codec_modes: u32) -> bool {
        let bit = codec_mode::bit(self.codec, self.ten_bit, self.chroma_444);
        bit.is_some_and(|bit| codec_modes & bit != 0)
    }

    /// Refuses what this host does not announce.
    pub fn supported(self, codec_modes: u32) -> Result<(), LaunchError> {
        if self.is_in(codec_modes) {
            return Ok(());
        }
        let why = format!("this host does not offer {self}: choose another codec in the client");
        Err(LaunchError::Unsupported(why))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depth = if self.ten_bit { " with 10 bits" } else { "" };
        let chroma = if self.chroma_444 { " in 4:4:4" } else { "" };
        write!(f, "{}{depth}{chroma}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_announced_is_refused_with_its_name() {
        let h264 = codec_mode::H264;
        let kind = |codec, ten_bit, chroma_444| Kind { codec, ten_bit, chroma_444 };
        assert!(kind(Codec::H264, false, false).supported(h264).is_ok());
        let hevc = kind(Codec::Hevc, true, false);
        let why = hevc.supported(h264 | codec_mode::HEVC).unwrap_err().to_string();
        assert!(why.contains("HEVC with 10"), "{why}");
        assert!(hevc.supported(codec_mode::HEVC_MAIN10).is_ok());
        assert!(kind(Codec::H264, true, false).supported(u32::MAX).is_err());
        assert!(kind(Codec::H264, false, true).supported(h264).is_err());
    }

    #[test]
    fn what_gamestream_settled_is_kept() {
        let settled = b"a=x-nv-video[0].clientViewportWd:1280 \r\na=x-nv-video[0].clientViewportHt:720 \r\n\
            a=x-nv-video[0].maxFPS:120 \r\na=x-nv-vqos[0].bitStreamFormat:1 \r\n\
            a=x-nv-audio.surround.numChannels:6 \r\na=x-nv-aqos.packetDuration:10 \r\n";
        let settled = StreamConfig::from_announce(settled).expect("it is an ANNOUNCE");
        let config = Config::from(&settled);
        assert_eq!(config.mode, Mode { width: 1280, height: 720, fps: 120 });
        assert_eq!(config.kind.name(), "HEVC");
        assert_eq!((config.sound.channels, config.sound.packet_us), (6, 10_000));
        let wish = config.wish(5_000_000, None);
        assert_eq!((wish.codec, wish.fps, wish.bitrate_bps), (Codec::Hevc, 120, 5_000_000));
    }

    #[test]
    fn kinds_are_numbered_as_the_protocol_says() {
        for number in (1..=3).chain(17..=19).chain(33..=35).chain(49..=51) {
            let codec = wire::Codec::from_number(number).expect("it is one");
            assert_eq!(wire::Codec::from(Kind::from(codec)), codec);
        }
        let kind = Kind::from(wire::Codec::HEVC_10);
        assert_eq!(kind, Kind { codec: Codec::Hevc, ten_bit: true, chroma_444: false });
    }
}
