//! Encoders: a picture goes in, an access unit comes out.
//!
//! | backend | file | codes | needs | slices | bitrate while running |
//! |---|---|---|---|---|---|
//! | libx264 | `x264.rs` | H.264, also 4:4:4 | an FFmpeg with libx264 | as asked | yes |
//! | OpenH264 | `openh264.rs` | H.264 | nothing, it is built in | one | yes |
//! | libx265 | `x265.rs` | HEVC, 8 and 10 bit, also 4:4:4 | an FFmpeg with libx265 | one | with a key frame |
//! | libaom | `aom.rs` | AV1, 8 and 10 bit, also 4:4:4 | an FFmpeg with libaom | tiles | with a key frame |
//! | synthetic | `synthetic.rs` | H.264, no picture to see | nothing | one | yes |
//!
//! [`open`] takes the first one that works and keeps the reasons of the others. Which
//! kinds of picture work on this machine is found out by [`trial`], in a process of
//! its own.
//! An encoder belongs to one thread (`punktfunk-encode`); it keeps the coded form
//! of the last picture, so that a still screen can be repeated without its pixels.

mod aom;
pub mod convert;
mod ffi;
mod ffmpeg;
mod openh264;
pub mod picture;
mod synthetic;
#[cfg(test)]
mod tests;
pub mod trial;
mod x264;
mod x265;

use punktfunk_core::gamestream::sdp::{Codec, ColorSpace};
use punktfunk_core::gamestream::video::FrameKind;

use ffmpeg::Ffmpeg;
pub use picture::{Picture, Rect};

/// What the pictures are and what the stream shall be.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What to code with.
    pub codec: Codec,
    /// Ten bits a sample instead of eight.
    pub ten_bit: bool,
    /// Colour at full resolution (4:4:4) instead of half (4:2:0).
    pub chroma_444: bool,
    /// Pixels; odd is allowed, the coded size is padded to even.
    pub width: u32,
    /// Pixels; odd is allowed, the coded size is padded to even.
    pub height: u32,
    /// Pictures a second, at most.
    pub fps: u32,
    /// Bits a second of coded pictures.
    pub bitrate_bps: u64,
    /// Slices per picture the decoder would like, ≥ 1.
    pub slices: u32,
    /// The matrix, signalled in the stream.
    pub color_space: ColorSpace,
    /// Full range samples, signalled in the stream.
    pub full_range: bool,
    /// How many pictures' worth of bits one picture may take at most (the buffer
    /// of the rate control). Small keeps the time on the wire even, large makes
    /// key frames look better.
    pub buffer_frames: f32,
    /// Which backend to take, if it codes this codec; `None` takes the first that
    /// works.
    pub backend: Option<Backend>,
}

impl Config {
    /// The rate control buffer in bits, at `bitrate_bps`.
    fn buffer_bits(&self, bitrate_bps: u64) -> u64 {
        let frame = bitrate_bps as f64 / f64::from(self.fps.max(1));
        (frame * f64::from(self.buffer_frames.clamp(0.5, 120.0))) as u64
    }

    /// The size that is coded: even, because chroma has half the resolution.
    pub const fn coded_size(&self) -> (u32, u32) {
        (self.width.next_multiple_of(2), self.height.next_multiple_of(2))
    }

    fn check(&self) -> Result<(), EncodeError> {
        // Level 6.2 of H.264 ends at 16 384 in each direction; 64 keeps a slice
        // and the converter's arithmetic sensible.
        let sides = 16..=16_384;
        if !sides.contains(&self.width) || !sides.contains(&self.height) {
            return Err(EncodeError::Unsupported(format!(
                "a picture of {}x{} cannot be coded: each side must be between 16 and 16384",
                self.width, self.height
            )));
        }
        if self.fps == 0 || self.bitrate_bps == 0 {
            return Err(EncodeError::Unsupported(
                "the frame rate and the bitrate must be greater than zero".into(),
            ));
        }
        Ok(())
    }
}

/// One coded picture. The bytes are the encoder's and valid until its next call.
#[derive(Clone, Copy, Debug)]
pub struct AccessUnit<'a> {
    /// H.264 and HEVC: Annex B, beginning with a start code; an IDR picture begins
    /// with its parameter sets and its slice follows them directly. AV1: a temporal
    /// unit, with a sequence header in each key frame.
    pub data: &'a [u8],
    /// What it refers to; decoding can begin at [`FrameKind::Idr`].
    pub kind: FrameKind,
}

impl AccessUnit<'_> {
    /// Decoding can begin here.
    pub fn idr(&self) -> bool {
        self.kind == FrameKind::Idr
    }
}

/// How an encoder finds back into the stream after frames were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The lost frames are older than what the next ones refer to: nothing to do.
    Needless,
    /// The next picture refers to none of them.
    NextPicture,
    /// Only an IDR picture helps: ask for it.
    KeyFrame,
}

/// Turns pictures into access units. One call, one access unit, no delay.
pub trait Encoder: Send {
    /// Codes `picture`. The first one is an IDR picture; a later one when
    /// `force_idr` is set, and only then.
    fn encode(&mut self, picture: &Picture<'_>, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError>;

    /// Codes the last picture again, which costs a few bytes (and refines it while
    /// the rate control thinks that worthwhile). Fails before the first `encode`.
    fn repeat(&mut self, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError>;

    /// From the next picture on, `bps` bits a second.
    fn set_bitrate(&mut self, bps: u64) -> Result<(), EncodeError>;

    /// Frames `first..=last`, by the numbers the client knows, are lost: nothing may
    /// refer to them. Encoders that cannot leave frames out answer
    /// [`Recovery::KeyFrame`].
    fn invalidate(&mut self, _first: u32, _last: u32) -> Recovery {
        Recovery::KeyFrame
    }

    /// The client has the long-term reference `frame` whole: it may be referred to.
    fn acknowledge(&mut self, _frame: u32) {}

    /// What this is, for logs and `doctor`.
    fn describe(&self) -> Description;
}

/// What an encoder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Which backend.
    pub backend: Backend,
    /// Slices per picture that it really makes.
    pub slices: u32,
    /// Coded size, pixels.
    pub coded_size: (u32, u32),
    /// Why the backends before it in the table were not taken.
    pub refused: Vec<Refusal>,
}

/// A backend that was tried and not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub backend: Backend,
    /// Why, and what to do about it.
    pub reason: String,
}

/// The backends, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// libx264 through FFmpeg.
    X264,
    /// The OpenH264 library, built in.
    OpenH264,
    /// libx265 through FFmpeg.
    X265,
    /// libaom through FFmpeg.
    Aom,
    /// No encoder at all: access units of the right size without a picture. Never
    /// taken unless asked for.
    Synthetic,
}

impl Backend {
    /// The name used in the configuration and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X264 => "x264",
            Self::OpenH264 => "openh264",
            Self::X265 => "x265",
            Self::Aom => "aom",
            Self::Synthetic => "synthetic",
        }
    }

    /// The backend of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::X264, Self::OpenH264, Self::X265, Self::Aom, Self::Synthetic];
        all.into_iter().find(|backend| backend.name() == name)
    }

    /// It takes another bitrate while it runs without beginning anew.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::X265 | Self::Aom)
    }

    /// What can code such pictures, in the order in which they are tried.
    const fn all_for(codec: Codec) -> &'static [Self] {
        match codec {
            Codec::H264 => &[Self::X264, Self::OpenH264],
            Codec::Hevc => &[Self::X265],
            Codec::Av1 => &[Self::Aom],
        }
    }

    /// It codes such pictures.
    pub fn codes(self, codec: Codec) -> bool {
        Self::all_for(codec).contains(&self) || (self == Self::Synthetic && codec == Codec::H264)
    }
}

/// Why a picture could not be coded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The wish cannot be met by any backend.
    #[error("{0}")]
    Unsupported(String),
    /// Every backend that was tried refused.
    #[error("no encoder works here: {0}")]
    NoBackend(String),
    /// The picture is not what the encoder was opened for.
    #[error("the picture is {}x{}, the encoder was opened for {}x{}", found.0, found.1, expected.0, expected.1)]
    WrongSize {
        /// Size the encoder was opened for.
        expected: (u32, u32),
        /// Size of the picture.
        found: (u32, u32),
    },
    /// There are fewer bytes than the picture's size and stride need.
    #[error("the picture's memory is smaller than its size and stride say")]
    ShortPicture,
    /// A repetition was asked for before there was a picture.
    #[error("there is no picture yet that could be repeated")]
    NothingToRepeat,
    /// FFmpeg failed.
    #[error("FFmpeg failed to encode")]
    Ffmpeg(#[from] ffmpeg_next::Error),
    /// OpenH264 failed.
    #[error("OpenH264 failed to encode")]
    OpenH264(#[from] ::openh264::Error),
    /// The encoder kept the picture to itself.
    #[error("{0} gave no access unit for a picture")]
    NoOutput(&'static str),
}

/// Opens the first encoder that works for `config`, or the one it names.
pub fn open(config: &Config) -> Result<Box<dyn Encoder>, EncodeError> {
    open_without(config, &[])
}

/// The same without those that failed while they ran.
pub fn open_without(config: &Config, failed: &[Backend]) -> Result<Box<dyn Encoder>, EncodeError> {
    config.check()?;
    if config.codec == Codec::H264 && config.ten_bit {
        return Err(EncodeError::Unsupported("H.264 is coded with 8 bits: ask for HEVC or AV1".into()));
    }
    let named = config.backend.filter(|backend| backend.codes(config.codec)).map(|backend| [backend]);
    let mut refused = Vec::new();
    for &backend in named.as_ref().map_or(Backend::all_for(config.codec), |named| &named[..]) {
        if failed.contains(&backend) {
            refused.push(Refusal { backend, reason: "it failed while it ran".into() });
            continue;
        }
        let through_ffmpeg = |library| Ffmpeg::open(library, config, &refused).map(|e| Box::new(e) as _);
        let opened: Result<Box<dyn Encoder>, EncodeError> = match backend {
            Backend::X264 => through_ffmpeg(&x264::X264),
            Backend::X265 => through_ffmpeg(&x265::X265),
            Backend::Aom => through_ffmpeg(&aom::AOM),
            Backend::OpenH264 => openh264::OpenH264::open(config, &refused).map(|e| Box::new(e) as _),
            Backend::Synthetic => Ok(Box::new(synthetic::Synthetic::new(config))),
        };
        match opened {
            Ok(encoder) => return Ok(encoder),
            Err(error) => refused.push(Refusal { backend, reason: chain(&error) }),
        }
    }
    let reasons: Vec<_> = refused.iter().map(|r| format!("{}: {}", r.backend.name(), r.reason)).collect();
    Err(EncodeError::NoBackend(reasons.join("; ")))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
