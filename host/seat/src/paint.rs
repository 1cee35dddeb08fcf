//! Drawing on the processor for what belongs to no client: backdrop, title bars,
//! cursors. Pixels are premultiplied BGRA, as the renderer takes them.

use ab_glyph::{Font, FontVec, PxScale, ScaleFont, point};
use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::utils::{Rectangle, Transform};

/// Red, green, blue from 0.0 to 1.0.
pub type Colour = [f32; 3];

/// The fonts of this machine, where it has any.
#[derive(Default)]
pub struct Fonts {
    regular: Option<FontVec>,
    bold: Option<FontVec>,
}

impl Fonts {
    /// Asks fontconfig for its sans serif. Without fonts there is no text.
    pub fn load() -> Self {
        let find = |pattern: &str| {
            let output =
                std::process::Command::new("fc-match").args(["-f", "%{file}", pattern]).output().ok()?;
            let path = String::from_utf8(output.stdout).ok()?;
            FontVec::try_from_vec(std::fs::read(path).ok()?).ok()
        };
        Self { regular: find("sans-serif"), bold: find("sans-serif:bold") }
    }

    fn pick(&self, bold: bool) -> Option<&FontVec> {
        if bold { self.bold.as_ref().or(self.regular.as_ref()) } else { self.regular.as_ref() }
    }

    /// How wide a line is, in pixels.
    pub fn width(&self, text: &str, size: f32, bold: bool) -> f32 {
        let Some(font) = self.pick(bold) else { return 0.0 };
        let font = font.as_scaled(PxScale::from(size));
        text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// As much of a line as `room` pixels hold, with an ellipsis if that is not all.
    pub fn fit(&self, text: &str, size: f32, bold: bool, room: f32) -> String {
        let mut text = text.to_owned();
        while self.width(&text, size, bold) > room && text.pop().is_some() {
            if self.width(&format!("{text}…"), size, bold) <= room {
                text.push('…');
                break;
            }
        }
        text
    }
}

/// A picture in the making.
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A wholly transparent picture.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height * 4] }
    }

    /// Lays `colour` over one pixel; outside it does nothing.
    pub fn blend(&mut self, x: i32, y: i32, colour: Colour, alpha: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let alpha = alpha.clamp(0.0, 1.0);
        let start = (y * self.width + x) * 4;
        if let Some(pixel) = self.pixels.get_mut(start..start + 4) {
            for (byte, value) in pixel.iter_mut().zip([colour[2], colour[1], colour[0], 1.0]) {
                *byte = (value * 255.0 * alpha + f32::from(*byte) * (1.0 - alpha)).round() as u8;
            }
        }
    }

    /// Calls `shade` with each pixel's centre; it gives colour and opacity.
    pub fn fill(&mut self, mut shade: impl FnMut(f32, f32) -> (Colour, f32)) {
        for y in 0..self.height {
            for x in 0..self.width {
                let (colour, alpha) = shade(x as f32 + 0.5, y as f32 + 0.5);
                self.blend(x as i32, y as i32, colour, alpha);
            }
        }
    }

    /// Shades the pixels of a rectangle `(x, y, width, height)` by how far (in pixels,
    /// negative inside) they are from its edge, whose corners are round.
    fn around(
        &mut self,
        (x, y, w, h): (f32, f32, f32, f32),
        radius: f32,
        margin: f32,
        mut shade: impl FnMut(f32) -> (Colour, f32),
    ) {
        let radius = radius.clamp(0.0, w.min(h).max(0.0) / 2.0);
        let (cx, cy) = (x + w / 2.0, y + h / 2.0);
        for py in (y - margin).floor() as i32..(y + h + margin).ceil() as i32 {
            for px in (x - margin).floor() as i32..(x + w + margin).ceil() as i32 {
                let dx = (px as f32 + 0.5 - cx).abs() - (w / 2.0 - radius);
                let dy = (py as f32 + 0.5 - cy).abs() - (h / 2.0 - radius);
                let far = dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius;
                let (colour, alpha) = shade(far);
                if alpha > 0.0 {
                    self.blend(px, py, colour, alpha);
                }
            }
        }
    }

    /// A rectangle `(x, y, width, height)` with round corners.
    pub fn rounded(&mut self, rect: (f32, f32, f32, f32), radius: f32, (colour, alpha): (Colour, f32)) {
        self.around(rect, radius, 1.0, |far| (colour, (0.5 - far).clamp(0.0, 1.0) * alpha));
    }

    /// The shadow of such a rectangle, `blur` pixels wide.
    pub fn shadow(&mut self, rect: (f32, f32, f32, f32), radius: f32, blur: f32, alpha: f32) {
        self.around(rect, radius, blur, |far| {
            let t = (1.0 - far / blur).clamp(0.0, 1.0);
            ([0.0; 3], t * t * alpha)
        });
    }

    /// A circle of a line `width` pixels wide.
    pub fn ring(&mut self, (x, y): (f32, f32), radius: f32, width: f32, (colour, alpha): (Colour, f32)) {
        let rect = (x - radius, y - radius, 2.0 * radius, 2.0 * radius);
        self.around(rect, radius, width, |far| {
            (colour, (width / 2.0 + 0.5 - far.abs()).clamp(0.0, 1.0) * alpha)
        });
    }

    /// A line with round ends, `width` pixels wide.
    pub fn stroke(&mut self, from: (f32, f32), to: (f32, f32), width: f32, (colour, alpha): (Colour, f32)) {
        let (left, right) = (from.0.min(to.0) - width, from.0.max(to.0) + width);
        let (top, bottom) = (from.1.min(to.1) - width, from.1.max(to.1) + width);
        for y in top as i32..bottom.ceil() as i32 {
            for x in left as i32..right.ceil() as i32 {
                let far = distance(&[from, to], (x as f32 + 0.5, y as f32 + 0.5));
                self.blend(x, y, colour, (width / 2.0 + 0.5 - far).clamp(0.0, 1.0) * alpha);
            }
        }
    }

    /// A picture of red, green, blue and opacity, fitted into a square at `at`.
    pub fn image(&mut self, pixels: &[u8], (width, height): (usize, usize), at: (f32, f32), side: f32) {
        let longest = width.max(height) as f32;
        if longest < 1.0 {
            return;
        }
        let scale = longest / side;
        let (w, h) = (width as f32 / scale, height as f32 / scale);
        let (left, top) = ((at.0 + (side - w) / 2.0).round(), (at.1 + (side - h) / 2.0).round());
        // Each pixel is the mean of what it covers.
        let span = |n: f32, len: usize| {
            let start = ((n * scale) as usize).min(len - 1);
            start..(((n + 1.0) * scale).ceil() as usize).clamp(start + 1, len)
        };
        for y in 0..h.round() as usize {
            for x in 0..w.round() as usize {
                let (mut sum, mut opacity, mut count) = ([0.0f32; 3], 0.0, 0.0);
                for row in span(y as f32, height) {
                    for column in span(x as f32, width) {
                        let start = (row * width + column) * 4;
                        let Some([r, g, b, a]) = pixels.get(start..start + 4) else { continue };
                        let alpha = f32::from(*a) / 255.0;
                        for (sum, value) in sum.iter_mut().zip([r, g, b]) {
                            *sum += f32::from(*value) / 255.0 * alpha;
                        }
                        opacity += alpha;
                        count += 1.0;
                    }
                }
                if opacity > 0.0 {
                    let colour = sum.map(|value| value / opacity);
                    self.blend(left as i32 + x as i32, top as i32 + y as i32, colour, opacity / count);
                }
            }
        }
    }

    /// Writes one line; `baseline` and `left` in pixels.
    pub fn text(
        &mut self,
        fonts: &Fonts,
        text: &str,
        at: (f32, f32),
        size: f32,
        bold: bool,
        ink: (Colour, f32),
    ) {
        let Some(font) = fonts.pick(bold) else { return };
        let font = font.as_scaled(PxScale::from(size));
        let mut left = at.0;
        for character in text.chars() {
            let id = font.glyph_id(character);
            let glyph = id.with_scale_and_position(size, point(left, at.1));
            left += font.h_advance(id);
            if let Some(outline) = font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                outline.draw(|x, y, coverage| {
                    let (x, y) = (bounds.min.x as i32 + x as i32, bounds.min.y as i32 + y as i32);
                    self.blend(x, y, ink.0, coverage * ink.1);
                });
            }
        }
    }

    /// A polygon with an outline of `border` pixels around it.
    pub fn polygon(&mut self, points: &[(f32, f32)], fill: Colour, border: (Colour, f32)) {
        const SAMPLES: [f32; 4] = [0.125, 0.375, 0.625, 0.875];
        for y in 0..self.height {
            for x in 0..self.width {
                let (mut inside, mut near) = (0u8, 0u8);
                for (dx, dy) in SAMPLES.iter().flat_map(|dy| SAMPLES.map(|dx| (dx, *dy))) {
                    let at = (x as f32 + dx, y as f32 + dy);
                    if contains(points, at) {
                        inside += 1;
                    } else if distance(points, at) <= border.1 {
                        near += 1;
                    }
                }
                let (x, y) = (x as i32, y as i32);
                let total = f32::from(inside + near) / 16.0;
                self.blend(x, y, border.0, total);
                if inside > 0 {
                    self.blend(x, y, fill, f32::from(inside) / f32::from(inside + near));
                }
            }
        }
    }

    /// The pixels, row after row.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Hands it to the renderer. `opaque`: no pixel is transparent.
    pub fn finish(self, opaque: bool) -> MemoryRenderBuffer {
        let size = (self.width as i32, self.height as i32);
        let opaque = opaque.then(|| vec![Rectangle::from_size(size.into())]);
        MemoryRenderBuffer::from_slice(&self.pixels, Fourcc::Argb8888, size, 1, Transform::Normal, opaque)
    }
}

fn edges(points: &[(f32, f32)]) -> impl Iterator<Item = ((f32, f32), (f32, f32))> {
    points.iter().copied().zip(points.iter().copied().cycle().skip(1))
}

fn contains(points: &[(f32, f32)], (x, y): (f32, f32)) -> bool {
    edges(points)
        .filter(|((ax, ay), (bx, by))| (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax)
        .count()
        % 2
        == 1
}

fn distance(points: &[(f32, f32)], (x, y): (f32, f32)) -> f32 {
    edges(points)
        .map(|((ax, ay), (bx, by))| {
            let (dx, dy) = (bx - ax, by - ay);
            let length = dx * dx + dy * dy;
            let along =
                if length > 0.0 { (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
            (ax + along * dx - x).hypot(ay + along * dy - y)
        })
        .fold(f32::INFINITY, f32::min)
}

/// A value between `a` and `b`.
pub fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}
