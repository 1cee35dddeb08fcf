//! The ANNOUNCE payload: what the client settles (sheet, section 6.2).

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::{Codec, ColorSpace, StreamConfig, encryption};

/// Largest payload that is read, bytes.
const MAX_LEN: usize = 64 * 1024;

const ML_FEC_STATUS: u32 = 1;
const ML_PING_PAYLOAD: u32 = 2;
/// `x-nv-general.featureFlags` of stock clients, and the bit that means encrypted
/// sound whatever else is said (section 12.4).
const NV_FEATURES: u32 = 0x87;
const NV_AUDIO_ENCRYPTED: u32 = 0x20;

/// An ANNOUNCE asks for something that cannot be done. Answer with status 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Too long, or not text.
    #[error("the ANNOUNCE payload is not readable")]
    Unreadable,
    /// A value is no number.
    #[error("the attribute {0} is not a number")]
    NotANumber(&'static str),
    /// A value is out of bounds.
    #[error("{name} is {value}, but {wanted}")]
    OutOfBounds {
        /// The attribute.
        name: &'static str,
        /// What it says.
        value: u32,
        /// What would be right.
        wanted: &'static str,
    },
}

const WIDTH: &str = "x-nv-video[0].clientViewportWd";
const HEIGHT: &str = "x-nv-video[0].clientViewportHt";
const FPS: &str = "x-nv-video[0].maxFPS";
const PACKET_SIZE: &str = "x-nv-video[0].packetSize";
const BITRATE: &str = "x-ml-video.configuredBitrateKbps";
const MAX_BITRATE: &str = "x-nv-vqos[0].bw.maximumBitrateKbps";
const MIN_PARITY: &str = "x-nv-vqos[0].fec.minRequiredFecPackets";
const CODEC: &str = "x-nv-vqos[0].bitStreamFormat";
const SLICES: &str = "x-nv-video[0].videoEncoderSlicesPerFrame";
const CSC: &str = "x-nv-video[0].encoderCscMode";
const DYNAMIC_RANGE: &str = "x-nv-video[0].dynamicRangeMode";
const CHROMA: &str = "x-ss-video[0].chromaSamplingType";
const REFERENCES: &str = "x-nv-video[0].maxNumReferenceFrames";
const CHANNELS: &str = "x-nv-audio.surround.numChannels";
const AUDIO_QUALITY: &str = "x-nv-audio.surround.AudioQuality";
const AUDIO_MS: &str = "x-nv-aqos.packetDuration";
const ENCRYPTION: &str = "x-ss-general.encryptionEnabled";
const ML_FEATURES: &str = "x-ml-general.featureFlags";
const FEATURES: &str = "x-nv-general.featureFlags";
const VIDEO_QOS: &str = "x-nv-vqos[0].qosTrafficType";
const AUDIO_QOS: &str = "x-nv-aqos.qosTrafficType";

/// The attributes of a payload; the last of equal names counts.
struct Attributes<'a>(HashMap<&'a str, &'a str>);

impl<'a> Attributes<'a> {
    fn parse(text: &'a str) -> Self {
        let attributes = text.lines().filter_map(|line| line.trim().strip_prefix("a=")?.split_once(':'));
        Self(attributes.map(|(name, value)| (name.trim(), value.trim())).collect())
    }

    fn number(&self, name: &'static str) -> Result<Option<u32>, SdpError> {
        self.0.get(name).map(|value| value.parse().map_err(|_| SdpError::NotANumber(name))).transpose()
    }

    fn or(&self, name: &'static str, default: u32) -> Result<u32, SdpError> {
        Ok(self.number(name)?.unwrap_or(default))
    }

    fn within(
        &self,
        name: &'static str,
        default: u32,
        bounds: RangeInclusive<u32>,
        wanted: &'static str,
    ) -> Result<u32, SdpError> {
        let value = self.or(name, default)?;
        if bounds.contains(&value) { Ok(value) } else { Err(SdpError::OutOfBounds { name, value, wanted }) }
    }

    /// A value that must be one of the list.
    fn choice<T: Copy>(
        &self,
        name: &'static str,
        default: u32,
        list: &[(u32, T)],
        wanted: &'static str,
    ) -> Result<T, SdpError> {
        let value = self.or(name, default)?;
        let found = list.iter().find(|(key, _)| *key == value).map(|(_, choice)| *choice);
        found.ok_or(SdpError::OutOfBounds { name, value, wanted })
    }

    /// Pixels. Odd is allowed: the encoder pads.
    fn side(&self, name: &'static str, default: u32) -> Result<u32, SdpError> {
        self.within(name, default, 64..=8192, "64 to 8192 pixels can be streamed")
    }
}

const CODECS: [(u32, Codec); 3] = [(0, Codec::H264), (1, Codec::Hevc), (2, Codec::Av1)];
const SPACES: [(u32, ColorSpace); 3] =
    [(0, ColorSpace::Rec601), (1, ColorSpace::Rec709), (2, ColorSpace::Rec2020)];

impl StreamConfig {
    /// Reads the payload of an ANNOUNCE. Unknown attributes are ignored, missing
    /// ones have a default.
    pub fn from_announce(payload: &[u8]) -> Result<Self, SdpError> {
        if payload.len() > MAX_LEN {
            return Err(SdpError::Unreadable);
        }
        let text = std::str::from_utf8(payload).map_err(|_| SdpError::Unreadable)?;
        let a = Attributes::parse(text);
        let wanted = "a multiple of 16 from 256 to 1392 fits a datagram";
        let packet_size = a.within(PACKET_SIZE, 1024, 256..=1392, wanted)?;
        if packet_size % 16 != 0 {
            return Err(SdpError::OutOfBounds { name: PACKET_SIZE, value: packet_size, wanted });
        }
        let default_bitrate = a.or(MAX_BITRATE, 10_000)?;
        let csc = a.or(CSC, 0)?;
        let space = SPACES.iter().find(|(key, _)| *key == csc >> 1).map(|(_, space)| *space);
        let encrypted = a.or(ENCRYPTION, 0)?;
        let features = a.or(FEATURES, 0)?;
        let ml_features = a.or(ML_FEATURES, 0)?;
        Ok(Self {
            width: a.side(WIDTH, 1280)?,
            height: a.side(HEIGHT, 720)?,
            fps: a.within(FPS, 60, 1..=480, "1 to 480 frames a second can be streamed")?,
            packet_size: packet_size as usize,
            bitrate_kbps: a.within(
                BITRATE,
                default_bitrate,
                100..=1_000_000,
                "100 kbit/s to 1 Gbit/s can be streamed",
            )?,
            codec: a.choice(CODEC, 0, &CODECS, "0 (H.264), 1 (HEVC) and 2 (AV1) are known")?,
            slices: a.within(SLICES, 1, 0..=64, "up to 64 slices can be made")?.max(1),
            color_space: space.ok_or(SdpError::OutOfBounds {
                name: CSC,
                value: csc,
                wanted: "0 to 5 are known",
            })?,
            full_range: csc & 1 != 0,
            ten_bit: a.or(DYNAMIC_RANGE, 0)? != 0,
            chroma_444: a.or(CHROMA, 0)? == 1,
            reference_frames: a.or(REFERENCES, 0)?,
            min_parity: a.within(MIN_PARITY, 2, 0..=64, "up to 64 parity shards can be added")? as usize,
            audio_channels: a.choice(
                CHANNELS,
                2,
                &[(2, 2), (6, 6), (8, 8)],
                "2, 6 or 8 channels can be played",
            )?,
            audio_high_quality: a.or(AUDIO_QUALITY, 0)? == 1,
            audio_packet_ms: if a.or(AUDIO_MS, 5)? < 8 { 5 } else { 10 },
            control_v2: encrypted & encryption::CONTROL_V2 != 0,
            encrypt_video: encrypted & encryption::VIDEO != 0,
            encrypt_audio: encrypted & encryption::AUDIO != 0 || features & NV_AUDIO_ENCRYPTED != 0,
            ping_payload: ml_features & ML_PING_PAYLOAD != 0,
            fec_status: ml_features & ML_FEC_STATUS != 0,
            qos: a.or(VIDEO_QOS, 0)? != 0 || a.or(AUDIO_QOS, 0)? != 0,
        })
    }

    /// The payload a client sends: `host` as it reached the host, and the UDP port of
    /// the picture.
    pub fn to_announce(&self, host: &str, video_port: u16) -> String {
        let family = if host.contains(':') { "IPv6" } else { "IPv4" };
        let mut out = format!("v=0\r\no=android 0 14 IN {family} {host}\r\ns=NVIDIA Streaming Client\r\n");
        for (name, value) in self.attributes() {
            // Stock clients put a blank before the line end.
            out.push_str(&format!("a={name}:{value} \r\n"));
        }
        out.push_str(&format!("t=0 0\r\nm=video {video_port}  \r\n"));
        out
    }

    fn attributes(&self) -> Vec<(&'static str, u32)> {
        let bit = |on: bool, bit: u32| if on { bit } else { 0 };
        let codec = CODECS.iter().find(|(_, codec)| *codec == self.codec).map_or(0, |(key, _)| *key);
        let space = SPACES.iter().find(|(_, space)| *space == self.color_space).map_or(0, |(key, _)| *key);
        let mask = match self.audio_channels {
            8 => 1599,
            6 => 63,
            _ => 3,
        };
        let encrypted = bit(self.control_v2, encryption::CONTROL_V2)
            | bit(self.encrypt_video, encryption::VIDEO)
            | bit(self.encrypt_audio, encryption::AUDIO);
        let stream_bitrate = (self.bitrate_kbps / 5).saturating_mul(4).min(100_000);
        vec![
            (ML_FEATURES, bit(self.fec_status, ML_FEC_STATUS) | bit(self.ping_payload, ML_PING_PAYLOAD)),
            (ENCRYPTION, encrypted),
            (CHROMA, bit(self.chroma_444, 1)),
            (WIDTH, self.width),
            (HEIGHT, self.height),
            (FPS, self.fps),
            ("x-nv-video[0].clientRefreshRateX100", self.fps.saturating_mul(100)),
            (PACKET_SIZE, u32::try_from(self.packet_size).unwrap_or(u32::MAX)),
            ("x-nv-video[0].rateControlMode", 4),
            ("x-nv-video[0].timeoutLengthMs", 7000),
            ("x-nv-video[0].framesWithInvalidRefThreshold", 0),
            ("x-nv-video[0].initialBitrateKbps", stream_bitrate),
            ("x-nv-video[0].initialPeakBitrateKbps", stream_bitrate),
            ("x-nv-vqos[0].bw.minimumBitrateKbps", stream_bitrate),
            (MAX_BITRATE, stream_bitrate),
            (BITRATE, self.bitrate_kbps),
            ("x-nv-vqos[0].fec.enable", 1),
            (MIN_PARITY, u32::try_from(self.min_parity).unwrap_or(u32::MAX)),
            ("x-nv-vqos[0].bllFec.enable", 0),
            ("x-nv-vqos[0].videoQualityScoreUpdateTime", 5000),
            ("x-nv-vqos[0].drc.enable", 0),
            ("x-nv-general.enableRecoveryMode", 0),
            (VIDEO_QOS, bit(self.qos, 5)),
            (AUDIO_QOS, bit(self.qos, 4)),
            (FEATURES, NV_FEATURES | bit(self.encrypt_audio, NV_AUDIO_ENCRYPTED)),
            ("x-nv-general.useReliableUdp", 13),
            (SLICES, self.slices),
            ("x-nv-clientSupportHevc", bit(self.codec == Codec::Hevc, 1)),
            (CODEC, codec),
            (DYNAMIC_RANGE, bit(self.ten_bit, 1)),
            (REFERENCES, self.reference_frames),
            (CSC, space << 1 | bit(self.full_range, 1)),
            (CHANNELS, u32::from(self.audio_channels)),
            ("x-nv-audio.surround.channelMask", mask),
            ("x-nv-audio.surround.enable", bit(self.audio_channels > 2, 1)),
            (AUDIO_QUALITY, bit(self.audio_high_quality, 1)),
            (AUDIO_MS, self.audio_packet_ms),
        ]
    }
}
