//! What all encoders of FFmpeg have in common: a context, the frame it reads, the
//! conversion straight into that frame, and the packet that comes out.
//!
//! One picture in, one access unit out: an encoder that keeps pictures to itself is
//! refused. What differs between them stands in a [`Library`] each.

use std::sync::Once;

use ffmpeg_next::{Dictionary, Packet, Rational, codec, color, encoder, format, frame, picture as av};
use punktfunk_core::gamestream::sdp::ColorSpace;
use punktfunk_core::gamestream::video::FrameKind;

use super::convert::{Converter, Planes, Sample};
use super::{AccessUnit, Backend, Config, Description, EncodeError, Encoder, Picture, Refusal, ffi};

/// No key frame but those asked for: more pictures than a stream ever has.
pub(super) const NO_KEY_FRAMES: u32 = 1 << 30;
/// Pixels a second that one thread is expected to carry.
const PIXELS_OF_A_THREAD: u64 = 1280 * 720 * 60;

/// One encoder of FFmpeg.
pub(super) struct Library {
    pub backend: Backend,
    /// What FFmpeg calls it.
    pub name: &'static str,
    /// Quantizers below this are not visible on a screen; without the limit a still
    /// picture would be refined for ever.
    pub finest_quantizer: i32,
    /// Slices per picture, of the decoder's wish.
    pub slices: fn(&Config) -> u32,
    /// Its own options; the second argument is the slices.
    pub options: fn(&Config, u32) -> Dictionary<'static>,
    /// Leaves out of an access unit what must not be there; the new length.
    pub strip: fn(&mut [u8]) -> usize,
    /// It takes a new bitrate with its next picture; else it is opened anew for it,
    /// with the next key frame.
    pub live_bitrate: bool,
}

/// See the module.
pub(super) struct Ffmpeg {
    library: &'static Library,
    config: Config,
    refused: Vec<Refusal>,
    slices: u32,
    encoder: encoder::Video,
    converter: Converter,
    frame: frame::Video,
    packet: Packet,
    /// Number of the next picture, the encoder's clock.
    next: i64,
    /// The bitrate differs from what the encoder was opened with.
    outdated: bool,
}

impl Ffmpeg {
    /// Opens the library, or says what is missing.
    pub fn open(
        library: &'static Library,
        config: &Config,
        refused: &[Refusal],
    ) -> Result<Self, EncodeError> {
        quiet();
        let slices = (library.slices)(config);
        let (width, height) = config.coded_size();
        let encoder = open(library, config, slices)?;
        let mut frame = frame::Video::new(pixel(config), width, height);
        frame.set_color_space(signalled(config.color_space).0);
        frame.set_color_range(range(config));
        Ok(Self {
            library,
            converter: Converter::new(config),
            config: config.clone(),
            refused: refused.to_vec(),
            slices,
            encoder,
            frame,
            packet: Packet::empty(),
            next: 0,
            outdated: false,
        })
    }

    fn convert<S: Sample>(&mut self, picture: &Picture<'_>) -> Result<(), EncodeError> {
        let strides = [0, 1, 2].map(|plane| self.frame.stride(plane) / size_of::<S>());
        ffi::with_planes::<S, _>(&mut self.frame, |y, u, v| {
            self.converter.update(picture, &mut Planes { y, u, v, strides })
        })?;
        Ok(())
    }

    fn run(&mut self, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        if force_idr && self.outdated {
            self.encoder = open(self.library, &self.config, self.slices)?;
            self.outdated = false;
        }
        self.frame.set_kind(if force_idr { av::Type::I } else { av::Type::None });
        self.frame.set_pts(Some(self.next));
        self.next += 1;
        self.encoder.send_frame(&self.frame)?;
        self.encoder.receive_packet(&mut self.packet)?;
        let idr = self.packet.is_key();
        let data = self.packet.data_mut().ok_or(EncodeError::NoOutput(self.library.name))?;
        let length = (self.library.strip)(data);
        let kind = if idr { FrameKind::Idr } else { FrameKind::P };
        Ok(AccessUnit { data: &data[..length], kind })
    }
}

impl Encoder for Ffmpeg {
    fn encode(&mut self, picture: &Picture<'_>, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        if self.config.ten_bit {
            self.convert::<u16>(picture)?;
        } else {
            self.convert::<u8>(picture)?;
        }
        self.run(force_idr)
    }

    fn repeat(&mut self, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        if self.next == 0 {
            return Err(EncodeError::NothingToRepeat);
        }
        self.run(force_idr)
    }

    fn set_bitrate(&mut self, bps: u64) -> Result<(), EncodeError> {
        self.outdated = !self.library.live_bitrate && (self.outdated || bps != self.config.bitrate_bps);
        self.config.bitrate_bps = bps;
        if self.library.live_bitrate {
            ffi::set_rate(&mut self.encoder, bps, self.config.buffer_bits(bps));
        }
        Ok(())
    }

    fn describe(&self) -> Description {
        Description {
            backend: self.library.backend,
            slices: self.slices,
            coded_size: self.config.coded_size(),
            refused: self.refused.clone(),
        }
    }
}

fn open(library: &Library, config: &Config, slices: u32) -> Result<encoder::Video, EncodeError> {
    let codec = encoder::find_by_name(library.name).ok_or_else(|| {
        EncodeError::Unsupported(format!("this FFmpeg has no {}: install one that has", library.name))
    })?;
    let (width, height) = config.coded_size();
    let (space, primaries, transfer) = signalled(config.color_space);
    let mut video = codec::Context::new_with_codec(codec).encoder().video()?;
    video.set_width(width);
    video.set_height(height);
    video.set_format(pixel(config));
    let fps = i32::try_from(config.fps).unwrap_or(i32::MAX);
    video.set_time_base(Rational(1, fps));
    video.set_frame_rate(Some(Rational(fps, 1)));
    video.set_gop(NO_KEY_FRAMES);
    video.set_max_b_frames(0);
    video.set_qmin(library.finest_quantizer);
    video.set_colorspace(space);
    video.set_color_range(range(config));
    video.set_color_primaries(primaries);
    video.set_color_transfer_characteristic(transfer);
    ffi::set_rate(&mut video, config.bitrate_bps, config.buffer_bits(config.bitrate_bps));
    Ok(video.open_with((library.options)(config, slices))?)
}

/// libavcodec prints to stderr by itself; only its errors are wanted there.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| ffmpeg_next::util::log::set_level(ffmpeg_next::util::log::Level::Error));
}

const fn pixel(config: &Config) -> format::Pixel {
    match (config.ten_bit, config.chroma_444) {
        (false, false) => format::Pixel::YUV420P,
        (false, true) => format::Pixel::YUV444P,
        (true, false) => format::Pixel::YUV420P10LE,
        (true, true) => format::Pixel::YUV444P10LE,
    }
}

const fn range(config: &Config) -> color::Range {
    if config.full_range { color::Range::JPEG } else { color::Range::MPEG }
}

const fn signalled(space: ColorSpace) -> (color::Space, color::Primaries, color::TransferCharacteristic) {
    use color::{Primaries, Space, TransferCharacteristic as Transfer};
    match space {
        ColorSpace::Rec601 => (Space::SMPTE170M, Primaries::SMPTE170M, Transfer::SMPTE170M),
        ColorSpace::Rec709 => (Space::BT709, Primaries::BT709, Transfer::BT709),
        ColorSpace::Rec2020 => (Space::BT2020NCL, Primaries::BT2020, Transfer::BT2020_10),
    }
}

/// Threads worth having for these pictures.
pub(super) fn threads(config: &Config) -> u32 {
    let pixels = u64::from(config.width) * u64::from(config.height) * u64::from(config.fps);
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    u32::try_from(pixels.div_ceil(PIXELS_OF_A_THREAD)).unwrap_or(cores).clamp(1, cores)
}
