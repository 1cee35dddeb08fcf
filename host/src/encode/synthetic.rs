//! No encoder: access units that look right from the outside (parameter sets,
//! slice types, size by the bitrate) and hold no picture. For tests and
//! measurements of everything behind the encoder.

use punktfunk_core::gamestream::video::{FrameKind, h264};

use super::{AccessUnit, Backend, Config, Description, EncodeError, Encoder, Picture};

/// Bytes of a repeated picture.
const STILL: usize = 40;

/// See the module.
pub struct Synthetic {
    config: Config,
    out: Vec<u8>,
    started: bool,
}

impl Synthetic {
    /// Never fails.
    pub fn new(config: &Config) -> Self {
        Self { config: config.clone(), out: Vec::new(), started: false }
    }

    fn run(&mut self, length: usize, force_idr: bool) -> AccessUnit<'_> {
        let idr = force_idr || !self.started;
        self.started = true;
        self.out.clear();
        if idr {
            for kind in [h264::SPS, h264::PPS] {
                self.out.extend_from_slice(&[0, 0, 0, 1, 0x60 | kind, 0x42, 0xC0, 0x1F]);
            }
        }
        let kind = if idr { h264::IDR } else { h264::SLICE };
        self.out.extend_from_slice(&[0, 0, 0, 1, 0x60 | kind]);
        self.out.resize(length.max(self.out.len() + 1), 0xA5);
        AccessUnit { data: &self.out, kind: if idr { FrameKind::Idr } else { FrameKind::P } }
    }
}

impl Encoder for Synthetic {
    fn encode(&mut self, picture: &Picture<'_>, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        let (expected, found) = ((self.config.width, self.config.height), (picture.width, picture.height));
        if expected != found {
            return Err(EncodeError::WrongSize { expected, found });
        }
        let bytes = self.config.bitrate_bps / 8 / u64::from(self.config.fps.max(1));
        Ok(self.run(usize::try_from(bytes).unwrap_or(STILL), force_idr))
    }

    fn repeat(&mut self, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        if !self.started {
            return Err(EncodeError::NothingToRepeat);
        }
        Ok(self.run(STILL, force_idr))
    }

    fn set_bitrate(&mut self, bps: u64) -> Result<(), EncodeError> {
        self.config.bitrate_bps = bps;
        Ok(())
    }

    fn describe(&self) -> Description {
        Description {
            backend: Backend::Synthetic,
            slices: 1,
            coded_size: self.config.coded_size(),
            refused: Vec::new(),
        }
    }
}
