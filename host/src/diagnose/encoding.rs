//! `encode-test`: pictures of the Test card, coded as fast as each kind of encoder can.

use std::time::{Duration, Instant};

use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::sdp::{Codec, ColorSpace};
use punktfunk_seat_ipc::AppKind;

use super::bench::Bench;
use super::{Report, Wish, quantile};
use crate::encode::{self, Picture};

/// Pictures that are taken from the screen, to be coded in turn.
const PICTURES: usize = 20;
/// The longest wait for them.
const PATIENCE: Duration = Duration::from_secs(10);
/// Every kind codes at least so many, however little time there is.
const LEAST: usize = 5;
/// Bits a second that a picture of this many pixels a second gets: 20 Mbit/s at 1080p60.
const BITS_PER_PIXEL: f64 = 0.16;

/// What can be coded here, and how fast?
pub fn encoding(wish: &Wish) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let pictures = pictures(wish, PICTURES)?;
    if pictures.is_empty() {
        report.add("pictures", false, "the screen showed none");
        return Ok(report);
    }
    let share = wish.time / u32::try_from(codec_mode::ALL.len()).unwrap_or(1);
    for (codec, ten_bit, chroma_444, bit) in codec_mode::ALL {
        match speed(wish.mode, &pictures, share, (codec, ten_bit, chroma_444)) {
            Ok(Speed { backend, middle, late, kilobits }) => {
                let (possible, fps) = (1000.0 / middle.max(f64::EPSILON), wish.mode.2);
                report.add(
                    name(codec, ten_bit, chroma_444),
                    true,
                    format!(
                        "{backend}: {possible:.0} pictures a second ({middle:.1} ms, 99 %: {late:.1} ms), {kilobits:.0} kbit/s at {fps}"
                    ),
                );
            }
            // Every client can do without the other kinds.
            Err(error) => report.add(
                name(codec, ten_bit, chroma_444),
                bit != codec_mode::H264,
                format!("not here: {error}"),
            ),
        }
    }
    Ok(report)
}

fn name(codec: Codec, ten_bit: bool, chroma_444: bool) -> &'static str {
    match (codec, ten_bit, chroma_444) {
        (Codec::H264, _, false) => "H.264",
        (Codec::H264, _, true) => "H.264 4:4:4",
        (Codec::Hevc, false, false) => "HEVC",
        (Codec::Hevc, true, false) => "HEVC 10",
        (Codec::Hevc, false, true) => "HEVC 4:4:4",
        (Codec::Hevc, true, true) => "HEVC 10 4:4:4",
        (Codec::Av1, false, false) => "AV1",
        (Codec::Av1, true, false) => "AV1 10",
        (Codec::Av1, false, true) => "AV1 4:4:4",
        (Codec::Av1, true, true) => "AV1 10 4:4:4",
    }
}

/// Copies of what the Test card shows, `count` at most, rows without padding.
pub fn pictures(wish: &Wish, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let bench = Bench::start(wish, AppKind::TestCard)?;
    let end = Instant::now() + PATIENCE;
    let mut pictures = Vec::with_capacity(count);
    while pictures.len() < count {
        let Some(frame) = bench.frame(end)? else { break };
        let row = frame.width() as usize * 4;
        let rows = frame.bytes().chunks(frame.stride()).take(frame.height() as usize);
        pictures.push(rows.filter_map(|bytes| bytes.get(..row)).flatten().copied().collect());
    }
    Ok(pictures)
}

/// How fast one kind is coded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// By what.
    pub backend: &'static str,
    /// Milliseconds a picture takes, in the middle.
    pub middle: f64,
    /// Milliseconds that 99 of 100 stay below.
    pub late: f64,
    /// Kilobits a second at the rate that was asked for.
    pub kilobits: f64,
}

/// Codes these pictures as one kind (codec, ten bits, 4:4:4) for `share`, at least a few.
pub fn speed(
    (width, height, fps): (u32, u32, u32),
    pictures: &[Vec<u8>],
    share: Duration,
    (codec, ten_bit, chroma_444): (Codec, bool, bool),
) -> Result<Speed, encode::EncodeError> {
    let pixels = f64::from(width) * f64::from(height) * f64::from(fps);
    let mut encoder = encode::open(&encode::Config {
        codec,
        ten_bit,
        chroma_444,
        width,
        height,
        fps,
        bitrate_bps: (pixels * BITS_PER_PIXEL) as u64,
        slices: 1,
        color_space: ColorSpace::Rec709,
        full_range: false,
        buffer_frames: 3.0,
        backend: None,
    })?;
    let (mut times, mut bytes, end) = (Vec::new(), 0, Instant::now() + share);
    for data in pictures.iter().cycle() {
        if times.len() >= LEAST && Instant::now() >= end {
            break;
        }
        let stride = width as usize * 4;
        let picture = Picture { bytes: data, stride, width, height, damage: &[], full: true };
        let begun = Instant::now();
        bytes += encoder.encode(&picture, false)?.data.len();
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    let count = times.len();
    let (middle, late) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    let kilobits = bytes as f64 * 8.0 / count as f64 * f64::from(fps) / 1000.0;
    Ok(Speed { backend: encoder.describe().backend.name(), middle, late, kilobits })
}
