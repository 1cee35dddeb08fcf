//! Decoding what was received: pictures through FFmpeg, Opus through libopus, and the
//! few measurements the tests need of both.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ffmpeg_next as ffmpeg;
use punktfunk_core::gamestream::sdp::Codec;
use punktfunk_core::testcard::{self, Code};

/// One decoded picture: three planes without row padding, eight bits a sample
/// whatever it was coded with.
#[derive(Clone)]
pub struct Picture {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Luma, `width` × `height` bytes.
    pub luma: Vec<u8>,
    /// Blue difference, half size or full.
    pub blue: Vec<u8>,
    /// Red difference, like the blue one.
    pub red: Vec<u8>,
    /// Samples use the full range.
    pub full_range: bool,
    /// The matrix is Rec. 709, else Rec. 601.
    pub rec709: bool,
    /// It was coded with ten bits a sample.
    pub ten_bit: bool,
    /// Colour has full resolution (4:4:4).
    pub chroma_444: bool,
}

/// A decoder that gives each picture as soon as its access unit is in.
pub struct Video(ffmpeg::decoder::Video);

impl Video {
    /// Opens FFmpeg's software decoder of a codec.
    pub fn open(codec: Codec) -> Result<Self> {
        ffmpeg::init()?;
        ffmpeg::log::set_level(ffmpeg::log::Level::Error);
        let id = match codec {
            Codec::H264 => ffmpeg::codec::Id::H264,
            Codec::Hevc => ffmpeg::codec::Id::HEVC,
            Codec::Av1 => ffmpeg::codec::Id::AV1,
        };
        let codec = ffmpeg::decoder::find(id).with_context(|| format!("FFmpeg has no {codec:?} decoder"))?;
        let mut context = ffmpeg::codec::Context::new_with_codec(codec);
        // Without it dav1d keeps some pictures to itself, for speed.
        context.set_flags(ffmpeg::codec::Flags::LOW_DELAY);
        Ok(Self(context.decoder().video()?))
    }

    /// Decodes one access unit; the pictures it completed.
    pub fn decode(&mut self, unit: &[u8]) -> Result<Vec<Picture>> {
        self.0.send_packet(&ffmpeg::Packet::copy(unit))?;
        let mut pictures = Vec::new();
        let mut frame = ffmpeg::frame::Video::empty();
        while self.0.receive_frame(&mut frame).is_ok() {
            pictures.push(copy(&frame)?);
        }
        Ok(pictures)
    }
}

fn copy(frame: &ffmpeg::frame::Video) -> Result<Picture> {
    use ffmpeg::format::Pixel;
    let (ten_bit, chroma_444) = match frame.format() {
        Pixel::YUV420P | Pixel::YUVJ420P => (false, false),
        Pixel::YUV444P | Pixel::YUVJ444P => (false, true),
        Pixel::YUV420P10LE => (true, false),
        Pixel::YUV444P10LE => (true, true),
        other => bail!("pictures of the format {other:?} cannot be read: choose 4:2:0 or 4:4:4"),
    };
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let plane = |index: usize, width: usize, height: usize| -> Vec<u8> {
        let (data, stride) = (frame.data(index), frame.stride(index));
        let rows = data.chunks(stride.max(1)).take(height);
        if ten_bit {
            // The upper eight of ten bits, little endian.
            let narrow = |pair: &[u8; 2]| (u16::from_le_bytes(*pair) >> 2) as u8;
            rows.flat_map(|row| row.as_chunks::<2>().0.iter().take(width).map(narrow)).collect()
        } else {
            rows.flat_map(|row| &row[..width.min(row.len())]).copied().collect()
        }
    };
    let half = if chroma_444 { 1 } else { 2 };
    let (chroma_width, chroma_height) = (width.div_ceil(half), height.div_ceil(half));
    Ok(Picture {
        width,
        height,
        luma: plane(0, width, height),
        blue: plane(1, chroma_width, chroma_height),
        red: plane(2, chroma_width, chroma_height),
        full_range: frame.color_range() == ffmpeg::color::Range::JPEG,
        rec709: frame.color_space() == ffmpeg::color::Space::BT709,
        ten_bit,
        chroma_444,
    })
}

impl Picture {
    /// What the Test card wrote into it, if it is one of the Test card.
    pub fn code(&self) -> Option<Code> {
        testcard::read_code(&self.luma, self.width, self.width, self.height)
    }

    /// The picture as RGB, three bytes a pixel.
    pub fn rgb(&self) -> Vec<u8> {
        let (kr, kb) = if self.rec709 { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let kg = 1.0 - kr - kb;
        let (offset, luma_scale, chroma_scale) =
            if self.full_range { (0.0, 1.0, 1.0) } else { (16.0, 255.0 / 219.0, 255.0 / 224.0) };
        let mut out = Vec::with_capacity(self.width * self.height * 3);
        let half = if self.chroma_444 { 1 } else { 2 };
        let chroma_width = self.width.div_ceil(half);
        for y in 0..self.height {
            for x in 0..self.width {
                let luma = (f64::from(self.luma[y * self.width + x]) - offset) * luma_scale;
                let at = y / half * chroma_width + x / half;
                let blue = (f64::from(self.blue[at]) - 128.0) * chroma_scale;
                let red = (f64::from(self.red[at]) - 128.0) * chroma_scale;
                let r = luma + 2.0 * (1.0 - kr) * red;
                let b = luma + 2.0 * (1.0 - kb) * blue;
                let g = (luma - kr * r - kb * b) / kg;
                // `as` saturates, which is the clipping wanted here.
                out.extend([r.round() as u8, g.round() as u8, b.round() as u8]);
            }
        }
        out
    }

    /// Writes the picture as a PNG file.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = std::io::BufWriter::new(std::fs::File::create(path)?);
        let mut encoder = png::Encoder::new(file, u32::try_from(self.width)?, u32::try_from(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&self.rgb())?;
        Ok(())
    }
}

/// How much of a mono signal's energy lies at `hertz`, from 0.0 to 1.0 (Goertzel).
pub fn tone_share(samples: &[f32], hertz: f64, rate: f64) -> f64 {
    let energy: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    if samples.is_empty() || energy < 1e-9 {
        return 0.0;
    }
    let omega = std::f64::consts::TAU * hertz / rate;
    let coefficient = 2.0 * omega.cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for &sample in samples {
        (s1, s2) = (f64::from(sample) + coefficient * s1 - s2, s1);
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    // A pure tone of N samples with amplitude a: power (aN/2)², energy a²N/2.
    (power / (energy * samples.len() as f64 / 2.0)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_told_from_silence_and_from_another_tone() {
        let tone: Vec<f32> =
            (0..4800).map(|n| (n as f32 * std::f32::consts::TAU * 1000.0 / 48000.0).sin() * 0.1).collect();
        assert!(tone_share(&tone, 1000.0, 48000.0) > 0.95);
        assert!(tone_share(&tone, 1500.0, 48000.0) < 0.05);
        assert_eq!(tone_share(&[0.0; 480], 1000.0, 48000.0), 0.0);
    }
}
