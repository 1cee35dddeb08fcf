//! The real encoders, seen from outside: what is in their access units, what a
//! decoder makes of them, and how much they take.

mod kinds;

use ffmpeg_next::{Packet, codec, decoder, format, frame};
use punktfunk_core::gamestream::sdp::{Codec, ColorSpace};
use punktfunk_core::gamestream::video::h264::{IDR, PPS, SEI, SLICE, SPS, fits_first_shard, nal_units};

use super::*;

pub fn config(width: u32, height: u32) -> Config {
    Config {
        codec: Codec::H264,
        ten_bit: false,
        chroma_444: false,
        width,
        height,
        fps: 60,
        bitrate_bps: 8_000_000,
        slices: 1,
        color_space: ColorSpace::Rec709,
        full_range: false,
        buffer_frames: 2.0,
        backend: None,
    }
}

/// Bytes that look random, from xorshift.
pub fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

const REAL: [Backend; 2] = [Backend::X264, Backend::OpenH264];
const COLORS: [[u8; 3]; 6] =
    [[220, 30, 30], [30, 200, 40], [40, 60, 230], [240, 240, 240], [20, 20, 20], [200, 180, 40]];

/// A picture in memory, BGRx.
struct Canvas {
    bytes: Vec<u8>,
    width: u32,
    height: u32,
}

impl Canvas {
    fn noise(width: u32, height: u32, seed: u32) -> Self {
        Self { bytes: noise((width * height * 4) as usize, seed), width, height }
    }

    /// Vertical bars of [`COLORS`].
    fn bars(width: u32, height: u32) -> Self {
        let bar = width.div_ceil(COLORS.len() as u32);
        let row: Vec<u8> = (0..width)
            .flat_map(|x| {
                let [r, g, b] = COLORS[(x / bar) as usize];
                [b, g, r, 0]
            })
            .collect();
        Self { bytes: row.repeat(height as usize), width, height }
    }

    fn picture(&self) -> Picture<'_> {
        Picture {
            bytes: &self.bytes,
            stride: self.width as usize * 4,
            width: self.width,
            height: self.height,
            damage: &[],
            full: true,
        }
    }
}

fn kinds(unit: &AccessUnit<'_>) -> Vec<u8> {
    nal_units(unit.data).map(|nal| nal.kind).collect()
}

fn open_backend(backend: Backend, config: Config) -> Box<dyn Encoder> {
    open(&Config { backend: Some(backend), ..config }).expect("the encoder opens")
}

struct Decoder(decoder::Video);

impl Decoder {
    fn new() -> Self {
        let codec = decoder::find(codec::Id::H264).expect("FFmpeg decodes H.264");
        Self(codec::Context::new_with_codec(codec).decoder().video().expect("a decoder"))
    }

    fn decode(&mut self, unit: &AccessUnit<'_>) -> frame::Video {
        // The decoder may hold a picture back until it is told that none follows.
        self.0.send_packet(&Packet::copy(unit.data)).expect("the access unit is accepted");
        self.0.send_eof().expect("the end is accepted");
        let mut frame = frame::Video::empty();
        self.0.receive_frame(&mut frame).expect("a picture comes out");
        self.0.flush();
        frame
    }
}

#[test]
fn the_first_access_unit_is_an_idr_with_parameter_sets_and_nothing_else() {
    for backend in REAL {
        let mut encoder = open_backend(backend, config(640, 360));
        let canvas = Canvas::bars(640, 360);
        let unit = encoder.encode(&canvas.picture(), false).expect("coded");
        assert!(unit.idr());
        assert_eq!(kinds(&unit), [SPS, PPS, IDR], "{backend:?}");
        assert!(unit.data.starts_with(&[0, 0, 0, 1]) || unit.data.starts_with(&[0, 0, 1]));
        // Half of what clients ask for at the least.
        assert!(fits_first_shard(unit.data, 256), "{backend:?}: the slice begins in the first shard");
    }
}

#[test]
fn idr_comes_on_request_and_only_then() {
    for backend in REAL {
        let mut encoder = open_backend(backend, config(320, 180));
        for index in 0..300_u32 {
            let canvas = Canvas::noise(320, 180, index);
            let wanted = index % 97 == 40;
            let unit = if index % 3 == 2 {
                encoder.repeat(wanted)
            } else {
                encoder.encode(&canvas.picture(), wanted)
            }
            .expect("coded");
            assert_eq!(unit.idr(), wanted || index == 0, "{backend:?}, picture {index}");
            let expected: &[u8] = if unit.idr() { &[SPS, PPS, IDR] } else { &[SLICE] };
            assert_eq!(kinds(&unit), expected, "{backend:?}, picture {index}");
        }
    }
}

#[test]
fn a_decoder_sees_the_right_colours_and_the_right_signalling() {
    for backend in REAL {
        for (space, full) in [
            (ColorSpace::Rec601, false),
            (ColorSpace::Rec601, true),
            (ColorSpace::Rec709, false),
            (ColorSpace::Rec709, true),
        ] {
            let wish = Config { color_space: space, full_range: full, ..config(480, 272) };
            let mut encoder = open_backend(backend, wish);
            let canvas = Canvas::bars(480, 272);
            let unit = encoder.encode(&canvas.picture(), false).expect("coded");
            let frame = Decoder::new().decode(&unit);
            let range = match frame.format() {
                format::Pixel::YUVJ420P => true,
                _ => frame.color_range() == ffmpeg_next::color::Range::JPEG,
            };
            assert_eq!(range, full, "{backend:?} {space:?}");
            let matrix = match space {
                ColorSpace::Rec601 => ffmpeg_next::color::Space::SMPTE170M,
                _ => ffmpeg_next::color::Space::BT709,
            };
            assert_eq!(frame.color_space(), matrix, "{backend:?}");
            for (bar, color) in COLORS.into_iter().enumerate() {
                let seen = color_at(&frame, bar * 80 + 40, 136, space, full);
                for (seen, meant) in seen.into_iter().zip(color) {
                    assert!(
                        (seen - f64::from(meant)).abs() < 8.0,
                        "{backend:?} {space:?} {full}: bar {bar} {seen} {meant}"
                    );
                }
            }
        }
    }
}

/// Red, green and blue of one pixel of a decoded picture, by the definition.
fn color_at(frame: &frame::Video, x: usize, y: usize, space: ColorSpace, full: bool) -> [f64; 3] {
    let luma = f64::from(frame.data(0)[y * frame.stride(0) + x]);
    let [cb, cr] = [1, 2].map(|p| f64::from(frame.data(p)[y / 2 * frame.stride(p) + x / 2]) - 128.0);
    let (kr, kb) = if space == ColorSpace::Rec601 { (0.299, 0.114) } else { (0.2126, 0.0722) };
    let (luma, scale) = if full { (luma, 1.0) } else { ((luma - 16.0) * 255.0 / 219.0, 255.0 / 224.0) };
    let red = luma + 2.0 * (1.0 - kr) * cr * scale;
    let blue = luma + 2.0 * (1.0 - kb) * cb * scale;
    [red, (luma - kr * red - kb * blue) / (1.0 - kr - kb), blue]
}

#[test]
fn slices_are_as_many_as_asked() {
    for slices in [1, 2, 4] {
        let mut encoder = open_backend(Backend::X264, Config { slices, ..config(1280, 720) });
        assert_eq!(encoder.describe().slices, slices);
        let canvas = Canvas::bars(1280, 720);
        for _ in 0..3 {
            let unit = encoder.encode(&canvas.picture(), false).expect("coded");
            let found = kinds(&unit).into_iter().filter(|kind| matches!(*kind, SLICE | IDR)).count();
            assert_eq!(found, slices as usize);
            assert!(!kinds(&unit).contains(&SEI));
        }
    }
}

#[test]
fn the_bitrate_is_kept_also_after_it_changed() {
    for backend in REAL {
        let mut encoder = open_backend(backend, Config { bitrate_bps: 6_000_000, ..config(640, 360) });
        for (bitrate, seed) in [(6_000_000_u64, 1_u32), (2_500_000, 200), (9_000_000, 400)] {
            encoder.set_bitrate(bitrate).expect("accepted");
            let mut bytes = 0;
            // Half a second to settle, two seconds that count.
            for index in 0..150 {
                let mut canvas = Canvas::bars(640, 360);
                let grain = noise(640 * 360 * 4, seed + index);
                canvas.bytes.iter_mut().zip(grain).for_each(|(byte, grain)| *byte ^= grain & 63);
                let unit = encoder.encode(&canvas.picture(), false).expect("coded");
                bytes += if index < 30 { 0 } else { unit.data.len() };
            }
            let measured = bytes as f64 * 8.0 / 2.0;
            let ratio = measured / bitrate as f64;
            assert!((0.6..1.25).contains(&ratio), "{backend:?} at {bitrate}: {ratio}");
        }
    }
}

#[test]
fn no_access_unit_is_much_larger_than_the_buffer() {
    let wish = Config { bitrate_bps: 10_000_000, ..config(1280, 720) };
    let mut encoder = open_backend(Backend::X264, wish.clone());
    let limit = wish.buffer_bits(wish.bitrate_bps) / 8;
    for index in 0..40 {
        let canvas = Canvas::noise(1280, 720, index);
        let unit = encoder.encode(&canvas.picture(), index % 10 == 9).expect("coded");
        // Noise cannot be coded in so little: it ends at the coarsest quantizer.
        assert!(unit.data.len() as u64 <= 4 * limit, "{index}: {} of {limit}", unit.data.len());
    }
}

#[test]
fn a_still_picture_ends_in_a_few_bytes() {
    for backend in REAL {
        let mut encoder = open_backend(backend, config(1280, 720));
        let canvas = Canvas::bars(1280, 720);
        encoder.encode(&canvas.picture(), false).expect("coded");
        let mut last = 0;
        for _ in 0..120 {
            last = encoder.repeat(false).expect("coded").data.len();
        }
        assert!(last < 1_000, "{backend:?}: {last} bytes");
    }
}

#[test]
fn odd_sizes_are_padded() {
    for backend in REAL {
        let mut encoder = open_backend(backend, config(321, 181));
        assert_eq!(encoder.describe().coded_size, (322, 182));
        let canvas = Canvas::bars(321, 181);
        let unit = encoder.encode(&canvas.picture(), false).expect("coded");
        let frame = Decoder::new().decode(&unit);
        assert_eq!((frame.width(), frame.height()), (322, 182), "{backend:?}");
        let corner = color_at(&frame, 321, 181, ColorSpace::Rec709, false);
        for (seen, meant) in corner.into_iter().zip(COLORS[5]) {
            assert!((seen - f64::from(meant)).abs() < 12.0, "{backend:?}: {corner:?}");
        }
    }
}

#[test]
fn nothing_can_be_repeated_before_the_first_picture() {
    for backend in [Backend::X264, Backend::OpenH264, Backend::Synthetic] {
        let mut encoder = open_backend(backend, config(320, 180));
        assert!(matches!(encoder.repeat(false), Err(EncodeError::NothingToRepeat)));
        let canvas = Canvas::bars(322, 180);
        let wrong = encoder.encode(&canvas.picture(), false).map(|_| ());
        assert!(matches!(wrong, Err(EncodeError::WrongSize { .. })));
    }
}

#[test]
fn a_wish_nobody_can_meet_is_refused_with_a_reason() {
    let deep = open(&Config { ten_bit: true, ..config(320, 180) }).map(|_| ());
    assert!(deep.expect_err("no 10-bit H.264").to_string().contains("8 bits"));
    let small = open(&config(8, 180)).map(|_| ());
    assert!(small.expect_err("too small").to_string().contains("8x180"));
}

#[test]
fn synthetic_access_units_follow_the_bitrate() {
    let mut encoder = open_backend(Backend::Synthetic, config(640, 360));
    let canvas = Canvas::bars(640, 360);
    let unit = encoder.encode(&canvas.picture(), false).expect("coded");
    assert_eq!(kinds(&unit), [SPS, PPS, IDR]);
    assert_eq!(unit.data.len(), 8_000_000 / 8 / 60);
    assert!(!encoder.encode(&canvas.picture(), false).expect("coded").idr());
    assert!(encoder.repeat(false).expect("coded").data.len() < 100);
}
