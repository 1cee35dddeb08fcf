//! What is done about an encoder that fails while it runs: it is opened again, and
//! when it fails a second time soon after, the next one of the table takes over. Only
//! when none is left the stream ends.
//!
//! Faults made on purpose are put in here too, for the tests of that.

use std::time::Duration;

use punktfunk_core::time::Time;

use crate::encode::{
    self, AccessUnit, Backend, Config, Description, EncodeError, Encoder, Picture, Recovery,
};

/// A failure that is longer ago says nothing about the next one.
const FORGET: Duration = Duration::from_secs(60);
/// Failures within that time after which an encoder is not opened again.
const MOST: usize = 2;

/// Makes encoders fail, for tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// After so many pictures of each encoder.
    pub after: Option<u32>,
    /// In so many encoders of a stream, then no more.
    pub times: u32,
    /// By a panic instead of an error.
    pub panics: bool,
}

/// Opens the encoders of one stream, one after the other.
pub(super) struct Mender {
    config: Config,
    fault: Fault,
    failures: Vec<(Time, Backend)>,
}

impl Mender {
    pub fn new(config: Config, fault: Fault) -> Self {
        Self { config, fault, failures: Vec::new() }
    }

    /// Opens the first encoder.
    pub fn open(&mut self) -> Result<Box<dyn Encoder>, EncodeError> {
        self.open_without(&[])
    }

    /// Opens what follows `failed`; its first picture is an IDR picture. The error
    /// says why nothing can.
    pub fn mend(&mut self, now: Time, failed: Backend, bps: u64) -> Result<Box<dyn Encoder>, EncodeError> {
        self.config.bitrate_bps = bps;
        let left_out = self.failed(now, failed);
        self.open_without(&left_out)
    }

    /// Notes a failure; which encoders have failed too often now.
    fn failed(&mut self, now: Time, failed: Backend) -> Vec<Backend> {
        self.failures.retain(|(at, _)| now - *at < FORGET);
        self.failures.push((now, failed));
        let often = |backend| self.failures.iter().filter(|(_, other)| *other == backend).count() >= MOST;
        let mut left_out: Vec<_> = self.failures.iter().map(|(_, backend)| *backend).collect();
        left_out.dedup();
        left_out.retain(|backend| often(*backend));
        left_out
    }

    fn open_without(&mut self, left_out: &[Backend]) -> Result<Box<dyn Encoder>, EncodeError> {
        let encoder = encode::open_without(&self.config, left_out)?;
        match self.fault {
            Fault { after: Some(left), times: 1.., panics } => {
                self.fault.times -= 1;
                Ok(Box::new(Faulty { encoder, left, panics }))
            }
            _ => Ok(encoder),
        }
    }
}

/// An encoder that fails on purpose.
struct Faulty {
    encoder: Box<dyn Encoder>,
    left: u32,
    panics: bool,
}

impl Faulty {
    fn strike(&mut self) -> Result<(), EncodeError> {
        let Some(left) = self.left.checked_sub(1) else {
            assert!(!self.panics, "a panic on purpose (test.panic_encoder_after)");
            return Err(EncodeError::Unsupported("a fault on purpose (test.fail_encoder_after)".into()));
        };
        self.left = left;
        Ok(())
    }
}

impl Encoder for Faulty {
    fn encode(&mut self, picture: &Picture<'_>, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        self.strike()?;
        self.encoder.encode(picture, force_idr)
    }

    fn repeat(&mut self, force_idr: bool) -> Result<AccessUnit<'_>, EncodeError> {
        self.strike()?;
        self.encoder.repeat(force_idr)
    }

    fn set_bitrate(&mut self, bps: u64) -> Result<(), EncodeError> {
        self.encoder.set_bitrate(bps)
    }

    fn invalidate(&mut self, first: u32, last: u32) -> Recovery {
        self.encoder.invalidate(first, last)
    }

    fn acknowledge(&mut self, frame: u32) {
        self.encoder.acknowledge(frame);
    }

    fn describe(&self) -> Description {
        self.encoder.describe()
    }
}

#[cfg(test)]
mod tests {
    use punktfunk_core::gamestream::sdp::{Codec, ColorSpace};

    use super::*;

    fn mender(backend: Option<Backend>, fault: Fault) -> Mender {
        let config = Config {
            codec: Codec::H264,
            ten_bit: false,
            chroma_444: false,
            width: 320,
            height: 180,
            fps: 30,
            bitrate_bps: 1_000_000,
            slices: 1,
            color_space: ColorSpace::Rec709,
            full_range: false,
            buffer_frames: 3.0,
            backend,
        };
        Mender::new(config, fault)
    }

    #[test]
    fn an_encoder_gets_a_second_chance_and_then_the_next_one_its_first() {
        let mut mender = mender(None, Fault::default());
        let at = Time::from_millis;
        assert!(mender.failed(at(0), Backend::X264).is_empty());
        assert!(mender.failed(at(70_000), Backend::X264).is_empty(), "the first is forgotten");
        assert_eq!(mender.failed(at(71_000), Backend::X264), [Backend::X264]);
        assert_eq!(mender.failed(at(72_000), Backend::OpenH264), [Backend::X264]);
        let all = mender.failed(at(73_000), Backend::OpenH264);
        assert_eq!(all, [Backend::X264, Backend::OpenH264]);
        assert!(encode::open_without(&mender.config, &all).is_err());
    }

    #[test]
    fn a_picture_that_failed_is_coded_by_the_encoder_after_it() {
        let fault = Fault { after: Some(2), times: 3, panics: false };
        let mut mender = mender(Some(Backend::OpenH264), fault);
        let bytes = vec![0; 320 * 180 * 4];
        let picture =
            Picture { bytes: &bytes, stride: 320 * 4, width: 320, height: 180, damage: &[], full: true };
        let mut encoder = mender.open().expect("it opens");
        for _ in 0..2 {
            encoder.encode(&picture, false).expect("it works so far");
        }
        assert!(encoder.encode(&picture, false).is_err() && encoder.repeat(false).is_err());
        let mut encoder = mender.mend(Time(0), Backend::OpenH264, 500_000).expect("it opens again");
        assert!(encoder.encode(&picture, false).expect("it works").idr());
        let again = mender.mend(Time(1), Backend::OpenH264, 500_000).map(drop);
        let why = again.expect_err("the owner wants no other").to_string();
        assert!(why.contains("openh264: it failed while it ran"), "{why}");
    }
}
