//! Which kinds of picture can be coded here: not what a library says, but what came
//! out when it was tried.
//!
//! [`run`] codes a few small pictures of each kind and prints a line before and after
//! each, so that a crash or a hang tells by its last line which kind it was. It is run
//! in a process of its own (`punktfunk-host encode-probe`); what it found is kept by
//! `crate::abilities`.

use std::io::Write;
use std::time::Instant;

use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::sdp::{Codec, ColorSpace};
use punktfunk_core::gamestream::video::{av1, h264, hevc};

use super::{AccessUnit, Config, EncodeError, Picture, open};

/// Pixels. Small: every kind is tried at every change of a library.
const SIZE: (u32, u32) = (320, 180);
/// Pictures of each kind. An encoder that gives them out late fails with the first.
const PICTURES: u32 = 4;
/// The smallest packets a client asks for: a key frame must begin in the first.
const PACKET_SIZE: usize = 512;

/// Tries every kind whose bit ([`codec_mode`]) is set in `mask`, and tells `out` about
/// it in lines: `try BIT` before, `ok BIT ENCODER MILLISECONDS` (of a picture) or
/// `no BIT WHY` after.
pub fn run(mask: u32, out: &mut dyn Write) -> std::io::Result<()> {
    for (codec, ten_bit, chroma_444, bit) in codec_mode::ALL {
        if mask & bit == 0 {
            continue;
        }
        writeln!(out, "try {bit}")?;
        out.flush()?;
        match attempt(codec, ten_bit, chroma_444) {
            Ok((encoder, ms)) => writeln!(out, "ok {bit} {encoder} {ms:.3}")?,
            Err(error) => writeln!(out, "no {bit} {}", super::chain(&error).replace('\n', " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

/// What coded it, and what a picture took of it, milliseconds.
fn attempt(codec: Codec, ten_bit: bool, chroma_444: bool) -> Result<(&'static str, f64), EncodeError> {
    let config = Config {
        codec,
        ten_bit,
        chroma_444,
        width: SIZE.0,
        height: SIZE.1,
        fps: 30,
        bitrate_bps: 1_000_000,
        slices: 1,
        color_space: ColorSpace::Rec709,
        full_range: false,
        buffer_frames: 3.0,
        backend: None,
    };
    let mut encoder = open(&config)?;
    let mut quickest = f64::INFINITY;
    let mut bytes = vec![0_u8; SIZE.0 as usize * SIZE.1 as usize * 4];
    for index in 0..PICTURES {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (at as u32 / 64 + index * 16) as u8;
        }
        let (width, height) = SIZE;
        let picture =
            Picture { bytes: &bytes, stride: width as usize * 4, width, height, damage: &[], full: true };
        // The last one is a key frame that was asked for.
        let wanted = index + 1 == PICTURES;
        let started = Instant::now();
        let unit = encoder.encode(&picture, wanted)?;
        // Whatever else the machine did meanwhile says nothing about the encoder.
        quickest = quickest.min(started.elapsed().as_secs_f64() * 1e3);
        if unit.idr() != (wanted || index == 0) || (unit.idr() && !begins_well(codec, &unit)) {
            return Err(EncodeError::Unsupported("the key frames are not what clients expect".into()));
        }
    }
    Ok((encoder.describe().backend.name(), quickest))
}

fn begins_well(codec: Codec, unit: &AccessUnit<'_>) -> bool {
    match codec {
        Codec::H264 => h264::fits_first_shard(unit.data, PACKET_SIZE),
        Codec::Hevc => hevc::fits_first_shard(unit.data, PACKET_SIZE),
        Codec::Av1 => av1::obus(unit.data).any(|obu| obu.kind == av1::SEQUENCE_HEADER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_about_once() {
        let mut out = Vec::new();
        run(u32::MAX, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let count = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
        assert_eq!(count("try"), codec_mode::ALL.len());
        assert_eq!(count("ok") + count("no"), codec_mode::ALL.len());
        // Built in, so it works everywhere.
        assert!(text.contains("try 1\nok 1 "), "{text}");
    }

    #[test]
    fn what_is_not_asked_for_is_not_tried() {
        let mut out = Vec::new();
        run(codec_mode::H264, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!((words.len(), &words[..4]), (6, &["try", "1", "ok", "1"][..]), "{text}");
        assert!(words[5].parse::<f64>().is_ok_and(|ms| ms > 0.0), "{text}");
    }
}
