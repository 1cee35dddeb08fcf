//! H.264 by OpenH264, which is built into the program: for an FFmpeg without
//! libx264.

use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder as Library, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
    RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;
use punktfunk_core::gamestream::sdp::ColorSpace;
use punktfunk_core::gamestream::video::{FrameKind, h264};

use super::convert::{Converter, Planes};
use super::{AccessUnit, Backend, Config, Description, EncodeError, Encoder, Picture, Refusal, ffi};

/// See the module.
pub struct OpenH264 {
    config: Config,
    refused: Vec<Refusal>,
    library: Library,
    converter: Converter,
    planes: [Vec<u8>; 3],
    out: Vec<u8>,
    /// A picture has been coded, so that it can be repeated.
    started: bool,
    /// The library has not coded one yet.
    fresh: bool,
}

impl OpenH264 {
    /// Opens the library.
    pub fn open(config: &Config, refused: &[Refusal]) -> Result<Self, EncodeError> {
        if config.chroma_444 {
            return Err(EncodeError::Unsupported("OpenH264 codes colour at half the resolution only".into()));
        }
        let (width, height) = config.coded_size();
        let luma = width as usize * height as usize;
        Ok(Self {
            library: library(config)?,
            converter: Converter::new(config),
            config: config.clone(),
            refused: refused.to_vec(),
            planes: [vec![0; luma], vec![0; luma / 4], vec![0; luma / 4]],
            out: Vec::new(),
            started: false,
            fresh: true,
        })
    }

    fn run(&mut self, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        if force_idr && !self.fresh {
            self.library.force_intra_frame();
        }
        let (width, height) = self.config.coded_size();
        let (width, height) = (width as usize, height as usize);
        let [y, u, v] = &self.planes;
        let source = YUVSlices::new((y, u, v), (width, height), (width, width / 2, width / 2));
        let coded = self.library.encode(&source)?;
        let idr = matches!(coded.frame_type(), FrameType::IDR);
        self.out.clear();
        coded.write_vec(&mut self.out);
        self.started = true;
        self.fresh = false;
        let length = h264::strip_leading(&mut self.out);
        if length == 0 {
            return Err(EncodeError::NoOutput("OpenH264"));
        }
        let kind = if idr { FrameKind::Idr } else { FrameKind::P };
        Ok(AccessUnit { data: &self.out[..length], kind })
    }
}

impl Encoder for OpenH264 {
    fn encode(&mut self, picture: &Picture<'_>, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        let width = self.config.coded_size().0 as usize;
        let [y, u, v] = &mut self.planes;
        let strides = [width, width / 2, width / 2];
        self.converter.update(picture, &mut Planes { y, u, v, strides })?;
        self.run(force_idr)
    }

    fn repeat(&mut self, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        if !self.started {
            return Err(EncodeError::NothingToRepeat);
        }
        self.run(force_idr)
    }

    fn set_bitrate(&mut self, bps: u64) -> Result<(), EncodeError> {
        self.config.bitrate_bps = bps;
        if !ffi::set_openh264_bitrate(&mut self.library, bps) {
            // It refuses before its first picture, and what its level cannot hold:
            // then a fresh one begins with an IDR picture.
            self.library = library(&self.config)?;
            self.fresh = true;
        }
        Ok(())
    }

    fn describe(&self) -> Description {
        Description {
            backend: Backend::OpenH264,
            slices: 1,
            coded_size: self.config.coded_size(),
            refused: self.refused.clone(),
        }
    }
}

fn library(config: &Config) -> Result<Library, EncodeError> {
    let vui = match config.color_space {
        ColorSpace::Rec601 => VuiConfig::bt601(),
        ColorSpace::Rec709 => VuiConfig::bt709(),
        ColorSpace::Rec2020 => VuiConfig::bt2020(),
    };
    let bitrate = u32::try_from(config.bitrate_bps).unwrap_or(u32::MAX);
    let config = EncoderConfig::new()
        .bitrate(BitRate::from_bps(bitrate))
        .max_frame_rate(FrameRate::from_hz(config.fps as f32))
        .rate_control_mode(RateControlMode::Bitrate)
        .usage_type(UsageType::CameraVideoRealTime)
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .complexity(Complexity::Low)
        .intra_frame_period(IntraFramePeriod::from_num_frames(0))
        .skip_frames(false)
        .scene_change_detect(false)
        .background_detection(false)
        .num_threads(1)
        .vui(vui.full_range(config.full_range));
    Ok(Library::with_api_config(OpenH264API::from_source(), config)?)
}
