//! What the Test card looks like: colour bars, a grey ramp, something that moves,
//! a number that counts, and the same number for machines.
//!
//! Pure drawing into memory. What stands still is drawn once, what changes lies in
//! fixed rectangles ([`Card::changing`]).

use punktfunk_core::testcard::{self, Area, Code};

use super::font;

/// Blue, green, red, unused.
type Color = [u8; 4];

const GROUND: Color = rgb(0x12, 0x15, 0x1B);
const LINE: Color = rgb(0x22, 0x27, 0x30);
const BAND: Color = rgb(0x1A, 0x1F, 0x28);
const TEXT: Color = rgb(0xF2, 0xF4, 0xF7);
const FAINT: Color = rgb(0x8A, 0x94, 0xA6);
const ACCENT: Color = rgb(0xFF, 0x5C, 0x8A);
/// The bars: white, then the primaries and their mixtures at 75 %, brightest first.
const BARS: [Color; 8] = [
    rgb(235, 235, 235),
    rgb(191, 191, 0),
    rgb(0, 191, 191),
    rgb(0, 191, 0),
    rgb(191, 0, 191),
    rgb(191, 0, 0),
    rgb(0, 0, 191),
    rgb(16, 16, 16),
];
/// Steps of the grey ramp.
const GREYS: usize = 16;
/// Pictures in which the ball crosses the band once.
const CROSSING: u32 = 150;

const fn rgb(r: u8, g: u8, b: u8) -> Color {
    [b, g, r, 255]
}

/// The picture in memory, BGRx, rows without a gap.
#[derive(Clone, Debug)]
pub struct Card {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Card {
    /// A card of `width` × `height` pixels, everything but the changing parts drawn.
    pub fn new(width: usize, height: usize) -> Self {
        let mut card = Self { width, height, pixels: GROUND.repeat(width * height) };
        card.still();
        card
    }

    /// The pixels.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The rectangles that [`Card::draw`] may change.
    pub fn changing(&self) -> [Area; 3] {
        [testcard::code_area(self.width, self.height), self.band(), self.number()]
    }

    /// Draws what shows `code`.
    pub fn draw(&mut self, code: Code) {
        testcard::draw_code(&mut self.pixels, self.width * 4, self.width, self.height, code);
        self.ball(code.frame);
        let area = self.number();
        self.fill(area, GROUND);
        let scale = self.number_scale();
        self.text(area.x, area.y, scale, TEXT, &format!("{:08}", code.frame % 100_000_000));
    }

    fn still(&mut self) {
        let (width, height) = (self.width, self.height);
        let step = (width / 32).max(8);
        for x in (step..width).step_by(step) {
            self.fill(Area { x, y: 0, width: 1, height }, LINE);
        }
        for y in (step..height).step_by(step) {
            self.fill(Area { x: 0, y, width, height: 1 }, LINE);
        }
        let (left, right) = (width / 20, width - width / 20);
        let (top, middle, bottom) = (height / 16, height * 42 / 100, height * 50 / 100);
        let split = |index: usize, count: usize| left + (right - left) * index / count;
        for (index, color) in BARS.into_iter().enumerate() {
            let (x, end) = (split(index, BARS.len()), split(index + 1, BARS.len()));
            self.fill(Area { x, y: top, width: end - x, height: middle - top }, color);
        }
        for index in 0..GREYS {
            let (x, end) = (split(index, GREYS), split(index + 1, GREYS));
            let grey = u8::try_from(index * 255 / (GREYS - 1)).unwrap_or(u8::MAX);
            self.fill(Area { x, y: middle, width: end - x, height: bottom - middle }, rgb(grey, grey, grey));
        }
        let scale = (self.number_scale() * 2 / 5).max(1);
        let number = self.number();
        let above = number.y.saturating_sub((font::HEIGHT + 4) * scale);
        self.text(number.x, above, scale, ACCENT, "PUNKTFUNK TEST CARD");
        let below = number.y + number.height + 4 * scale;
        self.text(number.x, below, scale, FAINT, &format!("{width}X{height}  1000 HZ"));
    }

    /// The band in which the ball moves.
    const fn band(&self) -> Area {
        let (x, y) = (self.width / 20, self.height * 53 / 100);
        Area { x, y, width: self.width - 2 * x, height: self.height * 68 / 100 - y }
    }

    const fn number_scale(&self) -> usize {
        let scale = self.width * 42 / 100 / (8 * (font::WIDTH + 1));
        let limit = self.height / 8 / font::HEIGHT;
        let scale = if scale < limit { scale } else { limit };
        if scale == 0 { 1 } else { scale }
    }

    const fn number(&self) -> Area {
        let scale = self.number_scale();
        let height = font::HEIGHT * scale;
        let width = 8 * (font::WIDTH + 1) * scale;
        let code = testcard::code_area(self.width, self.height);
        Area { x: self.width * 21 / 40, y: code.y + code.height.saturating_sub(height) / 2, width, height }
    }

    /// A ball that crosses the band at an even pace and comes back.
    fn ball(&mut self, frame: u32) {
        let band = self.band();
        self.fill(band, BAND);
        let radius = band.height as f32 * 0.36;
        let phase = (frame % (2 * CROSSING)) as f32 / CROSSING as f32;
        let along = if phase < 1.0 { phase } else { 2.0 - phase };
        let reach = band.width as f32 - band.height as f32;
        let (cx, cy) = (band.height as f32 / 2.0 + reach * along, band.height as f32 / 2.0);
        // A thin line at the ball's place over the whole band shows tearing.
        let line = Area { x: band.x + cx as usize, width: (self.width / 400).max(1), ..band };
        self.fill(line, FAINT);
        let (from, to) = ((cx - radius - 1.0).max(0.0) as usize, (cx + radius + 2.0) as usize);
        for y in 0..band.height {
            for x in from..to.min(band.width) {
                let distance = (x as f32 + 0.5 - cx).hypot(y as f32 + 0.5 - cy);
                let cover = (radius - distance + 0.5).clamp(0.0, 1.0);
                self.blend(band.x + x, band.y + y, ACCENT, cover);
            }
        }
    }

    fn text(&mut self, x: usize, y: usize, scale: usize, color: Color, text: &str) {
        for (index, character) in text.bytes().enumerate() {
            for (row, bits) in font::glyph(character).into_iter().enumerate() {
                for column in (0..font::WIDTH).filter(|column| bits >> (font::WIDTH - 1 - column) & 1 == 1) {
                    let x = x + (index * (font::WIDTH + 1) + column) * scale;
                    self.fill(Area { x, y: y + row * scale, width: scale, height: scale }, color);
                }
            }
        }
    }

    fn fill(&mut self, area: Area, color: Color) {
        let (left, right) = (area.x.min(self.width), (area.x + area.width).min(self.width));
        for y in area.y..(area.y + area.height).min(self.height) {
            let row = y * self.width;
            for pixel in self.pixels[(row + left) * 4..(row + right) * 4].as_chunks_mut::<4>().0 {
                *pixel = color;
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, color: Color, cover: f32) {
        let at = (y * self.width + x) * 4;
        if cover > 0.0 && x < self.width && y < self.height {
            for (target, color) in self.pixels[at..at + 3].iter_mut().zip(color) {
                *target = (f32::from(*target) * (1.0 - cover) + f32::from(color) * cover) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_can_be_read_off_the_card() {
        for (width, height) in [(1280, 720), (1277, 719), (320, 200), (3840, 2160)] {
            let mut card = Card::new(width, height);
            let code = Code { frame: 4_711, micros: 123_456_789 };
            card.draw(code);
            let luma: Vec<u8> = card.pixels().chunks_exact(4).map(|pixel| pixel[1]).collect();
            assert_eq!(testcard::read_code(&luma, width, width, height), Some(code));
        }
    }

    #[test]
    fn only_the_announced_parts_change() {
        for (width, height) in [(1280, 720), (333, 201)] {
            let (mut before, mut after) = (Card::new(width, height), Card::new(width, height));
            before.draw(Code { frame: 9, micros: 10 });
            after.draw(Code { frame: 100, micros: 99_999 });
            let inside = |x: usize, y: usize| {
                before.changing().iter().any(|area| {
                    (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y)
                })
            };
            let pairs = before.pixels().chunks(4).zip(after.pixels().chunks(4)).enumerate();
            for (index, (before, after)) in pairs {
                let (x, y) = (index % width, index / width);
                assert!(before == after || inside(x, y), "{x}, {y} of {width}x{height}");
            }
        }
    }

    #[test]
    fn the_smallest_windows_are_harmless() {
        for (width, height) in [(1, 1), (8, 3), (40, 40), (64, 400)] {
            Card::new(width, height).draw(Code { frame: u32::MAX, micros: u64::MAX });
        }
    }
}
