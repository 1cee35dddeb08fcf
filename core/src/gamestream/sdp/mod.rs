//! SDP: what the host offers in DESCRIBE and what the client settles in ANNOUNCE
//! (sheet, section 6).

mod announce;
mod exercise;
mod offer;

pub use announce::SdpError;
pub use exercise::exercise;
pub use offer::{Layout, Offer, SURROUND_PARAMS, encryption};

/// Everything a client settles in ANNOUNCE, each value with the default the sheet
/// gives when the attribute is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second (`maxFPS`).
    pub fps: u32,
    /// `P`, bytes: the size the video datagrams are built from, a multiple of 16.
    pub packet_size: usize,
    /// The user's bitrate in kbit/s, FEC and audio included
    /// (`configuredBitrateKbps`, else the smaller `maximumBitrateKbps`).
    pub bitrate_kbps: u32,
    /// `bitStreamFormat`.
    pub codec: Codec,
    /// Slices per frame the decoder would like, ≥ 1.
    pub slices: u32,
    /// Colour matrix.
    pub color_space: ColorSpace,
    /// True for full range samples.
    pub full_range: bool,
    /// A 10-bit codec was negotiated.
    pub ten_bit: bool,
    /// 4:4:4 chroma.
    pub chroma_444: bool,
    /// `maxNumReferenceFrames`: 1 = one reference only, 0 = the host decides.
    pub reference_frames: u32,
    /// Least parity shards per block.
    pub min_parity: usize,
    /// Audio channels (2, 6 or 8).
    pub audio_channels: u8,
    /// The high-quality layout is wanted. For stereo SDP does not say it: the RTSP
    /// side fills it in from the `Host` header (section 12.1).
    pub audio_high_quality: bool,
    /// Milliseconds of sound per packet, 5 or 10.
    pub audio_packet_ms: u32,
    /// Control messages use the v2 encryption.
    pub control_v2: bool,
    /// Video datagrams are encrypted.
    pub encrypt_video: bool,
    /// Audio payloads are encrypted (either sign of section 12.4).
    pub encrypt_audio: bool,
    /// The client identifies its sockets by the ping payload and connect data.
    pub ping_payload: bool,
    /// The client reports the FEC status of damaged frames.
    pub fec_status: bool,
    /// The client asks for marked packets.
    pub qos: bool,
}

/// What the picture is coded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264.
    H264,
    /// HEVC.
    Hevc,
    /// AV1.
    Av1,
}

/// Which matrix turns RGB into Y'CbCr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorSpace {
    /// Rec. 601.
    Rec601,
    /// Rec. 709.
    Rec709,
    /// Rec. 2020.
    Rec2020,
}
