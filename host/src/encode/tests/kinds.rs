//! Every kind of picture a client can ask for, through the encoder that makes it and
//! FFmpeg's decoders.

use ffmpeg_next::{Packet, codec, color, decoder, format, frame};
use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::video::{av1, hevc};

use super::*;

/// All kinds, as configurations of one size.
fn kinds(width: u32, height: u32) -> impl Iterator<Item = Config> {
    codec_mode::ALL.into_iter().map(move |(codec, ten_bit, chroma_444, _)| Config {
        codec,
        ten_bit,
        chroma_444,
        ..config(width, height)
    })
}

fn decode(codec: Codec, data: &[u8]) -> frame::Video {
    let id = match codec {
        Codec::H264 => codec::Id::H264,
        Codec::Hevc => codec::Id::HEVC,
        Codec::Av1 => codec::Id::AV1,
    };
    let library = decoder::find(id).expect("FFmpeg decodes it");
    let mut decoder = codec::Context::new_with_codec(library).decoder().video().expect("a decoder");
    decoder.send_packet(&Packet::copy(data)).expect("the access unit is accepted");
    decoder.send_eof().expect("the end is accepted");
    let mut frame = frame::Video::empty();
    decoder.receive_frame(&mut frame).expect("a picture comes out");
    frame
}

/// A sample of a plane, of 255 or 1023.
fn sample(frame: &frame::Video, config: &Config, plane: usize, x: usize, y: usize) -> f64 {
    let (data, stride) = (frame.data(plane), frame.stride(plane));
    if config.ten_bit {
        let at = y * stride + x * 2;
        f64::from(u16::from_le_bytes([data[at], data[at + 1]])) / 4.0
    } else {
        f64::from(data[y * stride + x])
    }
}

/// Red, green and blue of one pixel, limited range of Rec. 709.
fn color_of(frame: &frame::Video, config: &Config, x: usize, y: usize) -> [f64; 3] {
    let half = if config.chroma_444 { 1 } else { 2 };
    let luma = (sample(frame, config, 0, x, y) - 16.0) * 255.0 / 219.0;
    let [cb, cr] =
        [1, 2].map(|plane| (sample(frame, config, plane, x / half, y / half) - 128.0) * 255.0 / 224.0);
    let (red, blue) = (luma + 1.5748 * cr, luma + 1.8556 * cb);
    [red, (luma - 0.2126 * red - 0.0722 * blue) / 0.7152, blue]
}

#[test]
fn every_kind_shows_the_colours_that_were_put_in() {
    for config in kinds(480, 272) {
        let what = format!("{:?} {} {}", config.codec, config.ten_bit, config.chroma_444);
        let mut encoder = open(&config).expect("the encoder opens");
        let canvas = Canvas::bars(480, 272);
        let unit = encoder.encode(&canvas.picture(), false).expect("coded");
        assert!(unit.idr(), "{what}");
        let frame = decode(config.codec, unit.data);
        let wanted: &[_] = match (config.ten_bit, config.chroma_444) {
            (false, false) => &[format::Pixel::YUV420P],
            (false, true) => &[format::Pixel::YUV444P],
            (true, false) => &[format::Pixel::YUV420P10LE],
            (true, true) => &[format::Pixel::YUV444P10LE],
        };
        assert!(wanted.contains(&frame.format()), "{what}: {:?}", frame.format());
        assert_eq!((frame.width(), frame.height()), (480, 272), "{what}");
        assert_eq!(frame.color_space(), color::Space::BT709, "{what}");
        assert_eq!(frame.color_range(), color::Range::MPEG, "{what}");
        for (bar, meant) in COLORS.into_iter().enumerate() {
            let seen = color_of(&frame, &config, bar * 80 + 40, 136);
            for (seen, meant) in seen.into_iter().zip(meant) {
                assert!((seen - f64::from(meant)).abs() < 8.0, "{what}: bar {bar} {seen} {meant}");
            }
        }
    }
}

#[test]
fn every_kind_has_key_frames_on_request_only_laid_out_as_clients_expect() {
    for config in kinds(320, 180) {
        let what = format!("{:?} {} {}", config.codec, config.ten_bit, config.chroma_444);
        let mut encoder = open(&config).expect("the encoder opens");
        for index in 0..90_u32 {
            let canvas = Canvas::noise(320, 180, index);
            let wanted = index % 37 == 30;
            let unit = if index % 3 == 2 {
                encoder.repeat(wanted)
            } else {
                encoder.encode(&canvas.picture(), wanted)
            }
            .expect("one picture in, one access unit out");
            assert_eq!(unit.idr(), wanted || index == 0, "{what}, picture {index}");
            match config.codec {
                Codec::H264 => {
                    assert_eq!(super::kinds(&unit).first(), Some(if unit.idr() { &SPS } else { &SLICE }))
                }
                Codec::Hevc => {
                    let found: Vec<_> = hevc::nal_units(unit.data).map(|nal| nal.kind).collect();
                    if unit.idr() {
                        assert!(hevc::fits_first_shard(unit.data, 512), "{what}: {found:?}");
                    } else {
                        assert!(found.iter().all(|kind| *kind <= 1), "{what}: {found:?}");
                    }
                }
                Codec::Av1 => {
                    let found: Vec<_> = av1::obus(unit.data).map(|obu| obu.kind).collect();
                    assert_eq!(found.first(), Some(&av1::TEMPORAL_DELIMITER), "{what}");
                    assert_eq!(found.contains(&av1::SEQUENCE_HEADER), unit.idr(), "{what}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn full_chroma_keeps_columns_of_colour_apart() {
    for config in kinds(320, 180).filter(|config| config.chroma_444) {
        let mut encoder = open(&Config { bitrate_bps: 30_000_000, ..config.clone() }).expect("it opens");
        let row: Vec<u8> =
            (0..320_u32).flat_map(|x| if x % 2 == 0 { [200, 40, 40, 0] } else { [40, 40, 200, 0] }).collect();
        let canvas = Canvas { bytes: row.repeat(180), width: 320, height: 180 };
        encoder.encode(&canvas.picture(), false).expect("coded");
        // Time for the rate control to make it sharp.
        let data = (0..20).map(|index| encoder.repeat(index == 19).expect("coded").data.to_vec()).last();
        let frame = decode(config.codec, &data.expect("twenty"));
        let [even, odd] = [100, 101].map(|x| color_of(&frame, &config, x, 90));
        assert!(even[2] > even[0] + 80.0 && odd[0] > odd[2] + 80.0, "{:?}: {even:?} {odd:?}", config.codec);
    }
}

#[test]
fn the_bitrate_is_kept_also_after_a_key_frame_changed_it() {
    for codec in [Codec::Hevc, Codec::Av1] {
        let wish = Config { codec, bitrate_bps: 5_000_000, fps: 30, ..config(640, 360) };
        let mut encoder = open(&wish).expect("the encoder opens");
        for (bitrate, seed) in [(5_000_000_u64, 1_u32), (2_500_000, 200)] {
            encoder.set_bitrate(bitrate).expect("accepted");
            let mut bytes = 0;
            for index in 0..60 {
                let mut canvas = Canvas::bars(640, 360);
                let grain = noise(640 * 360 * 4, seed + index);
                canvas.bytes.iter_mut().zip(grain).for_each(|(byte, grain)| *byte ^= grain & 31);
                let unit = encoder.encode(&canvas.picture(), index == 0).expect("coded");
                bytes += if index < 15 { 0 } else { unit.data.len() };
            }
            let ratio = bytes as f64 * 8.0 / 1.5 / bitrate as f64;
            assert!((0.5..1.3).contains(&ratio), "{codec:?} at {bitrate}: {ratio}");
        }
    }
}

#[test]
fn wishes_for_slices_never_cost_a_delay() {
    for codec in [Codec::H264, Codec::Hevc, Codec::Av1] {
        for slices in [1, 4] {
            let mut encoder = open(&Config { codec, slices, ..config(1280, 720) }).expect("it opens");
            let canvas = Canvas::bars(1280, 720);
            for _ in 0..3 {
                encoder.encode(&canvas.picture(), false).expect("one picture in, one access unit out");
            }
            if codec == Codec::Av1 {
                assert!(encoder.describe().slices >= slices, "tiles");
            }
        }
    }
}

#[test]
fn a_still_picture_ends_in_a_few_bytes_in_every_kind() {
    for config in kinds(640, 360) {
        let mut encoder = open(&config).expect("the encoder opens");
        let canvas = Canvas::bars(640, 360);
        encoder.encode(&canvas.picture(), false).expect("coded");
        let last = (0..60).map(|_| encoder.repeat(false).expect("coded").data.len()).last();
        assert!(last.is_some_and(|bytes| bytes < 1_000), "{:?}: {last:?} bytes", config.codec);
    }
}

#[test]
fn software_encoders_answer_losses_with_a_key_frame() {
    for codec in [Codec::H264, Codec::Hevc, Codec::Av1] {
        let mut encoder = open(&Config { codec, ..config(320, 180) }).expect("the encoder opens");
        encoder.acknowledge(3);
        assert_eq!(encoder.invalidate(4, 6), Recovery::KeyFrame);
    }
}
