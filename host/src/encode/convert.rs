//! BGRx to planar Y'CbCr, only where the picture changed: 4:2:0 or 4:4:4, 8 or
//! 10 bits a sample.
//!
//! The planes stay with the encoder between pictures, so that a blinking cursor
//! costs a few rows and not a screen. They have an even size: an odd
//! picture's last column and row are repeated into the padding.

use std::fmt::Debug;

use punktfunk_core::gamestream::sdp::ColorSpace;
use yuv::{BufferStoreMut, YuvConversionMode, YuvError, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::picture::{Picture, Rect, aligned};
use super::{Config, EncodeError};

/// Bytes a pixel of the source has.
const BYTES_PER_PIXEL: usize = 4;
/// Rows that are widened to 10 bits at a time: few enough to stay in the cache.
const BAND: usize = 16;

/// The three planes of a coded picture, in the encoder's memory.
#[derive(Debug)]
pub struct Planes<'a, S = u8> {
    /// Luma: the coded (even) size.
    pub y: &'a mut [S],
    /// Blue difference: half that size, or all of it for 4:4:4.
    pub u: &'a mut [S],
    /// Red difference: like the blue one.
    pub v: &'a mut [S],
    /// Samples from one row to the next, of each plane.
    pub strides: [usize; 3],
}

/// A sample of a plane: `u8`, or `u16` of which 10 bits are used.
pub trait Sample: Copy + Debug + Default + 'static {
    /// Bits that carry something.
    const BITS: u32;

    /// The nearest sample.
    fn nearest(value: f32) -> Self;

    /// Converts rows of an even number of pixels.
    fn rows(
        image: &mut YuvPlanarImageMut<'_, Self>,
        source: (&[u8], u32),
        how: How,
        scratch: &mut Vec<u16>,
    ) -> Result<(), YuvError>;
}

/// What the samples mean.
#[derive(Clone, Copy, Debug)]
pub struct How {
    matrix: YuvStandardMatrix,
    range: YuvRange,
    full_chroma: bool,
}

impl Sample for u8 {
    const BITS: u32 = 8;

    fn nearest(value: f32) -> Self {
        value.round().clamp(0.0, 255.0) as Self
    }

    fn rows(
        image: &mut YuvPlanarImageMut<'_, Self>,
        (source, stride): (&[u8], u32),
        how: How,
        _: &mut Vec<u16>,
    ) -> Result<(), YuvError> {
        let convert = if how.full_chroma { yuv::bgra_to_yuv444 } else { yuv::bgra_to_yuv420 };
        convert(image, source, stride, how.range, how.matrix, YuvConversionMode::Balanced)
    }
}

impl Sample for u16 {
    const BITS: u32 = 10;

    fn nearest(value: f32) -> Self {
        value.round().clamp(0.0, 1023.0) as Self
    }

    fn rows(
        image: &mut YuvPlanarImageMut<'_, Self>,
        (source, stride): (&[u8], u32),
        how: How,
        scratch: &mut Vec<u16>,
    ) -> Result<(), YuvError> {
        let width = image.width as usize;
        scratch.clear();
        for row in source.chunks(stride as usize).take(image.height as usize) {
            for pixel in row.chunks_exact(BYTES_PER_PIXEL).take(width) {
                // 255 becomes 1023: the upper bits again below the lowest one.
                let wide = |byte: u8| u16::from(byte) << 2 | u16::from(byte >> 6);
                scratch.extend([wide(pixel[2]), wide(pixel[1]), wide(pixel[0]), 0]);
            }
        }
        let convert = if how.full_chroma { yuv::rgba10_to_i410 } else { yuv::rgba10_to_i010 };
        convert(image, scratch, image.width * BYTES_PER_PIXEL as u32, how.range, how.matrix)
    }
}

/// Converts pictures of one size into one colour space.
#[derive(Clone, Debug)]
pub struct Converter {
    width: u32,
    height: u32,
    how: How,
    /// The last row of an odd picture, twice.
    scratch: Vec<u8>,
    wide: Vec<u16>,
    primed: bool,
}

impl Converter {
    /// A converter for the pictures of `config`. Its first picture is converted
    /// whole.
    pub const fn new(config: &Config) -> Self {
        let how = How {
            matrix: match config.color_space {
                ColorSpace::Rec601 => YuvStandardMatrix::Bt601,
                ColorSpace::Rec709 => YuvStandardMatrix::Bt709,
                ColorSpace::Rec2020 => YuvStandardMatrix::Bt2020,
            },
            range: if config.full_range { YuvRange::Full } else { YuvRange::Limited },
            full_chroma: config.chroma_444,
        };
        Self {
            width: config.width,
            height: config.height,
            how,
            scratch: Vec::new(),
            wide: Vec::new(),
            primed: false,
        }
    }

    /// Brings `planes`, which hold the picture before, up to date. Returns the
    /// number of source pixels that were read.
    pub fn update<S: Sample>(
        &mut self,
        picture: &Picture<'_>,
        planes: &mut Planes<'_, S>,
    ) -> Result<u64, EncodeError> {
        if (picture.width, picture.height) != (self.width, self.height) {
            return Err(EncodeError::WrongSize {
                expected: (self.width, self.height),
                found: (picture.width, picture.height),
            });
        }
        let whole = [Rect { x: 0, y: 0, width: self.width, height: self.height }];
        let damage = if picture.full || !self.primed { &whole[..] } else { picture.damage };
        let mut pixels = 0;
        for &rect in damage {
            let Some(rect) = self.rows(rect) else { continue };
            self.rectangle(picture, planes, rect)?;
            pixels += u64::from(rect.width) * u64::from(rect.height);
        }
        self.primed = true;
        Ok(pixels)
    }

    /// Whole rows: the converter rounds the last few pixels of a row in another
    /// way than the others, so that a picture must not depend on where its damage
    /// ended. A row costs next to nothing.
    fn rows(&self, rect: Rect) -> Option<Rect> {
        let rect = aligned(rect, self.width, self.height)?;
        Some(Rect { x: 0, width: self.width, ..rect })
    }

    fn rectangle<S: Sample>(
        &mut self,
        picture: &Picture<'_>,
        planes: &mut Planes<'_, S>,
        rect: Rect,
    ) -> Result<(), EncodeError> {
        // The converter works on pairs of pixels and rows: what is left over at the
        // bottom and at the right is doubled, which fills the padding as well.
        let even = Rect { width: rect.width & !1, height: rect.height & !1, ..rect };
        let (right, bottom) = (even.x + even.width, even.y + even.height);
        if even.width > 0 && even.height > 0 {
            let start = even.y as usize * picture.stride + even.x as usize * BYTES_PER_PIXEL;
            let source = picture.bytes.get(start..).ok_or(EncodeError::ShortPicture)?;
            self.pairs(source, picture.stride, planes, even)?;
        }
        if even.height < rect.height && even.width > 0 {
            self.doubled(picture, planes, Rect { y: bottom, height: 2, ..even })?;
        }
        if even.width < rect.width {
            for y in (rect.y..rect.y + rect.height).step_by(2) {
                self.corner(picture, planes, right, y)?;
            }
        }
        Ok(())
    }

    /// Converts rows that reach into the padding.
    fn doubled<S: Sample>(
        &mut self,
        picture: &Picture<'_>,
        planes: &mut Planes<'_, S>,
        rect: Rect,
    ) -> Result<(), EncodeError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        for y in rect.y..rect.y + rect.height {
            let row = y.min(self.height - 1) as usize * picture.stride;
            for x in rect.x..rect.x + rect.width {
                let start = row + x.min(self.width - 1) as usize * BYTES_PER_PIXEL;
                let pixel = picture.bytes.get(start..start + BYTES_PER_PIXEL);
                scratch.extend_from_slice(pixel.ok_or(EncodeError::ShortPicture)?);
            }
        }
        let converted = self.pairs(&scratch, rect.width as usize * BYTES_PER_PIXEL, planes, rect);
        self.scratch = scratch;
        converted
    }

    /// Converts the last pixel of an odd row and of the row below it.
    fn corner<S: Sample>(
        &self,
        picture: &Picture<'_>,
        planes: &mut Planes<'_, S>,
        x: u32,
        y: u32,
    ) -> Result<(), EncodeError> {
        let colors = [y, (y + 1).min(self.height - 1)].map(|row| {
            let start = row as usize * picture.stride + x as usize * BYTES_PER_PIXEL;
            let pixel = picture.bytes.get(start..start + 3)?;
            Some([f32::from(pixel[0]), f32::from(pixel[1]), f32::from(pixel[2])])
        });
        let [Some(upper), Some(lower)] = colors else { return Err(EncodeError::ShortPicture) };
        let mean = [0, 1, 2].map(|channel| (upper[channel] + lower[channel]) / 2.0);
        let (x, y) = (x as usize, y as usize);
        let [y_stride, u_stride, v_stride] = planes.strides;
        let pair = |plane: &mut [S], at: usize, sample: S| {
            let target = plane.get_mut(at..at + 2);
            target.ok_or(EncodeError::ShortPicture).map(|target| target.fill(sample))
        };
        for (y, color) in [(y, upper), (y + 1, lower)] {
            let [luma, blue, red] = self.exact(color);
            pair(planes.y, y * y_stride + x, luma)?;
            if self.how.full_chroma {
                pair(planes.u, y * u_stride + x, blue)?;
                pair(planes.v, y * v_stride + x, red)?;
            }
        }
        if !self.how.full_chroma {
            let [_, blue, red] = self.exact(mean);
            *planes.u.get_mut(y / 2 * u_stride + x / 2).ok_or(EncodeError::ShortPicture)? = blue;
            *planes.v.get_mut(y / 2 * v_stride + x / 2).ok_or(EncodeError::ShortPicture)? = red;
        }
        Ok(())
    }

    /// Y', Cb and Cr of one colour, by the definition (ITU-T H.273).
    fn exact<S: Sample>(&self, [blue, green, red]: [f32; 3]) -> [S; 3] {
        let (kr, kb) = match self.how.matrix {
            YuvStandardMatrix::Bt601 => (0.299, 0.114),
            YuvStandardMatrix::Bt2020 => (0.2627, 0.0593),
            _ => (0.2126, 0.0722),
        };
        let unit = (1_u32 << (S::BITS - 8)) as f32;
        let most = ((1_u32 << S::BITS) - 1) as f32 / 255.0;
        let (offset, scale, chroma) = match self.how.range {
            YuvRange::Full => (0.0, most, most),
            YuvRange::Limited => (16.0 * unit, unit * 219.0 / 255.0, unit * 224.0 / 255.0),
        };
        let luma = kr * red + (1.0 - kr - kb) * green + kb * blue;
        let blue = 128.0 * unit + chroma * (blue - luma) / (2.0 * (1.0 - kb));
        let red = 128.0 * unit + chroma * (red - luma) / (2.0 * (1.0 - kr));
        [offset + scale * luma, blue, red].map(S::nearest)
    }

    /// Converts a rectangle of even size, `source` beginning with its first pixel.
    fn pairs<S: Sample>(
        &mut self,
        source: &[u8],
        stride: usize,
        planes: &mut Planes<'_, S>,
        rect: Rect,
    ) -> Result<(), EncodeError> {
        let rows = rect.height as usize;
        let band = if S::BITS == 8 { rows.max(1) } else { BAND };
        for from in (0..rows).step_by(band) {
            let height = (rows - from).min(band) as u32;
            let source = source.get(from * stride..).ok_or(EncodeError::ShortPicture)?;
            let band = Rect { y: rect.y + from as u32, height, ..rect };
            self.band(source, stride, planes, band)?;
        }
        Ok(())
    }

    fn band<S: Sample>(
        &mut self,
        source: &[u8],
        stride: usize,
        planes: &mut Planes<'_, S>,
        rect: Rect,
    ) -> Result<(), EncodeError> {
        let (x, y) = (rect.x as usize, rect.y as usize);
        let half = if self.how.full_chroma { 1 } else { 2 };
        let [y_stride, u_stride, v_stride] = planes.strides;
        let luma = planes.y.get_mut(y * y_stride + x..);
        let blue = planes.u.get_mut(y / half * u_stride + x / half..);
        let red = planes.v.get_mut(y / half * v_stride + x / half..);
        let (Some(luma), Some(blue), Some(red)) = (luma, blue, red) else {
            return Err(EncodeError::ShortPicture);
        };
        let mut image = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(luma),
            y_stride: narrow(y_stride)?,
            u_plane: BufferStoreMut::Borrowed(blue),
            u_stride: narrow(u_stride)?,
            v_plane: BufferStoreMut::Borrowed(red),
            v_stride: narrow(v_stride)?,
            width: rect.width,
            height: rect.height,
        };
        let source = (source, narrow(stride)?);
        S::rows(&mut image, source, self.how, &mut self.wide).map_err(|_| EncodeError::ShortPicture)
    }
}

fn narrow(stride: usize) -> Result<u32, EncodeError> {
    u32::try_from(stride).map_err(|_| EncodeError::ShortPicture)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{config, noise};
    use super::*;

    /// Three planes of a picture's coded size, with some slack in each row.
    struct Owned {
        planes: [Vec<u8>; 3],
        strides: [usize; 3],
        size: (usize, usize),
    }

    impl Owned {
        fn new(width: u32, height: u32) -> Self {
            let size = (width.next_multiple_of(2) as usize, height.next_multiple_of(2) as usize);
            let strides = [size.0 + 32, size.0 / 2 + 16, size.0 / 2 + 16];
            let planes = [
                vec![0; strides[0] * size.1],
                vec![0; strides[1] * size.1 / 2],
                vec![0; strides[2] * size.1 / 2],
            ];
            Self { planes, strides, size }
        }

        fn borrow(&mut self) -> Planes<'_> {
            let [y, u, v] = &mut self.planes;
            Planes { y, u, v, strides: self.strides }
        }

        fn at(&self, plane: usize, x: usize, y: usize) -> i32 {
            i32::from(self.planes[plane][y * self.strides[plane] + x])
        }

        /// Every sample that is part of the coded picture.
        fn samples(&self) -> Vec<i32> {
            let (width, height) = self.size;
            (0..3)
                .flat_map(|p| {
                    let (w, h) = if p == 0 { (width, height) } else { (width / 2, height / 2) };
                    (0..w * h).map(move |i| (p, i % w, i / w))
                })
                .map(|(p, x, y)| self.at(p, x, y))
                .collect()
        }
    }

    fn picture<'a>(bytes: &'a [u8], width: u32, height: u32, damage: &'a [Rect], full: bool) -> Picture<'a> {
        Picture { bytes, stride: width as usize * 4, width, height, damage, full }
    }

    /// Y', Cb and Cr of one colour by the definition, unrounded.
    fn reference(space: ColorSpace, full: bool, [b, g, r]: [f64; 3]) -> [f64; 3] {
        let (kr, kb) = match space {
            ColorSpace::Rec601 => (0.299, 0.114),
            ColorSpace::Rec709 => (0.2126, 0.0722),
            ColorSpace::Rec2020 => (0.2627, 0.0593),
        };
        let (offset, scale, chroma) = if full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let (cb, cr) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
        [offset + scale * y / 255.0, 128.0 + chroma * cb / 255.0, 128.0 + chroma * cr / 255.0]
    }

    #[test]
    fn samples_are_within_one_step_of_the_definition() {
        let (width, height) = (131_u32, 35_u32);
        let bytes = noise(width as usize * height as usize * 4, 7);
        let pixel = |x: usize, y: usize| {
            let (x, y) = (x.min(width as usize - 1), y.min(height as usize - 1));
            let at = (y * width as usize + x) * 4;
            [0, 1, 2].map(|c| f64::from(bytes[at + c]))
        };
        for space in [ColorSpace::Rec601, ColorSpace::Rec709, ColorSpace::Rec2020] {
            for full in [false, true] {
                let config = Config { color_space: space, full_range: full, ..config(width, height) };
                let mut owned = Owned::new(width, height);
                let picture = picture(&bytes, width, height, &[], true);
                Converter::new(&config).update(&picture, &mut owned.borrow()).expect("it fits");
                for y in 0..owned.size.1 {
                    for x in 0..owned.size.0 {
                        let exact = reference(space, full, pixel(x, y))[0];
                        let difference = (f64::from(owned.at(0, x, y)) - exact).abs();
                        assert!(difference <= 1.25, "{space:?} {full} luma {x},{y}: {difference}");
                    }
                }
                for y in 0..owned.size.1 / 2 {
                    for x in 0..owned.size.0 / 2 {
                        let around =
                            [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| pixel(2 * x + dx, 2 * y + dy));
                        let mean = [0, 1, 2].map(|c| around.iter().map(|p| p[c]).sum::<f64>() / 4.0);
                        let exact = reference(space, full, mean);
                        for plane in [1, 2] {
                            let difference = (f64::from(owned.at(plane, x, y)) - exact[plane]).abs();
                            assert!(difference <= 2.0, "{space:?} {full} {plane} {x},{y}: {difference}");
                        }
                    }
                }
            }
        }
    }

    /// Full chroma and ten bits, each sample compared with the definition.
    fn close_to_the_definition<S: Sample + Into<f64>>(full_chroma: bool, full_range: bool) {
        let (width, height) = (67_u32, 21_u32);
        let bytes = noise(width as usize * height as usize * 4, 9);
        let pixel = |x: usize, y: usize| {
            let at = (y.min(20) * 67 + x.min(66)) * 4;
            [0, 1, 2].map(|c| f64::from(bytes[at + c]))
        };
        let wish = Config { chroma_444: full_chroma, full_range, ..config(width, height) };
        let (stride, half) = (68_usize, if full_chroma { 1 } else { 2 });
        let mut planes = [0, 1, 2].map(|_| vec![S::default(); stride * 22]);
        let [y, u, v] = &mut planes;
        let strides = [stride, stride / half, stride / half];
        let read = Converter::new(&wish)
            .update(&picture(&bytes, width, height, &[], true), &mut Planes { y, u, v, strides });
        read.expect("it fits");
        // Ten bits count in quarters of a step; their full range ends at 1023.
        let unit = if S::BITS == 8 {
            1.0
        } else if full_range {
            1023.0 / 255.0
        } else {
            4.0
        };
        for y in 0..22 {
            for x in 0..68 {
                let exact = reference(ColorSpace::Rec709, full_range, pixel(x, y))[0] * unit;
                let seen: f64 = planes[0][y * stride + x].into();
                assert!((seen - exact).abs() <= 2.0, "luma {x},{y}: {seen} {exact}");
            }
        }
        for y in 0..22 / half {
            for x in 0..68 / half {
                let around: Vec<_> =
                    (0..half * half).map(|i| pixel(x * half + i % half, y * half + i / half)).collect();
                let mean = [0, 1, 2].map(|c| around.iter().map(|p| p[c]).sum::<f64>() / around.len() as f64);
                let exact = reference(ColorSpace::Rec709, full_range, mean);
                for plane in [1, 2] {
                    let centre = if S::BITS == 8 { 128.0 } else { 512.0 };
                    let exact = centre + (exact[plane] - 128.0) * unit;
                    let seen: f64 = planes[plane][y * strides[plane] + x].into();
                    assert!((seen - exact).abs() <= 3.0, "{plane} {x},{y}: {seen} {exact}");
                }
            }
        }
    }

    #[test]
    fn ten_bits_and_full_chroma_are_close_to_the_definition() {
        for full_range in [false, true] {
            close_to_the_definition::<u8>(true, full_range);
            close_to_the_definition::<u16>(false, full_range);
            close_to_the_definition::<u16>(true, full_range);
        }
    }

    #[test]
    fn a_picture_of_another_size_or_too_few_bytes_is_refused() {
        let mut converter = Converter::new(&config(64, 64));
        let mut owned = Owned::new(64, 64);
        let bytes = vec![0; 64 * 64 * 4];
        let wrong = converter.update(&picture(&bytes, 32, 64, &[], true), &mut owned.borrow());
        assert!(matches!(wrong, Err(EncodeError::WrongSize { .. })));
        let short = converter.update(&picture(&bytes[..999], 64, 64, &[], true), &mut owned.borrow());
        assert!(matches!(short, Err(EncodeError::ShortPicture)));
    }

    #[test]
    fn little_damage_reads_few_rows() {
        let mut converter = Converter::new(&config(1280, 720));
        let mut owned = Owned::new(1280, 720);
        let bytes = noise(1280 * 720 * 4, 3);
        converter.update(&picture(&bytes, 1280, 720, &[], false), &mut owned.borrow()).expect("it fits");
        let cursor = [Rect { x: 101, y: 51, width: 16, height: 24 }];
        let read = converter.update(&picture(&bytes, 1280, 720, &cursor, false), &mut owned.borrow());
        assert!(read.expect("it fits") <= 1280 * 26);
    }

    fn rects() -> impl Strategy<Value = Vec<Rect>> {
        let rect = (0_u32..300, 0_u32..120, 0_u32..200, 0_u32..90);
        prop::collection::vec(rect.prop_map(|(x, y, width, height)| Rect { x, y, width, height }), 0..5)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn converting_only_the_damage_equals_converting_everything(
            width in 1_u32..300, height in 1_u32..120, seed: u32, damage in rects(), full_range: bool,
        ) {
            let config = Config { full_range, ..config(width, height) };
            let before = noise((width * height * 4) as usize, seed);
            let other = noise((width * height * 4) as usize, seed ^ 0x5555);
            let mut after = before.clone();
            for rect in &damage {
                for y in rect.y..(rect.y + rect.height).min(height) {
                    for x in rect.x..(rect.x + rect.width).min(width) {
                        let at = ((y * width + x) * 4) as usize;
                        after[at..at + 4].copy_from_slice(&other[at..at + 4]);
                    }
                }
            }
            let mut partial = Owned::new(width, height);
            let mut converter = Converter::new(&config);
            converter.update(&picture(&before, width, height, &[], true), &mut partial.borrow()).expect("it fits");
            converter
                .update(&picture(&after, width, height, &damage, false), &mut partial.borrow())
                .expect("it fits");
            let mut whole = Owned::new(width, height);
            Converter::new(&config)
                .update(&picture(&after, width, height, &[], true), &mut whole.borrow())
                .expect("it fits");
            prop_assert!(partial.samples() == whole.samples());
        }
    }
}
